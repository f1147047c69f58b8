/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-types.h"

G_DEFINE_ENUM_TYPE (CoprocMessageKind, coproc_message_kind,
                    G_DEFINE_ENUM_VALUE (COPROC_MESSAGE_KIND_NOREQUEST, "norequest"),
                    G_DEFINE_ENUM_VALUE (COPROC_MESSAGE_KIND_REQUEST, "request"),
                    G_DEFINE_ENUM_VALUE (COPROC_MESSAGE_KIND_REPLY, "reply"))

G_DEFINE_ENUM_TYPE (CoprocWorkerMode, coproc_worker_mode,
                    G_DEFINE_ENUM_VALUE (COPROC_WORKER_MODE_PROCESS, "process"),
                    G_DEFINE_ENUM_VALUE (COPROC_WORKER_MODE_THREAD, "thread"))

G_DEFINE_ENUM_TYPE (CoprocWorkerState, coproc_worker_state,
                    G_DEFINE_ENUM_VALUE (COPROC_WORKER_STATE_NEW, "new"),
                    G_DEFINE_ENUM_VALUE (COPROC_WORKER_STATE_STARTING, "starting"),
                    G_DEFINE_ENUM_VALUE (COPROC_WORKER_STATE_RUNNING, "running"),
                    G_DEFINE_ENUM_VALUE (COPROC_WORKER_STATE_STOPPING, "stopping"),
                    G_DEFINE_ENUM_VALUE (COPROC_WORKER_STATE_EXITED, "exited"),
                    G_DEFINE_ENUM_VALUE (COPROC_WORKER_STATE_FAILED, "failed"))

G_DEFINE_ENUM_TYPE (CoprocTransport, coproc_transport,
                    G_DEFINE_ENUM_VALUE (COPROC_TRANSPORT_AUTO, "auto"),
                    G_DEFINE_ENUM_VALUE (COPROC_TRANSPORT_PIPE, "pipe"),
                    G_DEFINE_ENUM_VALUE (COPROC_TRANSPORT_SHARED_MEMORY, "shared-memory"))

G_DEFINE_ENUM_TYPE (CoprocStderrMode, coproc_stderr_mode,
                    G_DEFINE_ENUM_VALUE (COPROC_STDERR_MODE_INHERIT, "inherit"),
                    G_DEFINE_ENUM_VALUE (COPROC_STDERR_MODE_CAPTURE, "capture"),
                    G_DEFINE_ENUM_VALUE (COPROC_STDERR_MODE_DISCARD, "discard"))

G_DEFINE_ENUM_TYPE (CoprocLauncherQuoting, coproc_launcher_quoting,
                    G_DEFINE_ENUM_VALUE (COPROC_LAUNCHER_QUOTING_ARGV, "argv"),
                    G_DEFINE_ENUM_VALUE (COPROC_LAUNCHER_QUOTING_SHELL, "shell"))

G_DEFINE_ENUM_TYPE (CoprocRestartPolicy, coproc_restart_policy,
                    G_DEFINE_ENUM_VALUE (COPROC_RESTART_POLICY_NEVER, "never"),
                    G_DEFINE_ENUM_VALUE (COPROC_RESTART_POLICY_ON_FAILURE, "on-failure"),
                    G_DEFINE_ENUM_VALUE (COPROC_RESTART_POLICY_ALWAYS, "always"))
