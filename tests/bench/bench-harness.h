/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The exchanges that every peer is measured by. A peer says how its two ends send and receive; the
 * harness has all of them do the same, each measurement in two fresh processes. C and C++.
 *
 * A program of peers prints lines "PEER MEASUREMENT VALUE": microseconds for round trips and for the processor
 * time that a message takes on both sides (MEASUREMENT-cpu), messages per second for the rest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C"
{
#endif

#define BENCH_CONTROL 64 /* bytes of the messages before and after what is measured */

typedef struct
{
  const char *name;
  size_t largest; /* message that it carries; 0: any */
  long window;    /* how many requests may be in flight where that is less than the usual 64; 0: 64 */
  size_t touched; /* bytes of a message that are read, where it is not filled either; 0: one in each line */
  bool thread;    /* the other side is a thread of the same process */

  /* Optional: makes what both sides have to know for messages of @size, before there are two. */
  void (*prepare) (size_t size);
  /* Optional: undoes that, when the other side is gone. */
  void (*finish) (void);
  /* An end, made where it is used. */
  void *(*open) (bool host);
  /* @data is the caller's again when it returns. What is held back is sent before receive() waits. */
  void (*send) (void *end, const void *data, size_t size);
  /* Waits for a message, whose size is known. Returns: its bytes, until the next receive */
  const void *(*receive) (void *end, size_t size);

  /* Optional, for a peer that knows which request a reply is to: instead of send() where replies are awaited. */
  void (*request) (void *end, const void *data, size_t size);
  void (*reply) (void *end, const void *data, size_t size);

  /* Optional, for a peer that starts the other side by itself: as a program with @argv, or as a thread
   * that calls bench_serve(). Returns: the host's end; close() lets go of either end, and the other
   * side's waits for the host's first */
  void *(*start) (const char *const *argv);
  void (*close) (void *end);
} BenchPeer;

/* The program: bench-peer-NAME [--seconds X] [--peer PEER] [MEASUREMENT...] */
int  bench_main (int argc, char **argv, const BenchPeer *peers, size_t n_peers);

/* What the other side does with its end. */
void bench_serve (void *end);

#ifdef __cplusplus
}
#endif
