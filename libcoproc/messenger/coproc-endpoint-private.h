/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The engine of a messenger: one end of a connection, without GObject. Any thread may call it.
 *
 * A messenger owns one reference, the background source and each pending operation another, so that
 * what was sent is still written after the messenger is gone.
 *
 * Locks: write_lock and read_lock are never held together; `lock` may be taken inside either and
 * nothing is called out to while it is held.
 */
#pragma once

#include "messenger/coproc-messenger-private.h"
#include "messenger/coproc-pending-private.h"
#include "wire/coproc-fork-private.h"
#include "wire/coproc-shared-memory-private.h"
#include "wire/coproc-transport-private.h"
#include "wire/coproc-unix-private.h"

G_BEGIN_DECLS

typedef struct _CoprocEndpoint CoprocEndpoint;
typedef struct _CoprocOp CoprocOp;

typedef enum
{
  COPROC_ENDPOINT_NEW,     /* not connected yet */
  COPROC_ENDPOINT_OPEN,
  COPROC_ENDPOINT_ENDING,  /* the stream has ended without a goodbye; the verdict is awaited */
  COPROC_ENDPOINT_CLOSING, /* closed on this side; the rest of the output is being written */
  COPROC_ENDPOINT_ENDED,   /* over; end_error says why */
} CoprocEndpointState;

typedef struct _CoprocCall CoprocCall;

/* Calls that are done, in the order in which they came to be. (lock) */
typedef struct
{
  CoprocCall *first;       /* (nullable) */
  CoprocCall *last;        /* when there is a first one */
} CoprocDoneCalls;

/* A call() that waits for its own reply: on the caller's stack, in an operation or in a call set. (lock) */
struct _CoprocCall
{
  CoprocOp *op;            /* (nullable) the operation it belongs to, NULL: a blocked thread */
  CoprocDoneCalls *done_calls; /* (nullable) where it is added when it is done */
  CoprocCall *next_done;   /* (nullable) there */
  gboolean done;
  CoprocMessage *reply;    /* (nullable) (owned) */
  GError *error;           /* (nullable) (owned) */
};

/* A message about to be sent: the caller's. */
typedef struct
{
  CoprocFrameKind kind;
  gboolean owned;          /* payload is: see coproc_messenger_prepare_all() */
  const char *channel;     /* (nullable) */
  GVariant *payload;       /* (nullable) NULL: data */
  gconstpointer data;      /* raw bytes */
  gsize size;
  const GVariantType *type; /* of either; COPROC_RAW_TYPE for raw bytes */
  double priority;
  guint64 reply_serial;
  CoprocCall *call;        /* (nullable) who gets the reply */
  guint64 serial;          /* (out) */
  gpointer copy;           /* (nullable) coproc_endpoint_copy_payloads(): the data, in shared memory */
} CoprocOutgoing;

/* A blocked receive: on the caller's stack. (lock) */
typedef struct
{
  GError *special;         /* (nullable) (owned) what it must fail with */
  GList link;
} CoprocBlocked;

/* Something that may be in vain. */
typedef struct
{
  guint n_skip;            /* times that it is left out from now on */
  guint penalty;           /* how many they were at first */
} CoprocTrial;

/* What is told to the application in its own context. */
typedef enum
{
  COPROC_EVENT_ERROR,
  COPROC_EVENT_CLOSE_REQUESTED,
  COPROC_EVENT_CLOSED,
} CoprocEventKind;

typedef struct
{
  CoprocEventKind kind;
  GError *error;           /* (nullable) (owned) */
} CoprocEvent;

/* Watches whether the peer lives. (lock) */
typedef struct
{
  gint64 interval;         /* µs between two looks, 0: off */
  gint64 limit;            /* µs of silence */
  CoprocHeartMode mode;
  gint64 next;             /* when to look again, 0: not any more */
  gint64 heard_at;         /* when something had come in at the latest look, 0: nothing ever has */
  guint64 n_heard;         /* and how much had */
  CoprocSilenceFunc func;  /* (nullable) */
  gpointer data;
  GDestroyNotify notify;   /* (nullable) */
} CoprocHeartbeat;

#define COPROC_MAX_EVENTS 1024 /* errors not yet told; further ones are raised but not told */

struct _CoprocEndpoint
{
  gatomicrefcount ref_count;

  /* immutable after construction */
  gboolean by_priority;
  GMainContext *context;         /* where signals are emitted; immutable from connect() on */
  GWeakRef messenger;            /* thread-safe by itself */
  CoprocForkGuard guards[3];     /* thread-safe by themselves */

  /* set by connect(), immutable after it */
  CoprocTransportLink *transport;
  CoprocWakeup wakeup;           /* interrupts the thread that polls; `woken` guards it */

  /* (write_lock) */
  GMutex write_lock;
  GCond room;                    /* there may be room below the high-water mark, or the end has come */
  guint n_waiting_senders;
  guint64 last_serial;
  guint32 n_out_channels;
  CoprocChannel *last_target;    /* (nullable) the named channel that was sent on last */
  gboolean hello_sent;
  gboolean output_shut;
  gboolean output_lost;          /* it could not all be written */
  gboolean accepted_unwritten;   /* ACCEPTED frames are among what is unsent */
  guint64 high_water_mark;
  gint64 send_timeout;


  /* (read_lock) */
  GMutex read_lock;
  GPtrArray *in_channels;        /* CoprocChannel by the peer's number, [0] is the default */
  CoprocMessagePool message_pool;
  guint64 last_peer_serial;
  guint64 n_frames;              /* that have come in */
  gboolean got_hello;
  gboolean input_done;           /* GOODBYE, end of the stream, or a broken protocol */
  gboolean peer_is_remote;       /* (also read as an atomic) it has greeted from another process */

  /* (lock) */
  GMutex lock;
  CoprocEndpointState state;
  GError *end_error;             /* set when ENDED or CLOSING */
  GError *explanation;           /* (nullable) what those are told who come after the end */
  char *cut;                     /* (nullable) what the end of the stream has cut */
  gboolean peer_is_deaf;         /* it reads no more: the rest of the output is given up */
  gboolean input_shut;
  gboolean disowned;             /* it is the copy of another process's */
  gboolean close_requested;
  CoprocLimits limits;           /* what this side accepts */
  guint64 peer_shared_size;      /* bytes of shared memory that the peer has mapped, 0: none */
  guint n_unacked;               /* settings sent that the peer has not acknowledged: until then it may
                                    still go by older ones */
  CoprocLimits peer_limits;      /* what the peer accepts */
  int may_send;                  /* (read as an atomic, as the next two) it is OPEN or ENDING */
  gsize max_raw;                 /* the size of a payload that both sides accept: of bytes, */
  gsize max_variant;             /* and of what has another type */
  GVariant *peer_hello;          /* (nullable) a{sv} */
  int peer_pid;
  guint spin_time;
  guint64 emptied_at;            /* when the link was last seen empty by a receive, in ticks */
  int emptied_news;              /* and how much news of others this process had counted then */
  int own_news;                  /* (atomic) the part of the news that has come in here */

  GHashTable *channels;          /* name to CoprocChannel, the default one aside */
  CoprocChannel *default_channel;
  CoprocPending *pending;
  CoprocSharedMemory *status;    /* (nullable) (owned) tells which requests a worker has taken up */
  gboolean tells_status;         /* this side is the worker; FALSE: the host */
  GArray *accepted;              /* (nullable) guint64: serials that a worker without a page has taken up, and not
                                    told yet; that there is one never changes once it is set */
  gboolean peer_accepts;         /* the peer is a worker that tells by ACCEPTED frames */
  GHashTable *withdrawn;         /* (nullable) serials of requests that the peer has cancelled, still queued */
  GQueue refused;                /* (owned) CoprocInvocation links: those that are to be told so */
  GQueue ready;                  /* CoprocChannel links: unclaimed ones that have messages, in turn */
  guint64 queued_bytes;
  guint n_queued;
  GQueue claimed;                /* CoprocChannel links: claimed ones that have messages, in turn */
  GQueue specials;               /* GError: raised by the next receives */

  GCond arrived;                 /* for threads that wait while another one polls */
  guint n_waiting;               /* threads in arrived */
  GThread *poller;               /* (nullable) the one thread that waits for input */
  gboolean woken;                /* wakeup is signalled (set as an atomic: the poller reads it without the lock) */
  CoprocTrial spinning;          /* (poller) before it sleeps */
  CoprocTrial looking;           /* (poller) at once, before it spins */
  CoprocTrial lingering;         /* (poller) before it looks */
  gint64 crowded_until;          /* (poller) monotonic, µs: until then the processor is not offered to others; 0: it is */
  guint n_blocked;               /* threads that wait in either way */
  GQueue blocked;                /* CoprocBlocked links: those of them that are receives */
  GQueue parked;                 /* CoprocOp links: asynchronous sends that wait for room */
  GQueue calling;                /* CoprocOp links: asynchronous calls that await their reply */
  GQueue delivering;             /* CoprocOp links: done, their callback has not run yet */
  guint n_async;                 /* pending operations and claimed channels */

  CoprocEndFunc end_func;        /* (nullable) */
  gpointer end_data;
  GDestroyNotify end_notify;

  GQueue events;                 /* CoprocEvent */
  GSource *signal_source;        /* (nullable) on context, made with the first event */
  gboolean muted;                /* the messenger is gone: nothing is told any more */

  int watch_fd;                  /* -1, or an epoll of the input and of `notify` */
  CoprocWakeup notify;           /* readable while a watched channel has a message */
  gboolean notified;             /* it is readable */
  gboolean watch_any;            /* any message makes it readable: a receive call has given up */
  GPtrArray *hot;                /* CoprocChannel: those that make it readable */

  /* the background source (lock); see coproc-endpoint-source.c */
  GMainContext *io;              /* (nullable) set while this uses the background thread */
  GSource *source;
  gboolean watch_input;          /* until the stream has ended */
  gpointer input_tag;            /* (background thread) (nullable) */
  gpointer output_tag;           /* (background thread) (nullable) */
  gboolean has_unseen_input;     /* (background thread) polling the input would not tell of it */
  int input_events;              /* what the background polls the input for, see -source.c */
  gboolean polls_output;         /* it polls the output too */
  gboolean parked_input;         /* threads read for themselves: the background does not */
  gboolean sync_used;            /* a thread has, since the timer was last looked at */
  gboolean stalled;              /* the inbound queues are full: nobody reads */
  gboolean backlog;              /* (written under read_lock too) frames were left that have been read
                                    from the link: polling it would not tell of them */
  gboolean want_output;
  gint64 rearm_at;               /* when to look whether threads still read, 0: not set */
  int probe_expected;            /* (read as an atomic) probe_at is set */
  gint64 probe_at;               /* when to look whether the peer still reads, 0: not set */
  gint64 probe_delay;
  CoprocHeartbeat heart;         /* see -heartbeat.c */
};

CoprocEndpoint *coproc_endpoint_new        (gboolean by_priority);
CoprocEndpoint *coproc_endpoint_ref        (CoprocEndpoint *self);
void            coproc_endpoint_unref      (CoprocEndpoint *self);
/* Takes @transport. */
gboolean        coproc_endpoint_connect    (CoprocEndpoint *self, CoprocTransportLink *transport, GError **error);
void            coproc_endpoint_close      (CoprocEndpoint *self);
gboolean        coproc_endpoint_flush      (CoprocEndpoint *self, gint64 timeout_us, GError **error);
/* Before it is connected. */
void            coproc_endpoint_set_context (CoprocEndpoint *self, GMainContext *context);
gboolean        coproc_endpoint_settle     (CoprocEndpoint *self, const GError *reason);
void            coproc_endpoint_explain_end (CoprocEndpoint *self, const GError *reason);
void            coproc_endpoint_set_end_func (CoprocEndpoint *self, CoprocEndFunc func, gpointer data, GDestroyNotify notify);
GError         *coproc_endpoint_copy_end_error_locked (CoprocEndpoint *self);
gboolean        coproc_endpoint_is_over_locked (CoprocEndpoint *self); /* CLOSING or ENDED */
gboolean        coproc_endpoint_is_open_locked (CoprocEndpoint *self); /* OPEN or ENDING: messages may be sent */
/* Nothing can be sent any more: *error says why. Without the lock. */
gboolean        coproc_endpoint_is_over    (CoprocEndpoint *self, GError **error);
/* The channel of that name, made when it is not there. (lock) */
CoprocChannel  *coproc_endpoint_get_channel_locked (CoprocEndpoint *self, const char *name);
/* Wakes every thread that waits here. (lock) */
void            coproc_endpoint_wake_locked (CoprocEndpoint *self);

/* How a stream ends. */
typedef enum
{
  COPROC_END_GOODBYE,      /* the peer has closed it */
  COPROC_END_CUT,          /* it has just ended; the error, if any, tells what was cut */
  COPROC_END_BROKEN,       /* the peer broke the protocol, or the system failed */
} CoprocEnd;

/* Called once, under the read lock, when nothing more will be read. Returns: (nullable): what
 * coproc_endpoint_stream_ended() must be given, when no lock is held. */
CoprocEndFunc   coproc_endpoint_end_stream (CoprocEndpoint *self, CoprocEnd end, const GError *error);
/* @broken: (nullable): how the peer broke the protocol */
void            coproc_endpoint_stream_ended (CoprocEndpoint *self, CoprocEndFunc end_func, const GError *broken);
/* The output cannot be written any more: the peer reads nothing. Without a lock. */
void            coproc_endpoint_peer_deaf  (CoprocEndpoint *self);
/* Closes what is no longer used; without a lock. */
void            coproc_endpoint_tidy       (CoprocEndpoint *self);

/* --- coproc-endpoint-signals.c --- */

/* Adds an event and wakes the dispatcher. (lock) (transfer full) */
void            coproc_endpoint_tell_locked (CoprocEndpoint *self, CoprocEventKind kind, GError *error);
void            coproc_endpoint_wake_signals_locked (CoprocEndpoint *self);
/* What is to be told next, if anything: an event (FALSE: a message of a claimed channel). */
gboolean        coproc_endpoint_next_signal (CoprocEndpoint *self, CoprocEvent *event, CoprocMessage **message);
void            coproc_endpoint_listen     (CoprocEndpoint *self, const char *channel, gboolean claim);
/* No more signals: the messenger goes away. Without a lock. */
void            coproc_endpoint_mute       (CoprocEndpoint *self);

/* --- coproc-messenger*.c: the object around an endpoint --- */
CoprocEndpoint *coproc_messenger_get_endpoint  (CoprocMessenger *self);
void            coproc_messenger_install_properties (GObjectClass *object_class);
/* While it is constructed: unless a subclass has fixed it. */
void            coproc_messenger_set_discipline (CoprocMessenger *self, gboolean by_priority);
/* For the time of a call, during which its caller keeps what is not floating: (nullable) (transfer full) */
static inline GVariant *
coproc_messenger_sink_payload (GVariant *payload)
{
  return g_variant_is_floating (payload) ? g_variant_ref_sink (payload) : NULL;
}
gboolean        coproc_messenger_check_priority (double priority, GError **error); /* INVALID_PRIORITY */
gboolean        coproc_messenger_has_own_priorities (CoprocMessenger *self); /* overrides get_priority */
gboolean        coproc_messenger_find_priority (CoprocMessenger *self, GVariant *payload, double *priority, GError **error);
/* One outgoing message of @kind for each of @payloads, with its priority, checked. Takes floating payloads, until
 * coproc_messenger_drop_all(), which frees. NULL with error set. */
CoprocOutgoing *coproc_messenger_prepare_all   (CoprocMessenger *self, CoprocFrameKind kind, GVariant **payloads, gsize n, const char *channel, GError **error);
void            coproc_messenger_drop_all      (CoprocOutgoing *outgoing, gsize n);
/* Emits what is to be told, in the captured context. */
void            coproc_messenger_emit_signals (CoprocEndpoint *endpoint);

/* --- coproc-endpoint-source.c: the background thread's part --- */
gboolean        coproc_endpoint_source_attach (CoprocEndpoint *self, GError **error);
void            coproc_endpoint_source_detach (CoprocEndpoint *self); /* without a lock */
void            coproc_endpoint_source_update_locked (CoprocEndpoint *self);
void            coproc_endpoint_source_expect_probe_locked (CoprocEndpoint *self);
/* One of the times that the background waits for has changed. (lock) */
void            coproc_endpoint_source_update_timer_locked (CoprocEndpoint *self);
/* A thread reads for itself from now on / leaves. (lock) */
void            coproc_endpoint_enter_sync_locked (CoprocEndpoint *self);
void            coproc_endpoint_leave_sync_locked (CoprocEndpoint *self);
/* The background must read at once. (lock) */
void            coproc_endpoint_unpark_locked (CoprocEndpoint *self);

/* --- coproc-endpoint-fork.c --- */
void            coproc_endpoint_guard      (CoprocEndpoint *self);
void            coproc_endpoint_unguard    (CoprocEndpoint *self);

/* --- coproc-endpoint-heartbeat.c --- */
void            coproc_endpoint_set_heartbeat (CoprocEndpoint *self, gint64 interval_us, gint64 limit_us, CoprocHeartMode mode, CoprocSilenceFunc func, gpointer data, GDestroyNotify notify);
/* The background looks, if it is time. Without a lock. */
void            coproc_endpoint_watch_heart (CoprocEndpoint *self, gint64 now);
/* Says PING or PONG, unless the peer has something else still to read. Without a lock. */
void            coproc_endpoint_beat       (CoprocEndpoint *self, CoprocFrameKind kind);

/* --- coproc-endpoint-pump.c --- */
typedef enum
{
  COPROC_PUMP_NORMAL,      /* up to the inbound limits */
  COPROC_PUMP_WAITING,     /* up to twice these: somebody waits for a message */
  COPROC_PUMP_ALL,         /* whatever there is: no more can follow */
} CoprocPumpMode;

/* Takes in what the link has. Without a lock. Returns: how many frames came; the end is one */
gsize           coproc_endpoint_pump       (CoprocEndpoint *self, CoprocPumpMode mode);
/* The channel that the peer calls by @number. (read lock) NULL: it has never opened it */
CoprocChannel  *coproc_endpoint_get_in_channel (CoprocEndpoint *self, guint32 number, GError **error);
void            coproc_endpoint_set_ready_locked (CoprocEndpoint *self, CoprocChannel *channel);

/* --- coproc-endpoint-receive.c --- */

/* A peer in this very process can tell that a send has returned: its next receive must see it. */
void            coproc_endpoint_note_send  (CoprocEndpoint *self);
/* What comes in here may tell of a send on another link. */
void            coproc_endpoint_note_arrival (CoprocEndpoint *self);
/* Takes in what has just come, without waiting: at any rate, or, with @in_turn, unless that has been done
 * a moment ago. */
void            coproc_endpoint_look_locked (CoprocEndpoint *self, gboolean in_turn); /* (lock) given up meanwhile */
void            coproc_endpoint_look       (CoprocEndpoint *self); /* in turn; without a lock */

/* Which messages a receive is for. */
typedef enum
{
  COPROC_WANT_CHANNEL,     /* the next of the channel */
  COPROC_WANT_REMAINING,   /* the next of the channel while requests are outstanding on it */
  COPROC_WANT_ANY,         /* the next of any unclaimed channel */
  COPROC_WANT_PEEK,        /* none is taken: it is enough that one is there */
} CoprocWant;

/* The next message. @timeout_us -1: no limit, 0: do not wait. NULL without an error: a peek that
 * found one, or nothing remaining. */
CoprocMessage  *coproc_endpoint_receive    (CoprocEndpoint *self, CoprocWant want, const char *channel, gint64 timeout_us, GCancellable *cancellable, GError **error);
/* The next message and what is queued behind it, at most @max (not 0), up to an error reply. NULL on error. */
GPtrArray      *coproc_endpoint_receive_messages (CoprocEndpoint *self, const char *channel, gsize max, gint64 timeout_us, GCancellable *cancellable, GError **error);
/* All that is queued on the channel, up to an error reply. NULL on error. */
GPtrArray      *coproc_endpoint_receive_available (CoprocEndpoint *self, const char *channel, GError **error);
gssize          coproc_endpoint_available  (CoprocEndpoint *self, const char *channel, GError **error);
/* The channel to receive from. NULL with error set: no name, or it is listened to. (lock) */
CoprocChannel  *coproc_endpoint_find_channel_locked (CoprocEndpoint *self, const char *name, GError **error);
/* Takes the next message out of @channel, settling and counting; FALSE: none. *error: it is an error reply. */
gboolean        coproc_endpoint_pop_locked (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage **message, GError **error);
/* Whether a special message is to be raised, in a receive that waits (nullable) or in the next one. (lock) */
gboolean        coproc_endpoint_take_special_locked (CoprocEndpoint *self, CoprocBlocked *blocked, GError **error);

/* --- coproc-wait.c, see coproc-wait-private.h --- */

/* FALSE with COPROC_ERROR_LIMIT: the queues hold twice what they may, so nobody waits any longer. (lock) */
gboolean        coproc_endpoint_check_limit_locked (CoprocEndpoint *self, GError **error);

/* --- coproc-endpoint-watch.c --- */
int             coproc_endpoint_get_fd     (CoprocEndpoint *self);
gboolean        coproc_endpoint_poll       (CoprocEndpoint *self);
CoprocMessage  *coproc_endpoint_try_receive (CoprocEndpoint *self, const char *channel, GError **error);
void            coproc_endpoint_signal_watch_locked (CoprocEndpoint *self); /* get_fd() becomes readable */
void            coproc_endpoint_watch_any_locked (CoprocEndpoint *self); /* with the next message it does */
void            coproc_endpoint_watch_ended_locked (CoprocEndpoint *self); /* get_fd() stays readable */

/* --- coproc-endpoint-call.c --- */

/* Waits for a call that was sent. Returns: (transfer full): the reply */
CoprocMessage  *coproc_endpoint_await_call (CoprocEndpoint *self, CoprocCall *call, const char *channel, guint64 serial, gint64 deadline, GCancellable *cancellable, GError **error);
/* Whether a reply is awaited and would be seen; how many messages have come in. Takes in what is there. Without a lock. */
gboolean        coproc_endpoint_is_owed    (CoprocEndpoint *self, guint64 *n_messages);
/* Settles a call: (lock) (transfer full) both */
void            coproc_endpoint_complete_call_locked (CoprocEndpoint *self, CoprocCall *call, CoprocChannel *channel, CoprocMessage *reply, GError *error);
/* Gives up a call: its late reply will be dropped. Returns: FALSE: it is settled already. (lock) */
gboolean        coproc_endpoint_abandon_locked (CoprocEndpoint *self, guint64 serial, CoprocChannel *channel);
/* Settles a request, taken out of the pending ones, that no reply will come to. (lock) */
void            coproc_endpoint_lose_request_locked (CoprocEndpoint *self, CoprocPendingRequest *request, const GError *reason);
/* Whether requests of the channel were lost when the connection ended, and a receive has not told it yet: at
 * most once for those that may have been taken up, and once for those that were not. (lock) */
gboolean        coproc_endpoint_take_loss_locked (CoprocEndpoint *self, CoprocChannel *channel, GError **error);
/* A request has been popped. (lock) */
void            coproc_endpoint_owe_reply_locked (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage *request);
/* The cancellable of a popped request (transfer full). */
GCancellable   *coproc_endpoint_dup_cancellable (CoprocEndpoint *self, CoprocInvocation *invocation);
/* Nobody awaits a reply any more: the requests that are being worked on are told. Without a lock. */
void            coproc_endpoint_cancel_owed (CoprocEndpoint *self);
/* The requests at the head of @channel leave the queue: nobody will see them. (lock) */
void            coproc_endpoint_give_back_locked (CoprocEndpoint *self, CoprocChannel *channel);
/* A request that was cancelled has left the queue: nobody will see it. (lock) */
void            coproc_endpoint_refuse_locked (CoprocEndpoint *self, CoprocChannel *channel, CoprocMessage *request);
/* Answers those requests with NOT_STARTED. Without a lock. */
void            coproc_endpoint_send_refusals (CoprocEndpoint *self);
/* Takes what is owed for a request out, or puts it back after a failed send. (lock) */
CoprocInvocation *coproc_endpoint_take_invocation_locked (CoprocEndpoint *self, CoprocMessage *request, const char *channel, GError **error);
void            coproc_endpoint_return_invocation_locked (CoprocEndpoint *self, CoprocInvocation *invocation);

/* --- coproc-endpoint-accept.c --- */

/* What a worker and its host have to tell, and to learn, which requests were taken up. Once, before the
 * first of them. */
void            coproc_endpoint_set_status (CoprocEndpoint *self, CoprocSharedMemory *memory /* nullable */, gboolean is_worker);
/* A request of the peer leaves the queues, for code that is not the library's. (lock) */
void            coproc_endpoint_note_taken_locked (CoprocEndpoint *self, guint64 serial);
/* Whether @reason is a death that has come before the request was taken up. (lock) */
gboolean        coproc_endpoint_is_untouched_locked (CoprocEndpoint *self, const CoprocPendingRequest *request, const GError *reason);
/* Before anything that was received is given away, where `accepted` is set: tells the host what was taken up,
 * and returns when it is written. Without a lock. */
void            coproc_endpoint_tell_accepted (CoprocEndpoint *self);

/* --- coproc-endpoint-check.c --- */

/* --- coproc-endpoint-share.c --- */

/* Memory that is shared with the peer, to be filled. NULL: there is none. Without a lock. */
GBytes         *coproc_endpoint_alloc      (CoprocEndpoint *self, gsize size);
/* Copies payloads that go by shared memory there, so that nobody else's send waits meanwhile. Returns: whether there are
 * copies, to be released when the messages are sent. Without a lock. */
gboolean        coproc_endpoint_copy_payloads (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n, gint64 timeout_us);
void            coproc_endpoint_release_copies (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n);

/* The state or the limits have changed. (lock) */
void            coproc_endpoint_update_sending_locked (CoprocEndpoint *self);
/* What may be sent at all: channel and payloads. Sets data, size and type of the @n messages, which have
 * kind and channel in common. */
gboolean        coproc_endpoint_check      (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n, GError **error);
/* The parts of it: the name, each payload, and what is to be done before the largest of @size bytes is sent. */
gboolean        coproc_endpoint_check_name (const char *name, GError **error);
gboolean        coproc_endpoint_check_payload (CoprocOutgoing *outgoing, GError **error);
void            coproc_endpoint_expect_size (CoprocEndpoint *self, gsize size);
/* What may be sent now: the connection is open, and sizes and numbers are within the limits. Without the lock. */
gboolean        coproc_endpoint_check_limits (CoprocEndpoint *self, const CoprocOutgoing *outgoing, gsize n, GError **error);
/* The parts of that: for all, which takes no lock unless it fails, and for requests (lock). */
gboolean        coproc_endpoint_check_sizes (CoprocEndpoint *self, const CoprocOutgoing *outgoing, gsize n, GError **error);
gboolean        coproc_endpoint_check_requests_locked (CoprocEndpoint *self, gsize n, GError **error);

/* --- coproc-endpoint-send.c --- */

/* For a timeout: that of the endpoint. */
#define COPROC_SEND_TIMEOUT (-2)

/* Sends @n checked messages, all or none of which wait for room. */
gboolean        coproc_endpoint_send       (CoprocEndpoint *self, CoprocOutgoing *outgoing, gsize n, gint64 timeout_us, GCancellable *cancellable, GError **error);
/* Checks and sends one message; waits as long as the endpoint's send timeout. */
gboolean        coproc_endpoint_send_one   (CoprocEndpoint *self, CoprocOutgoing *outgoing, GError **error);
/* Checks the answer to @request, or to the oldest unanswered request of the message's channel, and sends it. A failed
 * send leaves it unanswered. */
gboolean        coproc_messenger_answer    (CoprocMessenger *self, CoprocMessage *request, CoprocOutgoing *outgoing, GError **error);
/* Sends at once when there is room, parks @op otherwise. */
void            coproc_endpoint_send_op    (CoprocEndpoint *self, CoprocOp *op);
/* Writes what the link takes; the write lock is held. TRUE: the peer will never read again. */
gboolean        coproc_endpoint_write_locked (CoprocEndpoint *self);
/* While a thread waits for room, the background reads, so that the peer can write. (write lock) @change +1, -1 */
void            coproc_endpoint_count_sender (CoprocEndpoint *self, int change);
/* Gives the write lock back, and drops what has been written. */
void            coproc_endpoint_unlock_output (CoprocEndpoint *self);
/* The background: writes on, lets parked sends go. Without a lock. */
void            coproc_endpoint_write_on   (CoprocEndpoint *self);

/* --- coproc-endpoint-control.c --- */

/* Sends a control frame: it never waits for room. */
gboolean        coproc_endpoint_send_control (CoprocEndpoint *self, const CoprocFrame *frame, GError **error);
gboolean        coproc_endpoint_send_error (CoprocEndpoint *self, GVariant *report, GError **error);
/* The reply to request @serial is not awaited any more; 0: requests of @channel that are queued there are to come back. */
void            coproc_endpoint_send_cancel (CoprocEndpoint *self, CoprocChannel *channel, guint64 serial);
void            coproc_endpoint_set_limits (CoprocEndpoint *self, const CoprocLimits *limits);
gboolean        coproc_endpoint_send_hello (CoprocEndpoint *self, GVariant *extra, GError **error);
GVariant       *coproc_endpoint_await_hello (CoprocEndpoint *self, gint64 timeout_us, GCancellable *cancellable, GError **error);

/* What the frames of one pass leave to be done when no lock is held. */
typedef struct
{
  guint n_acks;            /* settings of the peer to acknowledge */
  gboolean pinged;         /* the peer asks whether this side lives */
  gboolean greeted;        /* the peer has said what it shares */
  gboolean refuses;        /* requests that were not begun are to be answered with NOT_STARTED */
  GPtrArray *cancelled;    /* (nullable) (owned) cancellables to cancel */
} CoprocAftermath;

/* Does what a frame asks that is neither a message nor GOODBYE. (read lock) FALSE with error set: it breaks the
 * protocol */
gboolean        coproc_endpoint_handle_control (CoprocEndpoint *self, const CoprocFrame *frame, CoprocAftermath *after, GError **error);
void            coproc_endpoint_settle_aftermath (CoprocEndpoint *self, CoprocAftermath *after);

/* --- coproc-op.c --- */

/* Fails every pending receive operation, of all channels. (lock) Returns: whether there was one */
gboolean        coproc_endpoint_fail_receivers_locked (CoprocEndpoint *self, const GError *error);
/* Gives up every asynchronous call. (lock) */
void            coproc_endpoint_fail_calls_locked (CoprocEndpoint *self, const GError *error);

G_END_DECLS
