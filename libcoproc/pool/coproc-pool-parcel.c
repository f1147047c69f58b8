/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * A parcel: inputs on their way out, outcomes on their way in.
 */
#include "pool/coproc-pool-private.h"

#include "coproc-error.h"
#include "messenger/coproc-message-private.h"
#include "worker/coproc-chunk-private.h"

/* In a chunk for another process: more gains nothing, and what is larger lies in shared blocks, into which a chunk would
 * have to be copied once more. */
#define MAX_CHUNK_BYTES (60 << 10)

static GVariant *
get_payload (CoprocPoolJob *job, gpointer input)
{
  return job->as_messages ? coproc_message_get_payload (input) : input;
}

/* How many of @max inputs are not too large for one message, one at least, and their size. */
static guint
count_fitting (CoprocPoolJob *job, gpointer *inputs, guint max, gsize *size)
{
  guint n;

  *size = g_variant_get_size (get_payload (job, inputs[0]));
  for (n = 1; n < max; n++)
    {
      const gsize more = g_variant_get_size (get_payload (job, inputs[n]));

      if (*size + more > MAX_CHUNK_BYTES)
        break;
      *size += more;
    }
  return n;
}

CoprocParcel *
coproc_parcel_new (CoprocPoolJob *job, guint64 first, gpointer *inputs, guint max, gboolean by_reference)
{
  gsize size = 0;
  const guint n = by_reference ? max : count_fitting (job, inputs, max, &size);
  CoprocParcel *self = g_malloc0 (sizeof *self + n * sizeof (gpointer));

  self->job = coproc_pool_job_ref (job);
  self->first = first;
  self->n = n;
  self->size = size;
  self->by_reference = by_reference;
  self->link.data = self;
  memcpy (self->inputs, inputs, n * sizeof (gpointer));
  return self;
}

void
coproc_parcel_free (CoprocParcel *self)
{
  const GDestroyNotify free_value = self->job->results.free_value;

  for (guint i = 0; i < self->n; i++)
    {
      g_clear_pointer (&self->inputs[i], free_value);
      if (self->outcomes == NULL)
        continue;
      g_clear_pointer (&self->outcomes[i].value, free_value);
      g_clear_error (&self->outcomes[i].error);
    }
  g_free (self->outcomes);
  g_clear_pointer (&self->call.payload, g_variant_unref);
  g_clear_pointer (&self->call.call.reply, coproc_message_unref);
  g_clear_error (&self->call.call.error);
  coproc_pool_job_unref (self->job);
  g_free (self);
}

/* --- out --- */

static GVariant *
pack_chunk (CoprocParcel *self)
{
  g_autofree CoprocChunkItem *items = g_new0 (CoprocChunkItem, self->n);

  for (guint i = 0; i < self->n; i++)
    {
      items[i].value = self->inputs[i];
      if (!coproc_chunk_can_hold (self->inputs[i], NULL))
        return NULL;
    }
  if (!self->by_reference)
    return coproc_chunk_pack (items, self->n);
  for (guint i = 0; i < self->n; i++)
    g_variant_ref (items[i].value);
  return coproc_chunk_share (items, self->n);
}

gboolean
coproc_parcel_pack (CoprocParcel *self)
{
  CoprocPoolJob *job = self->job;

  self->call.priority = job->priority;
  self->call.channel = NULL;
  if (self->n > 1)
    {
      /* A worker may have taken the inputs out of one that was sent before. */
      if (self->by_reference)
        g_clear_pointer (&self->call.payload, g_variant_unref);
      if (self->call.payload == NULL)
        self->call.payload = pack_chunk (self);
      self->call.channel = COPROC_CHUNK_CHANNEL;
      return self->call.payload != NULL;
    }
  if (self->call.payload == NULL)
    self->call.payload = g_variant_ref (get_payload (job, self->inputs[0]));
  if (job->as_messages)
    self->call.channel = coproc_message_get_channel (self->inputs[0]);
  return TRUE;
}

/* --- in --- */

/* All inputs have failed with @error. */
static void
fail_all (CoprocParcel *self, const GError *error)
{
  for (guint i = 0; i < self->n; i++)
    self->outcomes[i].error = g_error_copy (error);
}

static void
unpack_chunk (CoprocParcel *self, GVariant *chunk)
{
  guint n = 0;
  CoprocChunkItem *shared = self->by_reference ? coproc_chunk_get_shared (chunk, &n) : NULL;
  g_autofree CoprocChunkItem *items = NULL;
  g_autoptr (GError) error = NULL;

  if (shared == NULL || n != self->n)
    {
      shared = items = g_new0 (CoprocChunkItem, self->n);
      if (!coproc_chunk_unpack (chunk, items, self->n, &error))
        {
          fail_all (self, error);
          return;
        }
    }
  for (guint i = 0; i < self->n; i++)
    {
      self->outcomes[i].value = g_steal_pointer (&shared[i].value);
      self->outcomes[i].error = g_steal_pointer (&shared[i].error);
    }
}

void
coproc_parcel_unpack (CoprocParcel *self)
{
  CoprocCall *call = &self->call.call;
  CoprocMessage *reply = g_steal_pointer (&call->reply);

  self->outcomes = g_new0 (CoprocOutcome, self->n);
  for (guint i = 0; i < self->n; i++)
    self->outcomes[i].index = self->first + i;
  if (reply == NULL)
    fail_all (self, call->error);
  else if (self->n > 1)
    {
      g_autoptr (GVariant) chunk = coproc_message_take_payload (reply);

      unpack_chunk (self, chunk);
    }
  else
    self->outcomes[0].value = self->job->as_messages ? (gpointer) reply : coproc_message_take_payload (reply);
}
