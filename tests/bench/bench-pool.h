/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The tasks that every pool in C is measured by. A pool says how it runs them; the harness has all of them run
 * the same ones, with two workers.
 */
#pragma once

#include <glib.h>

#define BENCH_POOL_WORKERS 2

typedef struct
{
  const char *name;
  gpointer (*open) (const char *plugin);
  /* Runs all inputs, of type `ay`, and drops their results. */
  void (*map) (gpointer pool, GVariant **inputs, gsize n);
  /* Runs one; await() returns the number of one that is done. */
  void (*submit) (gpointer pool, GVariant *input, gsize number);
  gsize (*await) (gpointer pool);
  void (*close) (gpointer pool);
} BenchPool;

/* What a task does: is busy for as many µs as @input begins with. */
void bench_pool_spin (GVariant *input);

/* The program: [--seconds X] [--plugin PATH] [--pool NAME] [CASE...] */
int  bench_pool_main (int argc, char **argv, const BenchPool *pools, gsize n_pools);
