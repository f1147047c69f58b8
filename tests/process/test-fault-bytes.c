/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * Peers that send wrong bytes (faults A1 to A9 and A15), over bare pipes and as workers.
 */
#include "coproc-fault.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define FIRST "frame kind=norequest serial=1 data=text:one;"
#define MAX_MESSAGE "16777216" /* the default limit of a raw payload */

/* A script that follows the greeting, and the error that the next receive must raise. */
typedef struct
{
  const char *name;
  const char *script;
  int code; /* of COPROC_ERROR */
} Row;

static const Row rows[] = {
  /* A1: the announced length */
  { "A1/length-ffffffff", "frame kind=norequest serial=1 length=0xffffffff", COPROC_ERROR_TOO_LARGE },
  { "A1/length-limit-plus-1", "frame kind=norequest serial=1 length=16777257", COPROC_ERROR_TOO_LARGE },
  { "A1/variant-limit-plus-1", "frame kind=type type=1 data=text:s; frame kind=norequest serial=1 type=1 length=1048617",
    COPROC_ERROR_TOO_LARGE },
  { "A1/length-below-header", "frame kind=norequest serial=1 length=39", COPROC_ERROR_PROTOCOL },
  { "A1/length-1", "frame kind=norequest serial=1 length=1", COPROC_ERROR_PROTOCOL },
  /* A5: kinds, versions, fields, padding */
  { "A5/kind-0", "frame kind=0", COPROC_ERROR_PROTOCOL },
  { "A5/kind-99", "frame kind=99", COPROC_ERROR_PROTOCOL },
  { "A5/kind-255", "frame kind=255", COPROC_ERROR_PROTOCOL },
  { "A5/version-0", "frame kind=norequest serial=1 version=0", COPROC_ERROR_PROTOCOL },
  { "A5/version-2", "frame kind=norequest serial=1 version=2", COPROC_ERROR_PROTOCOL },
  { "A5/version-255", "frame kind=norequest serial=1 version=255", COPROC_ERROR_PROTOCOL },
  { "A5/padding", "frame kind=norequest serial=1 data=text:abc padding=1", COPROC_ERROR_PROTOCOL },
  { "A5/no-serial", "frame kind=norequest data=text:abc", COPROC_ERROR_PROTOCOL },
  { "A5/reply-serial-of-no-reply", "frame kind=norequest serial=1 reply=1", COPROC_ERROR_PROTOCOL },
  { "A5/priority-nan", "frame kind=norequest serial=1 priority=nan", COPROC_ERROR_PROTOCOL },
  { "A5/payload-of-goodbye", "frame kind=goodbye data=text:bye", COPROC_ERROR_PROTOCOL },
  { "A5/second-hello", "hello", COPROC_ERROR_PROTOCOL },
  { "A5/undeclared-channel", "frame kind=norequest serial=1 channel=1", COPROC_ERROR_PROTOCOL },
  { "A5/undeclared-type", "frame kind=norequest serial=1 type=1", COPROC_ERROR_PROTOCOL },
  { "A5/channel-out-of-turn", "frame kind=channel channel=2 data=text:c", COPROC_ERROR_PROTOCOL },
  { "A5/type-out-of-turn", "frame kind=type type=2 data=text:s", COPROC_ERROR_PROTOCOL },
  /* A6: names */
  { "A6/name-not-utf8", "frame kind=channel channel=1 data=hex:fffe", COPROC_ERROR_PROTOCOL },
  { "A6/name-overlong", "frame kind=channel channel=1 data=hex:61c08062", COPROC_ERROR_PROTOCOL },
  { "A6/name-surrogate", "frame kind=channel channel=1 data=hex:eda080", COPROC_ERROR_PROTOCOL },
  { "A6/name-nul", "frame kind=channel channel=1 data=hex:610062", COPROC_ERROR_PROTOCOL },
  { "A6/name-empty", "frame kind=channel channel=1", COPROC_ERROR_PROTOCOL },
  { "A6/name-too-long", "frame kind=channel channel=1 data=bytes:0x61*1025", COPROC_ERROR_PROTOCOL },
  /* A7: type strings */
  { "A7/empty", "frame kind=type type=1", COPROC_ERROR_PROTOCOL },
  { "A7/open", "frame kind=type type=1 data=text:(s", COPROC_ERROR_PROTOCOL },
  { "A7/closed", "frame kind=type type=1 data=text:)", COPROC_ERROR_PROTOCOL },
  { "A7/array-of-nothing", "frame kind=type type=1 data=text:a", COPROC_ERROR_PROTOCOL },
  { "A7/two", "frame kind=type type=1 data=text:ss", COPROC_ERROR_PROTOCOL },
  { "A7/key-not-basic", "frame kind=type type=1 data=text:a{vs}", COPROC_ERROR_PROTOCOL },
  { "A7/indefinite", "frame kind=type type=1 data=text:a*", COPROC_ERROR_PROTOCOL },
  { "A7/nul", "frame kind=type type=1 data=hex:7300", COPROC_ERROR_PROTOCOL },
  { "A7/nested-65", "frame kind=type type=1 data=hex:"
    "61616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161"
    "616161616161616161616161616161616161616161616173", COPROC_ERROR_PROTOCOL },
  { "A7/256-characters", "frame kind=type type=1 data=bytes:0x61*256", COPROC_ERROR_PROTOCOL },
  { "A7/1-mib", "frame kind=type type=1 data=bytes:0x61*1048576", COPROC_ERROR_PROTOCOL },
  /* A8: small payloads that are not in normal form */
  { "A8/boolean-2", "frame kind=type type=1 data=text:b; frame kind=norequest serial=1 type=1 data=hex:02",
    COPROC_ERROR_PROTOCOL },
  { "A8/wrong-size", "frame kind=type type=1 data=text:u; frame kind=norequest serial=1 type=1 data=hex:0102",
    COPROC_ERROR_PROTOCOL },
  { "A8/string-open", "frame kind=type type=1 data=text:s; frame kind=norequest serial=1 type=1 data=text:abc",
    COPROC_ERROR_PROTOCOL },
  { "A8/string-not-utf8", "frame kind=type type=1 data=text:s; frame kind=norequest serial=1 type=1 data=hex:ff00",
    COPROC_ERROR_PROTOCOL },
  { "A8/offsets", "frame kind=type type=1 data=text:as; frame kind=norequest serial=1 type=1 data=hex:6100ff",
    COPROC_ERROR_PROTOCOL },
  /* A9: depth */
  { "A9/variants-66", "frame kind=type type=1 data=text:v; frame kind=norequest serial=1 type=1 data=variants:66",
    COPROC_ERROR_PROTOCOL },
  { "A9/variants-128", "frame kind=type type=1 data=text:v; frame kind=norequest serial=1 type=1 data=variants:128",
    COPROC_ERROR_PROTOCOL },
  { "A9/variants-500000", "frame kind=type type=1 data=text:v; frame kind=norequest serial=1 type=1 data=variants:500000",
    COPROC_ERROR_PROTOCOL },
  /* A12: serials */
  { "A12/again", FIRST "frame kind=norequest serial=1", COPROC_ERROR_PROTOCOL },
  { "A12/backwards", FIRST "frame kind=norequest serial=9; frame kind=request serial=8", COPROC_ERROR_PROTOCOL },
  { "A12/wrap", FIRST "frame kind=request serial=18446744073709551615; frame kind=request serial=1",
    COPROC_ERROR_PROTOCOL },
  /* A15: channels */
  { "A15/channels-1025", "open 1025", COPROC_ERROR_LIMIT },
  { "A15/channels-1000000", "open 1000000", COPROC_ERROR_LIMIT },
};

static void
assert_row (const Row *row, CoprocMessenger *messenger)
{
  g_autoptr(GError) error = coproc_fault_receive_error (messenger);
  g_autoptr(GError) again = NULL;

  g_assert_error (error, COPROC_ERROR, row->code);
  g_assert_false (coproc_messenger_send_norequest (messenger, g_variant_new_int32 (1), NULL, &again));
  g_assert_error (again, COPROC_ERROR, row->code);
}

static void
test_row_pipes (gconstpointer data)
{
  const Row *row = data;
  g_autofree char *script = g_strdup_printf ("hello; read hello; %s; wait", row->script);
  guint64 rss = coproc_fault_get_rss ();
  CoprocFaultPeer peer;

  coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, script);
  assert_row (row, peer.messenger);
  g_assert_true (coproc_messenger_get_closed (peer.messenger));
  coproc_fault_assert_rss (rss, 8192);
  coproc_fault_peer_close (&peer);
}

/* The same verdict, however the stream is cut into reads. */
static void
test_row_chunked (gconstpointer data)
{
  const Row *row = data;
  const char *const chunks[] = { "1", "7", "41" };

  for (guint i = 0; i < G_N_ELEMENTS (chunks); i++)
    {
      g_autofree char *script = g_strdup_printf ("read hello; chunk %s; hello; %s; wait", chunks[i], row->script);
      CoprocFaultPeer peer;

      coproc_fault_peer_open (&peer, COPROC_TYPE_MULTI_MESSENGER, script);
      assert_row (row, peer.messenger);
      coproc_fault_peer_close (&peer);
    }
}

/* As a worker: it is killed. */
static void
test_row_worker (gconstpointer data)
{
  const Row *row = data;
  g_autofree char *script = g_strdup_printf ("hello; read hello; %s; pause", row->script);
  CoprocWorkerResource *worker = coproc_fault_new_raw ();
  g_autoptr(GError) error = NULL;

  g_assert_true (coproc_fault_start_raw (worker, script, &error));
  g_assert_no_error (error);
  assert_row (row, coproc_worker_resource_get_messenger (worker));
  coproc_fault_await_end (worker, 0);
  g_assert_cmpint (coproc_worker_resource_get_term_signal (worker), ==, SIGKILL);
  coproc_fault_release (worker);
}

/* A message before the greeting. */
static void
test_no_hello (void)
{
  static const Row row = { "", "", COPROC_ERROR_PROTOCOL };
  CoprocWorkerResource *worker = coproc_fault_new_raw ();
  g_autoptr(GError) error = NULL;
  CoprocFaultPeer peer;

  coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, "read hello;" FIRST "wait");
  assert_row (&row, peer.messenger);
  coproc_fault_peer_close (&peer);

  g_assert_false (coproc_fault_start_raw (worker, FIRST "pause", &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
  coproc_fault_release (worker);
}

/* A1: quick, and without memory of the announced size. */
static void
test_length_cost (void)
{
  const gint64 limit = 50000;
  gint64 best = G_MAXINT64;
  guint64 peak;

  for (guint i = 0; i < 5; i++)
    {
      CoprocFaultPeer peer;
      g_autoptr(GError) error = NULL;
      gint64 start;

      coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER,
                              "read hello; hello; frame kind=norequest serial=1 length=0xfffffff8; wait");
      peak = coproc_test_get_status ("VmHWM");
      start = g_get_monotonic_time ();
      error = coproc_fault_receive_error (peer.messenger);
      best = MIN (best, g_get_monotonic_time () - start);
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_TOO_LARGE);
      g_assert_cmpuint (coproc_test_get_status ("VmHWM"), <, peak + 1024);
      coproc_fault_peer_close (&peer);
    }
  g_assert_cmpint (best, <, coproc_fault_limit (limit));
}

/* A2: memory grows with what has arrived, not with what was announced. */
static void
test_announced (void)
{
  enum { N_PEERS = 100 };
  const guint8 header[40] = { 0x28, 0, 0, 1, 1, 6, [16] = 1 }; /* 16 MiB of payload to come */
  CoprocMessenger *messengers[N_PEERS];
  int out[N_PEERS], back[N_PEERS];
  guint64 rss = 0;

  for (guint i = 0; i < N_PEERS; i++)
    {
      g_autoptr(GError) error = NULL;
      int fds[2], other[2];

      if (i == 1)
        rss = coproc_fault_get_rss ();
      g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
      g_assert_cmpint (pipe2 (other, O_CLOEXEC), ==, 0);
      messengers[i] = coproc_messenger_new_for_fds (COPROC_TYPE_MULTI_MESSENGER, fds[0], other[1], &error);
      g_assert_no_error (error);
      out[i] = fds[1];
      back[i] = other[0];
      g_assert_cmpint (write (out[i], header, sizeof header), ==, sizeof header);
      g_assert_cmpint (coproc_messenger_available (messengers[i], NULL, &error), ==, 0);
      g_assert_no_error (error);
    }
  coproc_fault_assert_rss (rss, N_PEERS * 128);
  for (guint i = 0; i < N_PEERS; i++)
    {
      close (out[i]);
      close (back[i]);
      coproc_test_finalize (messengers[i]);
    }
}

/* A2: a greeting that trickles in is not waited for. */
static void
test_drip (void)
{
  CoprocWorkerResource *worker = coproc_fault_new_raw ();
  g_autoptr(GError) error = NULL;
  gint64 start = g_get_monotonic_time ();

  g_object_set (worker, "start-timeout", (gint64) 200000, NULL);
  g_assert_false (coproc_fault_start_raw (worker, "drip; hello; pause", &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_HANDSHAKE_TIMEOUT);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 200000);
  g_assert_false (coproc_worker_resource_is_alive (worker));
  coproc_fault_release (worker);
}

/* A3: three frames of 48 bytes, cut at every offset. What came whole is delivered, then the end is
 * told. */
#define THREE                                                                                      \
  "frame kind=norequest serial=1 data=text:1; frame kind=norequest serial=2 data=text:2;"          \
  "frame kind=norequest serial=3 data=text:3;"
#define FRAME_SIZE 48

static void
assert_cut (CoprocMessenger *messenger, guint offset, const char *cause, GPid pid)
{
  g_autoptr(GError) error = NULL;

  for (guint i = 0; i < offset / FRAME_SIZE; i++)
    {
      g_autoptr(GVariant) payload
        = coproc_messenger_receive_blocking (messenger, NULL, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_variant_n_children (payload), ==, 1);
    }
  g_assert_null (coproc_messenger_receive_blocking (messenger, NULL, NULL, &error));
  g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
  if (cause != NULL)
    coproc_fault_assert_died (error, pid, cause);
  if (offset % FRAME_SIZE != 0)
    {
      g_autofree char *cut = g_strdup_printf ("%u", offset % FRAME_SIZE);

      g_test_message ("%u bytes: %s", offset, error->message);
      g_assert_nonnull (strstr (error->message, cut));
    }
}

static void
test_cut_pipes (gconstpointer data)
{
  const char *end = data;

  for (guint offset = 0; offset <= 3 * FRAME_SIZE; offset += coproc_test_is_slow () ? 7 : 1)
    {
      g_autofree char *script = g_strdup_printf ("hello; read hello; cut %u; " THREE "%s", offset, end);
      CoprocFaultPeer peer;

      coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, script);
      assert_cut (peer.messenger, offset, NULL, 0);
      coproc_fault_peer_close (&peer);
    }
}

/* A peer that has written everything and is gone before the messenger exists, often enough for the
 * background thread to see the end first. */
static void
test_gone_before (void)
{
  for (guint i = 0; i < coproc_test_scale_long (300, 3000); i++)
    {
      CoprocFaultPeer peer;

      coproc_fault_peer_open_late (&peer, COPROC_TYPE_PRIORITY_MESSENGER, "hello;" THREE "exit 0");
      assert_cut (peer.messenger, 3 * FRAME_SIZE, NULL, 0);
      coproc_fault_peer_close (&peer);
    }
}

static void
test_cut_hello (void)
{
  for (guint offset = 0; offset < 48; offset++)
    {
      g_autofree char *script = g_strdup_printf ("read hello; cut %u; hello; " THREE "exit 0", offset);
      g_autoptr(GError) error = NULL;
      CoprocFaultPeer peer;

      coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, script);
      g_assert_null (coproc_messenger_receive_blocking (peer.messenger, NULL, NULL, &error));
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_WORKER_DIED);
      coproc_fault_peer_close (&peer);
    }
}

static void
test_cut_worker (void)
{
  const guint offsets[] = { 0, 1, 39, 40, 47, 48, 49, 95, 96, 100, 143, 144 };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (offsets); i++)
    {
      const guint offset = offsets[i / 2];
      g_autofree char *script
        = g_strdup_printf ("hello; cut %u; " THREE "%s", offset, i % 2 == 0 ? "exit 5" : "kill 9");
      CoprocWorkerResource *worker = coproc_fault_new_raw ();
      g_autoptr(GError) error = NULL;
      GPid pid;

      g_assert_true (coproc_fault_start_raw (worker, script, &error));
      g_assert_no_error (error);
      g_object_get (coproc_worker_resource_get_messenger (worker), "peer-pid", &pid, NULL);
      assert_cut (coproc_worker_resource_get_messenger (worker), offset,
                  i % 2 == 0 ? "exit code 5" : "signal KILL", pid);
      coproc_fault_release (worker);
    }
}

/* A5: each reserved bit of the flags, and the one that is not. */
static void
test_flags (void)
{
  for (guint bit = 1; bit < 16; bit++)
    {
      g_autofree char *script
        = g_strdup_printf ("hello; read hello; frame kind=norequest serial=1 flags=%u; wait", 1u << bit);
      g_autoptr(GError) error = NULL;
      CoprocFaultPeer peer;

      coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, script);
      error = coproc_fault_receive_error (peer.messenger);
      g_assert_error (error, COPROC_ERROR, COPROC_ERROR_PROTOCOL);
      coproc_fault_peer_close (&peer);
    }
}

/* What must go through: a script, and the size of the one message that it brings. */
static void
assert_received (const char *script, const char *channel, gsize size)
{
  g_autofree char *full = g_strdup_printf ("hello; read hello; %s; wait", script);
  g_autoptr(GVariant) payload = NULL;
  g_autoptr(GError) error = NULL;
  CoprocFaultPeer peer;

  coproc_fault_peer_open (&peer, COPROC_TYPE_PRIORITY_MESSENGER, full);
  payload = coproc_messenger_receive_blocking (peer.messenger, channel, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_get_size (payload), ==, size);
  coproc_fault_peer_close (&peer);
}

static void
test_accepted (void)
{
  assert_received ("frame kind=200 flags=1 data=text:skipped;" FIRST, NULL, 3);
  assert_received ("repeat 100 frame kind=99 flags=1 channel=7 type=9 serial=1 data=bytes:1*999;" FIRST,
                   NULL, 3);
  assert_received ("frame kind=norequest serial=18446744073709551615 data=text:last", NULL, 4);
  assert_received ("frame kind=norequest serial=4294967294; frame kind=norequest serial=4294967296", NULL, 0);
  assert_received ("frame kind=norequest serial=1 data=bytes:3*" MAX_MESSAGE, NULL, 1 << 24);
  assert_received ("open 1024; frame kind=norequest serial=1 channel=1024 data=text:x", "c1024", 1);
  assert_received ("frame kind=type type=1 data=text:v; frame kind=norequest serial=1 type=1 data=variants:16",
                   NULL, 33);
}

int
main (int argc, char **argv)
{
  coproc_test_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *pipes = g_strdup_printf ("/coproc/fault-bytes/pipes/%s", rows[i].name);
      g_autofree char *chunked = g_strdup_printf ("/coproc/fault-bytes/chunked/%s", rows[i].name);
      g_autofree char *worker = g_strdup_printf ("/coproc/fault-bytes/worker/%s", rows[i].name);

      coproc_test_add_data (pipes, &rows[i], test_row_pipes);
      if (strstr (rows[i].script, "00") == NULL) /* the long ones would take long */
        coproc_test_add_data (chunked, &rows[i], test_row_chunked);
      coproc_test_add_data (worker, &rows[i], test_row_worker);
    }
  coproc_test_add ("/coproc/fault-bytes/A1/cost", test_length_cost);
  coproc_test_add ("/coproc/fault-bytes/A2/announced", test_announced);
  coproc_test_add ("/coproc/fault-bytes/A2/drip", test_drip);
  coproc_test_add_data ("/coproc/fault-bytes/A3/exit", "exit 0", test_cut_pipes);
  coproc_test_add_data ("/coproc/fault-bytes/A3/kill", "kill 9", test_cut_pipes);
  coproc_test_add ("/coproc/fault-bytes/A3/gone-before", test_gone_before);
  coproc_test_add ("/coproc/fault-bytes/A3/hello", test_cut_hello);
  coproc_test_add ("/coproc/fault-bytes/A3/worker", test_cut_worker);
  coproc_test_add ("/coproc/fault-bytes/A5/no-hello", test_no_hello);
  coproc_test_add ("/coproc/fault-bytes/A5/flags", test_flags);
  coproc_test_add ("/coproc/fault-bytes/A5/accepted", test_accepted);
  return g_test_run ();
}
