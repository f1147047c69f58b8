/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The error domain, and how an error crosses the boundary between two processes.
 */
#include "coproc-error-private.h"

/**
 * coproc_error_quark:
 *
 * Gets the error domain of the library, for use with [method@GLib.Error.matches] where the macro
 * %COPROC_ERROR is not at hand.
 *
 * Threads: any.
 *
 * Returns: the quark
 *
 * Since: 1.0
 */
G_DEFINE_QUARK (coproc-error-quark, coproc_error)

G_DEFINE_ENUM_TYPE (CoprocError, coproc_error,
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_FAILED, "failed"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_CLOSED, "closed"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_CLOSE_REQUESTED, "close-requested"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_TIMED_OUT, "timed-out"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_WOULD_BLOCK, "would-block"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_PROTOCOL, "protocol"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_TOO_LARGE, "too-large"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_LIMIT, "limit"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_INVALID_PRIORITY, "invalid-priority"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_INVALID_PAYLOAD, "invalid-payload"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_REMOTE, "remote"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_ALREADY_ALIVE, "already-alive"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_NOT_ALIVE, "not-alive"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_SPAWN, "spawn"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_PLUGIN_NOT_FOUND, "plugin-not-found"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_PLUGIN_REFUSED, "plugin-refused"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_PLUGIN_ABI, "plugin-abi"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_PLUGIN_SYMBOL, "plugin-symbol"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_SANDBOX, "sandbox"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_HANDSHAKE_TIMEOUT, "handshake-timeout"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_WORKER_DIED, "worker-died"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_NOT_STARTED, "not-started"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_RESTART_LIMIT, "restart-limit"),
                    G_DEFINE_ENUM_VALUE (COPROC_ERROR_HANDLER, "handler"))

/* The domains that a peer may name are those that are known here: make sure that the usual ones are. */
static void
register_domains (void)
{
  static gsize done = 0;

  if (g_once_init_enter (&done))
    {
      const GQuark quarks[] = { COPROC_ERROR, G_IO_ERROR, G_FILE_ERROR, G_SPAWN_ERROR,
                                G_CONVERT_ERROR, G_VARIANT_PARSE_ERROR };

      g_once_init_leave (&done, G_N_ELEMENTS (quarks));
    }
}

/* Returns: (transfer full): @error as the payload of an error frame, (sis): domain, code, message */
GVariant *
coproc_error_to_variant (const GError *error)
{
  g_autofree char *message = g_utf8_make_valid (error->message != NULL ? error->message : "", -1);

  return g_variant_ref_sink (
      g_variant_new ("(sis)", g_quark_to_string (error->domain), (gint32) error->code, message));
}

/* Returns: (transfer full): the error that @variant, of type (sis), tells of */
GError *
coproc_error_from_variant (GVariant *variant)
{
  const char *domain, *message;
  gint32 code;
  GQuark quark;

  register_domains ();

  g_variant_get (variant, "(&si&s)", &domain, &code, &message);
  quark = g_quark_try_string (domain);
  if (quark != 0)
    return g_error_new_literal (quark, code, message);

  return g_error_new (COPROC_ERROR, COPROC_ERROR_REMOTE, "%s:%d: %s", domain, code, message);
}
