/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The error domain of the library.
 */
#pragma once

#if !defined(COPROC_INSIDE) && !defined(COPROC_COMPILATION)
#error "Only <coproc.h> can be included directly."
#endif

#include <gio/gio.h>

#include <coproc-version.h>

G_BEGIN_DECLS

/**
 * CoprocError:
 * @COPROC_ERROR_FAILED: something that no other code names
 * @COPROC_ERROR_CLOSED: the messenger, or its peer's end, is closed
 * @COPROC_ERROR_CLOSE_REQUESTED: the peer asks this side to end
 * @COPROC_ERROR_TIMED_OUT: the time given has passed
 * @COPROC_ERROR_WOULD_BLOCK: the operation would have to wait and may not
 * @COPROC_ERROR_PROTOCOL: the peer sent bytes that are no valid frame
 * @COPROC_ERROR_TOO_LARGE: a message is larger than the limits of one side
 * @COPROC_ERROR_LIMIT: a count (channels, requests, queued messages) is at its limit
 * @COPROC_ERROR_INVALID_PRIORITY: a priority is not a number
 * @COPROC_ERROR_INVALID_PAYLOAD: a payload or channel that cannot be sent or is not of the type asked
 * @COPROC_ERROR_REMOTE: an error of the peer whose domain is not known here
 * @COPROC_ERROR_ALREADY_ALIVE: the worker is running
 * @COPROC_ERROR_NOT_ALIVE: the worker is not running
 * @COPROC_ERROR_SPAWN: the child process could not be started
 * @COPROC_ERROR_PLUGIN_NOT_FOUND: no plugin of that name
 * @COPROC_ERROR_PLUGIN_REFUSED: the plugin's file may not be, or could not be, loaded
 * @COPROC_ERROR_PLUGIN_ABI: the plugin was built for another plugin interface
 * @COPROC_ERROR_PLUGIN_SYMBOL: the plugin has no such entry point
 * @COPROC_ERROR_SANDBOX: a confinement that was asked for cannot be had
 * @COPROC_ERROR_HANDSHAKE_TIMEOUT: the worker did not greet in time
 * @COPROC_ERROR_WORKER_DIED: the worker's process ended without a goodbye
 * @COPROC_ERROR_NOT_STARTED: the worker died before it took the request up
 * @COPROC_ERROR_RESTART_LIMIT: the worker died more often than it may
 * @COPROC_ERROR_HANDLER: a handler or virtual function failed without saying why
 *
 * The errors of the domain %COPROC_ERROR. Cancellation is %G_IO_ERROR_CANCELLED.
 *
 * Since: 1.0
 */
typedef enum
{
  COPROC_ERROR_FAILED,
  COPROC_ERROR_CLOSED,
  COPROC_ERROR_CLOSE_REQUESTED,
  COPROC_ERROR_TIMED_OUT,
  COPROC_ERROR_WOULD_BLOCK,
  COPROC_ERROR_PROTOCOL,
  COPROC_ERROR_TOO_LARGE,
  COPROC_ERROR_LIMIT,
  COPROC_ERROR_INVALID_PRIORITY,
  COPROC_ERROR_INVALID_PAYLOAD,
  COPROC_ERROR_REMOTE,
  COPROC_ERROR_ALREADY_ALIVE,
  COPROC_ERROR_NOT_ALIVE,
  COPROC_ERROR_SPAWN,
  COPROC_ERROR_PLUGIN_NOT_FOUND,
  COPROC_ERROR_PLUGIN_REFUSED,
  COPROC_ERROR_PLUGIN_ABI,
  COPROC_ERROR_PLUGIN_SYMBOL,
  COPROC_ERROR_SANDBOX,
  COPROC_ERROR_HANDSHAKE_TIMEOUT,
  COPROC_ERROR_WORKER_DIED,
  COPROC_ERROR_NOT_STARTED,
  COPROC_ERROR_RESTART_LIMIT,
  COPROC_ERROR_HANDLER,
} CoprocError;

/**
 * COPROC_ERROR:
 *
 * The error domain of the library; see [error@Coproc.Error].
 *
 * Since: 1.0
 */
#define COPROC_ERROR (coproc_error_quark ())
COPROC_AVAILABLE_IN_1_0
GQuark coproc_error_quark (void);

#define COPROC_TYPE_ERROR (coproc_error_get_type ())
COPROC_AVAILABLE_IN_1_0
GType coproc_error_get_type (void) G_GNUC_CONST;

G_END_DECLS
