/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 */
#include "coproc-message-private.h"

#include <math.h>
#include <string.h>

#include "coproc-channel-private.h"

/**
 * CoprocMessage:
 *
 * An immutable payload with its channel, its priority and its place in an exchange.
 *
 * A program makes a message to say more about a payload than the short send methods of a messenger
 * can, such as its priority, and hands it to [method@Coproc.Messenger.send_message]. It gets one from
 * [method@Coproc.Messenger.receive_message], [method@Coproc.Messenger.receive_any] and the
 * [signal@Coproc.Messenger::message] signal, to learn what kind of message it is and to
 * [method@Coproc.Messenger.reply] to just this one.
 *
 * Bulk data belongs in a payload of type `ay`: it travels unchecked and, when large, uncopied, and
 * [method@Coproc.Message.get_bytes] gives access to it without a cost for each byte.
 *
 * ```c
 * g_autoptr(GError) error = NULL;
 * CoprocMessenger *worker_end = NULL, *host_end = NULL;
 *
 * if (!coproc_messenger_new_pair (COPROC_TYPE_PRIORITY_MESSENGER, &worker_end, &host_end, &error))
 *   g_error ("%s", error->message);
 *
 * // Lower goes first, and what has no priority goes last.
 * CoprocMessage *urgent = coproc_message_new_full (g_variant_new_string ("now"), "jobs", 1.0);
 * coproc_messenger_send_norequest (host_end, g_variant_new_string ("later"), "jobs", NULL);
 * coproc_messenger_send_message (host_end, urgent, COPROC_MESSAGE_KIND_NOREQUEST, NULL, NULL);
 * coproc_message_unref (urgent);
 *
 * CoprocMessage *first = coproc_messenger_receive_message (worker_end, "jobs", -1, NULL, &error);
 * g_print ("%s, %g\n", g_variant_get_string (coproc_message_get_payload (first), NULL),
 *          coproc_message_get_priority (first)); // now, 1
 * coproc_message_unref (first);
 * g_object_unref (worker_end);
 * g_object_unref (host_end);
 * ```
 *
 * ```python
 * import gi
 * gi.require_version("Coproc", "1")
 * from gi.repository import Coproc, GLib
 *
 * _, worker_end, host_end = Coproc.Messenger.new_pair(Coproc.PriorityMessenger)
 *
 * # Lower goes first, and what has no priority goes last.
 * urgent = Coproc.Message.new_full(GLib.Variant("s", "now"), "jobs", 1.0)
 * host_end.send_norequest(GLib.Variant("s", "later"), "jobs")
 * host_end.send_message(urgent, Coproc.MessageKind.NOREQUEST)
 *
 * first = worker_end.receive_message("jobs", -1, None)
 * print(first.get_payload().get_string(), first.get_priority())  # now 1.0
 * ```
 *
 * Threads: a message may be used in any thread, and in several at once.
 *
 * Since: 1.0
 */

G_DEFINE_BOXED_TYPE (CoprocMessage, coproc_message, coproc_message_ref, coproc_message_unref)

/* --- memory --- */

/* Bytes of a block for several messages: some twenty small ones. One that is kept for long keeps it all. */
#define BLOCK_SIZE 4096
#define BLOCK_HEADER_SIZE 16
/* A block that is being filled is held by so many more than it has messages. */
#define POOL_HOLDS (1 << 30)

static char *
acquire (char *channel)
{
  return channel != NULL ? g_ref_string_acquire (channel) : NULL;
}

static CoprocMessageBlock *
block_new (gsize size, int n_holders, char *channel)
{
  CoprocMessageBlock *self = g_malloc (size);

  G_STATIC_ASSERT (sizeof *self <= BLOCK_HEADER_SIZE);
  self->channel = acquire (channel);
  g_atomic_int_set (&self->n_holders, n_holders);
  return self;
}

static void
block_free (CoprocMessageBlock *self)
{
  g_clear_pointer (&self->channel, g_ref_string_release);
  g_free (self);
}

/* Who holds a block alone stays alone: it would have to hand out another hold. */
void
coproc_message_block_release (gpointer data)
{
  CoprocMessageBlock *self = data;

  if (g_atomic_int_get (&self->n_holders) == 1 || g_atomic_int_dec_and_test (&self->n_holders))
    block_free (self);
}

void
coproc_message_pool_clear (CoprocMessagePool *pool)
{
  CoprocMessageBlock *block = g_steal_pointer (&pool->block);
  const int n_free = POOL_HOLDS - pool->n_messages;

  if (block != NULL && g_atomic_int_add (&block->n_holders, -n_free) == n_free)
    block_free (block);
}

static gpointer
pool_alloc (CoprocMessagePool *pool, gsize size, char *channel)
{
  gpointer place;

  if (pool->block == NULL || pool->used + size > BLOCK_SIZE)
    {
      coproc_message_pool_clear (pool);
      *pool = (CoprocMessagePool) { block_new (BLOCK_SIZE, POOL_HOLDS, channel), BLOCK_HEADER_SIZE, 0 };
    }
  place = (guint8 *) pool->block + pool->used;
  pool->used += size;
  pool->n_messages++;
  return place;
}

/* What a message of @inline_size bytes behind the structure lies in; @pool: (nullable): NULL for a block of its own */
static CoprocMessage *
message_alloc (CoprocMessagePool *pool, gsize inline_size, char *channel, CoprocMessageBlock **block)
{
  const gsize size = (sizeof (CoprocMessage) + inline_size + 15) & ~(gsize) 15;
  CoprocMessage *self;

  if (pool != NULL && size <= BLOCK_SIZE / 4)
    {
      self = pool_alloc (pool, size, channel);
      *block = pool->block;
    }
  else
    {
      *block = block_new (BLOCK_HEADER_SIZE + size, 1, channel);
      self = (gpointer) ((guint8 *) *block + BLOCK_HEADER_SIZE);
    }
  return self;
}

/* One that was made here: it is to be filled. */
static CoprocMessage *
message_new (void)
{
  CoprocMessageBlock *block;
  CoprocMessage *self = message_alloc (NULL, 0, NULL, &block);

  *self = (CoprocMessage) { .ref_count = 1, .block = block, .kind = COPROC_FRAME_NOREQUEST, .priority = INFINITY };
  return self;
}

static guint8 *
message_inline_data (CoprocMessage *self)
{
  return (guint8 *) (self + 1);
}

/**
 * coproc_message_new:
 * @payload: the payload; a floating reference is consumed
 *
 * Makes a message without a channel and without a priority of its own.
 *
 * Its priority reads +infinity; which one it travels with is decided by the messenger when it is
 * sent (see [vfunc@Coproc.Messenger.get_priority]).
 *
 * Returns: (transfer full): a new message
 *
 * Since: 1.0
 */
CoprocMessage *
coproc_message_new (GVariant *payload)
{
  CoprocMessage *self;

  g_return_val_if_fail (payload != NULL, NULL);

  self = message_new ();
  self->variant = g_variant_ref_sink (payload);
  self->size = g_variant_get_size (payload);
  return self;
}

/**
 * coproc_message_new_bytes:
 * @bytes: the bytes
 *
 * Makes a message whose payload is an `ay` of @bytes, which are not copied.
 *
 * It has no channel and no priority of its own, like that of [ctor@Coproc.Message.new].
 *
 * Returns: (transfer full): a new message
 *
 * Since: 1.0
 */
CoprocMessage *
coproc_message_new_bytes (GBytes *bytes)
{
  CoprocMessage *self;

  g_return_val_if_fail (bytes != NULL, NULL);

  self = message_new ();
  self->bytes = g_bytes_ref (bytes);
  self->data = g_bytes_get_data (bytes, &self->size);
  return self;
}

/**
 * coproc_message_new_full:
 * @payload: the payload; a floating reference is consumed
 * @channel: (nullable): the channel's name, %NULL for the default channel
 * @priority: the priority; lower goes first
 *
 * Makes a message with a channel and a priority.
 *
 * What cannot be sent, such as a priority that is not a number or an empty name, is refused by the
 * send and not here.
 *
 * Returns: (transfer full): a new message
 *
 * Since: 1.0
 */
CoprocMessage *
coproc_message_new_full (GVariant *payload, const char *channel, double priority)
{
  CoprocMessage *self;

  g_return_val_if_fail (payload != NULL, NULL);

  self = coproc_message_new (payload);
  self->channel = channel != NULL ? g_ref_string_new (channel) : NULL;
  self->explicit_priority = TRUE;
  self->priority = priority;
  return self;
}

CoprocMessage *
coproc_message_new_from_frame (CoprocMessagePool *pool, const CoprocFrame *frame, char *channel)
{
  const gboolean is_raw = frame->variant == NULL;
  const gboolean is_inline = is_raw && (frame->size <= COPROC_MESSAGE_INLINE_SIZE || frame->slab == NULL);
  CoprocMessageBlock *block;
  CoprocMessage *self = message_alloc (pool, is_inline ? frame->size : 0, channel, &block);

  self->ref_count = 1;
  self->kind = frame->kind;
  self->explicit_priority = TRUE;
  self->priority = frame->priority;
  self->serial = frame->serial;
  self->reply_serial = frame->reply_serial;
  self->channel = channel == block->channel ? channel : acquire (channel);
  self->data = !is_raw ? NULL : is_inline ? message_inline_data (self) : frame->data;
  self->size = frame->size;
  self->block = block;
  self->variant = !is_raw ? g_variant_ref (frame->variant) : NULL;
  self->bytes = NULL;
  self->slab = is_raw && !is_inline ? coproc_slab_ref (frame->slab) : NULL;
  self->next = NULL;
  self->invocation = NULL;
  if (is_inline && frame->size > 0)
    memcpy (message_inline_data (self), frame->data, frame->size);
  return self;
}

/**
 * coproc_message_ref: (skip)
 * @self: a message
 *
 * Takes a reference.
 *
 * Threads: any.
 *
 * Returns: (transfer full): @self
 *
 * Since: 1.0
 */
CoprocMessage *
coproc_message_ref (CoprocMessage *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_int_inc (&self->ref_count);
  return self;
}

/**
 * coproc_message_unref: (skip)
 * @self: (transfer full): a message
 *
 * Drops a reference, and the message with the last one.
 *
 * Threads: any.
 *
 * Since: 1.0
 */
void
coproc_message_unref (CoprocMessage *self)
{
  g_return_if_fail (self != NULL);

  /* who has the only reference stays alone */
  if (g_atomic_int_get (&self->ref_count) != 1 && !g_atomic_int_dec_and_test (&self->ref_count))
    return;

  if (self->channel != NULL && self->channel != self->block->channel)
    g_ref_string_release (self->channel);
  g_clear_pointer (&self->variant, g_variant_unref);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->slab, coproc_slab_unref);
  g_clear_pointer (&self->invocation, coproc_invocation_unref);
  coproc_message_block_release (self->block);
}

/**
 * coproc_message_get_channel:
 * @self: a message
 *
 * Gets the name of the message's channel.
 *
 * Returns: (transfer none) (nullable): the name, %NULL for the default channel
 *
 * Since: 1.0
 */
const char *
coproc_message_get_channel (CoprocMessage *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->channel;
}

/**
 * coproc_message_get_priority:
 * @self: a message
 *
 * Gets the priority; lower goes first.
 *
 * Returns: the priority: of a received message the one that it was sent with, of one made without a
 *   priority +infinity
 *
 * Since: 1.0
 */
double
coproc_message_get_priority (CoprocMessage *self)
{
  g_return_val_if_fail (self != NULL, INFINITY);

  return self->priority;
}

/**
 * coproc_message_get_kind:
 * @self: a message
 *
 * Gets what the message is to the exchange it belongs to.
 *
 * A message that was made here reads %COPROC_MESSAGE_KIND_NOREQUEST: the send says what it becomes.
 *
 * Returns: the kind
 *
 * Since: 1.0
 */
CoprocMessageKind
coproc_message_get_kind (CoprocMessage *self)
{
  g_return_val_if_fail (self != NULL, COPROC_MESSAGE_KIND_NOREQUEST);

  if (self->kind == COPROC_FRAME_REQUEST)
    return COPROC_MESSAGE_KIND_REQUEST;
  if (self->kind == COPROC_FRAME_REPLY || self->kind == COPROC_FRAME_ERROR_REPLY)
    return COPROC_MESSAGE_KIND_REPLY;
  return COPROC_MESSAGE_KIND_NOREQUEST;
}

/**
 * coproc_message_get_serial:
 * @self: a message
 *
 * Gets the number that its sender gave the message.
 *
 * Returns: the serial, 0 for a message that was made here
 *
 * Since: 1.0
 */
guint64
coproc_message_get_serial (CoprocMessage *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->serial;
}

/**
 * coproc_message_get_reply_serial:
 * @self: a message
 *
 * Gets the serial of the request that the message answers.
 *
 * Returns: the serial, 0 for a message that is not a reply
 *
 * Since: 1.0
 */
guint64
coproc_message_get_reply_serial (CoprocMessage *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->reply_serial;
}
