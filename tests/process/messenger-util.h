/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * What the tests of the messenger share: sending and receiving texts.
 */
#pragma once

#include <coproc-test.h>

static inline GVariant *
text (const char *string)
{
  return g_variant_new_string (string);
}

#define assert_send(call)                                                                          \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autoptr(GError) error_ = NULL;                                                               \
    GError **err = &error_;                                                                        \
    gboolean ok_ = (call);                                                                         \
    g_assert_no_error (error_);                                                                    \
    g_assert_true (ok_);                                                                           \
  }                                                                                                \
  G_STMT_END

/* @call must give FALSE or NULL and an error of that domain and code; it names the error `err`. */
#define assert_fails(domain, code, call)                                                           \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autoptr(GError) error_ = NULL;                                                               \
    GError **err = &error_;                                                                        \
    gboolean ok_ = (call) ? TRUE : FALSE;                                                          \
    g_assert_error (error_, (domain), (code));                                                     \
    g_assert_false (ok_);                                                                          \
  }                                                                                                \
  G_STMT_END

static inline void
send_text (CoprocMessenger *self, const char *string, const char *channel)
{
  assert_send (coproc_messenger_send_norequest (self, text (string), channel, err));
}

static inline void
send_text_at (CoprocMessenger *self, const char *string, const char *channel, double priority)
{
  g_autoptr(CoprocMessage) message = coproc_message_new_full (text (string), channel, priority);

  assert_send (coproc_messenger_send_message (self, message, COPROC_MESSAGE_KIND_NOREQUEST, NULL,
                                              err));
}

static inline void
send_report (CoprocMessenger *self, int code)
{
  g_autoptr(GError) report = g_error_new (G_IO_ERROR, code, "report %d", code);

  assert_send (coproc_messenger_send_error (self, report, err));
}

static inline guint64
send_request_text (CoprocMessenger *self, const char *string, const char *channel, double priority)
{
  g_autoptr(CoprocMessage) message = coproc_message_new_full (text (string), channel, priority);
  guint64 serial = 0;

  assert_send (coproc_messenger_send_message (self, message, COPROC_MESSAGE_KIND_REQUEST, &serial,
                                              err));
  g_assert_cmpuint (serial, >, 0);
  return serial;
}

static inline void
assert_text (GVariant *payload, const char *expected)
{
  g_assert_nonnull (payload);
  g_assert_false (g_variant_is_floating (payload));
  g_assert_cmpstr (g_variant_get_type_string (payload), ==, "s");
  g_assert_cmpstr (g_variant_get_string (payload, NULL), ==, expected);
}

/* The next message of the channel, which is there or on its way, is this text. */
static inline void
assert_receive (CoprocMessenger *self, const char *channel, const char *expected)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GVariant) payload = coproc_messenger_receive_blocking (self, channel, NULL, &error);

  g_assert_no_error (error);
  assert_text (payload, expected);
}

/* Nothing is there for the channel, now. */
static inline void
assert_nothing (CoprocMessenger *self, const char *channel)
{
  g_autoptr(GError) error = NULL;

  g_assert_cmpint (coproc_messenger_available (self, channel, &error), ==, 0);
  g_assert_no_error (error);
  g_assert_null (coproc_messenger_try_receive (self, channel, &error));
  g_assert_no_error (error);
}

static inline CoprocMessage *
receive_message (CoprocMessenger *self, const char *channel)
{
  g_autoptr(GError) error = NULL;
  CoprocMessage *message = coproc_messenger_receive_message (self, channel, -1, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (message);
  return message;
}

/* Answers the next request of the channel with @string. */
static inline void
answer (CoprocMessenger *self, const char *channel, const char *string)
{
  g_autoptr(CoprocMessage) request = receive_message (self, channel);

  g_assert_cmpint (coproc_message_get_kind (request), ==, COPROC_MESSAGE_KIND_REQUEST);
  assert_send (coproc_messenger_reply (self, request, text (string), err));
}
