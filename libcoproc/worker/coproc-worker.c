/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The helper program `coproc-worker`, which a host runs for each worker:
 *
 *     coproc-worker [--fifo] [--] PLUGIN ENTRY-POINT   runs a worker; COPROC_WORKER_FDS names its host
 *     coproc-worker --inspect [--] PLUGIN              loads a plugin and says what it is
 */
#include "worker/coproc-worker-main-private.h"

int
main (int argc, char **argv)
{
  return coproc_worker_main (argc, argv);
}
