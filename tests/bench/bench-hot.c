/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The hot path, one operation at a time, in one thread with both ends: for instructions.py, which
 * counts what the functions named hot_* do under callgrind; --list tells of both.
 *
 *   bench-hot --about | --list | OPERATION ROUNDS
 *
 * Each round does an operation HOT_BATCH times; the rest of the exchange is done around it.
 */
#include <coproc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coproc-test.h"

#define HOT_SIZE 64    /* bytes of a payload */
#define HOT_BATCH 64   /* messages of a round: few, so that the background thread does not step in meanwhile */

typedef struct
{
  CoprocMessenger *near; /* (owned) the end that is measured */
  CoprocMessenger *far;  /* (owned) */
  GVariant *payload;     /* (owned) */
  GVariant *text;        /* (owned) one that is no `ay` */
  GVariant *payloads[HOT_BATCH]; /* all of them payload */
} Hot;

typedef struct
{
  const char *name;
  const char *symbol;          /* of measured */
  void (*before) (Hot *hot);   /* (nullable) */
  void (*measured) (Hot *hot);
  void (*after) (Hot *hot);    /* (nullable) */
} Operation;

static void
check (gboolean ok, GError *error)
{
  if (ok)
    return;
  fprintf (stderr, "bench-hot: %s\n", error != NULL ? error->message : "no error set");
  exit (1);
}

/* --- what a side does --- */

static void
send_bytes (CoprocMessenger *messenger)
{
  static const guint8 message[HOT_SIZE];

  for (int i = 0; i < HOT_BATCH; i++)
    {
      GError *error = NULL;

      check (coproc_messenger_send_bytes (messenger, message, sizeof message, NULL, &error), error);
    }
}

static void
send_variants (CoprocMessenger *messenger, GVariant *payload)
{
  for (int i = 0; i < HOT_BATCH; i++)
    {
      GError *error = NULL;

      check (coproc_messenger_send_norequest (messenger, payload, NULL, &error), error);
    }
}

static void
send_requests (Hot *hot)
{
  GError *error = NULL;

  check (coproc_messenger_send_request_multiple (hot->near, hot->payloads, HOT_BATCH, NULL, &error), error);
}

static void
receive_messages (CoprocMessenger *messenger)
{
  for (int i = 0; i < HOT_BATCH; i++)
    {
      GError *error = NULL;
      CoprocMessage *message = coproc_messenger_receive_message (messenger, NULL, -1, NULL, &error);

      check (message != NULL, error);
      coproc_message_unref (message);
    }
}

static void
answer_requests (CoprocMessenger *messenger, GVariant *payload)
{
  for (gsize n_answered = 0, n = 0; n_answered < HOT_BATCH; n_answered += n)
    {
      GError *error = NULL;
      CoprocMessage **requests = coproc_messenger_receive_messages (messenger, NULL, 0, -1, NULL, &n, &error);

      check (requests != NULL, error);
      for (gsize i = 0; i < n; i++)
        {
          check (coproc_messenger_reply (messenger, requests[i], payload, &error), error);
          coproc_message_unref (requests[i]);
        }
      g_free (requests);
    }
}

/* --- before and after --- */

static void
drain_far (Hot *hot)
{
  receive_messages (hot->far);
}

static void
fill_near (Hot *hot)
{
  send_bytes (hot->far);
}

static void
fill_near_with_text (Hot *hot)
{
  send_variants (hot->far, hot->text);
}

static void
serve_far (Hot *hot)
{
  answer_requests (hot->far, hot->payload);
}

static void
request_and_serve (Hot *hot)
{
  send_requests (hot);
  serve_far (hot);
}

static void
request_from_far (Hot *hot)
{
  GError *error = NULL;

  check (coproc_messenger_send_request_multiple (hot->far, hot->payloads, HOT_BATCH, NULL, &error), error);
}

static void
settle_near (Hot *hot)
{
  receive_messages (hot->near);
}

static void
serve_and_settle (Hot *hot)
{
  serve_far (hot);
  settle_near (hot);
}

static void
settle_far (Hot *hot)
{
  receive_messages (hot->far);
}

/* --- what is measured: global, so that they keep their names --- */

void hot_send_bytes (Hot *hot);
void hot_send_variant (Hot *hot);
void hot_send_text (Hot *hot);
void hot_send_request (Hot *hot);
void hot_send_request_multiple (Hot *hot);
void hot_receive_message (Hot *hot);
void hot_receive_blocking (Hot *hot);
void hot_receive_available (Hot *hot);
void hot_receive_messages (Hot *hot);
void hot_receive_reply (Hot *hot);
void hot_answer (Hot *hot);
void hot_answer_multiple (Hot *hot);

/* noinline: each is a function of the program that callgrind sees */
__attribute__ ((noinline)) void
hot_send_bytes (Hot *hot)
{
  send_bytes (hot->near);
}

__attribute__ ((noinline)) void
hot_send_variant (Hot *hot)
{
  send_variants (hot->near, hot->payload);
}

__attribute__ ((noinline)) void
hot_send_text (Hot *hot)
{
  send_variants (hot->near, hot->text);
}

__attribute__ ((noinline)) void
hot_send_request (Hot *hot)
{
  for (int i = 0; i < HOT_BATCH; i++)
    {
      GError *error = NULL;

      check (coproc_messenger_send_request (hot->near, hot->payload, NULL, &error), error);
    }
}

__attribute__ ((noinline)) void
hot_send_request_multiple (Hot *hot)
{
  send_requests (hot);
}

__attribute__ ((noinline)) void
hot_receive_message (Hot *hot)
{
  receive_messages (hot->near);
}

__attribute__ ((noinline)) void
hot_receive_blocking (Hot *hot)
{
  for (int i = 0; i < HOT_BATCH; i++)
    {
      GError *error = NULL;
      GVariant *payload = coproc_messenger_receive_blocking (hot->near, NULL, NULL, &error);

      check (payload != NULL, error);
      g_variant_unref (payload);
    }
}

__attribute__ ((noinline)) void
hot_receive_available (Hot *hot)
{
  GError *error = NULL;
  gsize n_payloads = 0;
  GVariant **payloads = coproc_messenger_receive_available (hot->near, NULL, &n_payloads, &error);

  check (payloads != NULL && n_payloads == HOT_BATCH, error);
  for (gsize i = 0; i < n_payloads; i++)
    g_variant_unref (payloads[i]);
  g_free (payloads);
}

__attribute__ ((noinline)) void
hot_receive_messages (Hot *hot)
{
  gsize n_taken = 0;

  while (n_taken < HOT_BATCH)
    {
      GError *error = NULL;
      gsize n = 0;
      CoprocMessage **messages = coproc_messenger_receive_messages (hot->near, NULL, 0, -1, NULL, &n, &error);

      check (messages != NULL, error);
      for (gsize i = 0; i < n; i++)
        coproc_message_unref (messages[i]);
      g_free (messages);
      n_taken += n;
    }
}

__attribute__ ((noinline)) void
hot_receive_reply (Hot *hot)
{
  for (int i = 0; i < HOT_BATCH; i++)
    {
      GError *error = NULL;
      CoprocMessage *message = coproc_messenger_receive_reply (hot->near, NULL, -1, NULL, &error);

      check (message != NULL, error);
      coproc_message_unref (message);
    }
}

/* Takes requests as they come and answers each. */
__attribute__ ((noinline)) void
hot_answer (Hot *hot)
{
  answer_requests (hot->near, hot->payload);
}

#define OPERATION(before, measured) #measured, before, measured

/* The same with one call for all answers. */
__attribute__ ((noinline)) void
hot_answer_multiple (Hot *hot)
{
  for (gsize n_answered = 0, n = 0; n_answered < HOT_BATCH; n_answered += n)
    {
      GError *error = NULL;
      CoprocMessage **requests = coproc_messenger_receive_messages (hot->near, NULL, 0, -1, NULL, &n, &error);

      check (requests != NULL, error);
      check (coproc_messenger_reply_multiple (hot->near, requests, n, hot->payloads, n, &error), error);
      for (gsize i = 0; i < n; i++)
        coproc_message_unref (requests[i]);
      g_free (requests);
    }
}

static const Operation operations[] = {
  { "send-bytes", OPERATION (NULL, hot_send_bytes), drain_far },
  { "send-variant", OPERATION (NULL, hot_send_variant), drain_far },
  { "send-text", OPERATION (NULL, hot_send_text), drain_far },
  { "send-request", OPERATION (NULL, hot_send_request), serve_and_settle },
  { "send-request-multiple", OPERATION (NULL, hot_send_request_multiple), serve_and_settle },
  { "receive-message", OPERATION (fill_near, hot_receive_message), NULL },
  { "receive-blocking", OPERATION (fill_near, hot_receive_blocking), NULL },
  { "receive-blocking-text", OPERATION (fill_near_with_text, hot_receive_blocking), NULL },
  { "receive-available", OPERATION (fill_near, hot_receive_available), NULL },
  { "receive-messages", OPERATION (fill_near, hot_receive_messages), NULL },
  { "receive-reply", OPERATION (request_and_serve, hot_receive_reply), NULL },
  { "answer", OPERATION (request_from_far, hot_answer), settle_far },
  { "answer-multiple", OPERATION (request_from_far, hot_answer_multiple), settle_far },
};

int
main (int argc, char **argv)
{
  const Operation *operation = NULL;
  Hot hot = { 0 };

  if (argc == 2 && strcmp (argv[1], "--about") == 0)
    {
      printf ("%s, gcc %d, GLib %u.%u\n", HOT_MACHINE, __GNUC__, glib_major_version, glib_minor_version);
      return 0;
    }
  if (argc == 2 && strcmp (argv[1], "--list") == 0)
    {
      for (gsize i = 0; i < G_N_ELEMENTS (operations); i++)
        printf ("%s %s\n", operations[i].name, operations[i].symbol);
      return 0;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (operations) && argc == 3; i++)
    if (strcmp (argv[1], operations[i].name) == 0)
      operation = &operations[i];
  if (operation == NULL)
    {
      fprintf (stderr, "usage: bench-hot --about | --list | OPERATION ROUNDS\n");
      return 2;
    }

  coproc_test_new_pair (COPROC_TYPE_PRIORITY_MESSENGER, &hot.near, &hot.far);
  g_object_set (hot.near, "spin-time", 0, NULL); /* it goes by the clock */
  hot.payload = g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, g_malloc0 (HOT_SIZE),
                                                             HOT_SIZE, TRUE, NULL, NULL));
  hot.text = g_variant_ref_sink (g_variant_new ("(su)", "a line of fifty-eight characters, more or less, and a number.", 1));
  for (int i = 0; i < HOT_BATCH; i++)
    hot.payloads[i] = hot.payload;
  for (int round = 0; round < atoi (argv[2]); round++)
    {
      if (operation->before != NULL)
        operation->before (&hot);
      operation->measured (&hot);
      if (operation->after != NULL)
        operation->after (&hot);
    }

  coproc_messenger_close (hot.near);
  coproc_messenger_close (hot.far);
  g_object_unref (hot.near);
  g_object_unref (hot.far);
  g_variant_unref (hot.payload);
  g_variant_unref (hot.text);
  return 0;
}
