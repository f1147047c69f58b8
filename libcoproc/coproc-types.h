/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The enumerations of the public interface.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <gio/gio.h>

#include <coproc-version.h>

G_BEGIN_DECLS

/**
 * CoprocMessageKind:
 * @COPROC_MESSAGE_KIND_NOREQUEST: a message that expects no reply
 * @COPROC_MESSAGE_KIND_REQUEST: a message that expects one reply
 * @COPROC_MESSAGE_KIND_REPLY: the reply to a request
 *
 * What a message is to the exchange it belongs to.
 *
 * Since: 1.0
 */
typedef enum
{
  COPROC_MESSAGE_KIND_NOREQUEST,
  COPROC_MESSAGE_KIND_REQUEST,
  COPROC_MESSAGE_KIND_REPLY,
} CoprocMessageKind;

/**
 * CoprocWorkerMode:
 * @COPROC_WORKER_MODE_PROCESS: the worker runs in a child process
 * @COPROC_WORKER_MODE_THREAD: the worker runs in a thread of the host
 *
 * Where a worker runs.
 *
 * Since: 1.0
 */
typedef enum
{
  COPROC_WORKER_MODE_PROCESS,
  COPROC_WORKER_MODE_THREAD,
} CoprocWorkerMode;

/**
 * CoprocWorkerState:
 * @COPROC_WORKER_STATE_NEW: never started
 * @COPROC_WORKER_STATE_STARTING: started, its greeting is awaited
 * @COPROC_WORKER_STATE_RUNNING: alive
 * @COPROC_WORKER_STATE_STOPPING: alive, asked to end
 * @COPROC_WORKER_STATE_EXITED: ended; it can be started again
 * @COPROC_WORKER_STATE_FAILED: could not be started; it can be tried again
 *
 * The life of a worker.
 *
 * Since: 1.0
 */
typedef enum
{
  COPROC_WORKER_STATE_NEW,
  COPROC_WORKER_STATE_STARTING,
  COPROC_WORKER_STATE_RUNNING,
  COPROC_WORKER_STATE_STOPPING,
  COPROC_WORKER_STATE_EXITED,
  COPROC_WORKER_STATE_FAILED,
} CoprocWorkerState;

/**
 * CoprocTransport:
 * @COPROC_TRANSPORT_AUTO: the fastest that both ends have
 * @COPROC_TRANSPORT_PIPE: two pipes
 * @COPROC_TRANSPORT_SHARED_MEMORY: rings in shared memory
 *
 * What carries the messages between a host and its worker.
 *
 * Since: 1.0
 */
typedef enum
{
  COPROC_TRANSPORT_AUTO,
  COPROC_TRANSPORT_PIPE,
  COPROC_TRANSPORT_SHARED_MEMORY,
} CoprocTransport;

/**
 * CoprocStderrMode:
 * @COPROC_STDERR_MODE_INHERIT: what the worker writes appears on the host's stderr
 * @COPROC_STDERR_MODE_CAPTURE: it is only kept and told line by line
 * @COPROC_STDERR_MODE_DISCARD: it is dropped
 *
 * What becomes of a worker's standard error (and standard output, which joins it).
 *
 * Since: 1.0
 */
typedef enum
{
  COPROC_STDERR_MODE_INHERIT,
  COPROC_STDERR_MODE_CAPTURE,
  COPROC_STDERR_MODE_DISCARD,
} CoprocStderrMode;

/**
 * CoprocLauncherQuoting:
 * @COPROC_LAUNCHER_QUOTING_ARGV: as further arguments, one for each word
 * @COPROC_LAUNCHER_QUOTING_SHELL: as one more argument, quoted for a shell, which runs it
 *
 * How the program that starts a worker takes the worker's command line.
 *
 * Since: 1.0
 */
typedef enum
{
  COPROC_LAUNCHER_QUOTING_ARGV,
  COPROC_LAUNCHER_QUOTING_SHELL,
} CoprocLauncherQuoting;

/**
 * CoprocRestartPolicy:
 * @COPROC_RESTART_POLICY_NEVER: a worker that has ended stays so until it is started again
 * @COPROC_RESTART_POLICY_ON_FAILURE: it is restarted when it has died, or ended with a failure
 * @COPROC_RESTART_POLICY_ALWAYS: it is restarted whenever it has ended without being asked to
 *
 * Which ends of a worker are followed by a restart.
 *
 * Since: 1.0
 */
typedef enum
{
  COPROC_RESTART_POLICY_NEVER,
  COPROC_RESTART_POLICY_ON_FAILURE,
  COPROC_RESTART_POLICY_ALWAYS,
} CoprocRestartPolicy;

#define COPROC_TYPE_MESSAGE_KIND (coproc_message_kind_get_type ())
COPROC_AVAILABLE_IN_1_0
GType coproc_message_kind_get_type (void) G_GNUC_CONST;

#define COPROC_TYPE_WORKER_MODE (coproc_worker_mode_get_type ())
COPROC_AVAILABLE_IN_1_0
GType coproc_worker_mode_get_type (void) G_GNUC_CONST;

#define COPROC_TYPE_WORKER_STATE (coproc_worker_state_get_type ())
COPROC_AVAILABLE_IN_1_0
GType coproc_worker_state_get_type (void) G_GNUC_CONST;

#define COPROC_TYPE_TRANSPORT (coproc_transport_get_type ())
COPROC_AVAILABLE_IN_1_0
GType coproc_transport_get_type (void) G_GNUC_CONST;

#define COPROC_TYPE_STDERR_MODE (coproc_stderr_mode_get_type ())
COPROC_AVAILABLE_IN_1_0
GType coproc_stderr_mode_get_type (void) G_GNUC_CONST;

#define COPROC_TYPE_LAUNCHER_QUOTING (coproc_launcher_quoting_get_type ())
COPROC_AVAILABLE_IN_1_0
GType coproc_launcher_quoting_get_type (void) G_GNUC_CONST;

#define COPROC_TYPE_RESTART_POLICY (coproc_restart_policy_get_type ())
COPROC_AVAILABLE_IN_1_0
GType coproc_restart_policy_get_type (void) G_GNUC_CONST;

G_END_DECLS
