/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * iceoryx by its binding for C: a topic in each direction, payloads in shared memory, which its daemon has made. They
 * are copied in, or filled in place. A side that waits sleeps on a wait set.
 */
#include "bench-harness.h"

#include "bench-util.h"

/* Its headers want to be read in this order. */
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/wait_set.h>
#include <iceoryx_binding_c/log.h>

#include <pwd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define MEMORY (64 << 20) /* bytes of all payloads, about */
#define MOST_QUEUED 256   /* its own limit */

typedef struct
{
  iox_pub_storage_t out_storage;
  iox_sub_storage_t in_storage;
  iox_ws_storage_t wait_storage;
  iox_pub_t out;
  iox_sub_t in;
  iox_ws_t wait;
  const void *latest;
} End;

static pid_t daemon_pid;
static size_t n_payloads;

static void
check (bool ok, const char *what)
{
  if (ok)
    return;
  fprintf (stderr, "iceoryx: %s\n", what);
  exit (1);
}

/* The daemon's process. */
static void
run_daemon (const char *config, int out)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  dup2 (out, STDOUT_FILENO);
  dup2 (out, STDERR_FILENO); /* what it reserves */
  execlp ("iox-roudi", "iox-roudi", "-m", "off", "-l", "off", "-c", config, NULL);
  _exit (127);
}

/* With memory for messages of this size; there can be only one daemon. */
static void
start_daemon (size_t size)
{
  char config[] = "/tmp/coproc-bench-XXXXXX", *line = NULL;
  int fd = mkstemp (config), out[2];
  size_t length = 0;
  FILE *lines;

  n_payloads = MEMORY / size > 1024 ? 1024 : MEMORY / size < 8 ? 8 : MEMORY / size;
  check (fd >= 0 && pipe2 (out, O_CLOEXEC) == 0, config);
  dprintf (fd, "[general]\nversion = 1\n[[segment]]\n[[segment.mempool]]\nsize = %zu\ncount = %zu\n", size + 64,
           n_payloads);
  close (fd);
  daemon_pid = fork ();
  if (daemon_pid == 0)
    run_daemon (config, out[1]);
  close (out[1]);
  lines = fdopen (out[0], "r"); /* stays open: it may say more */
  while (getline (&line, &length, lines) >= 0 && strstr (line, "ready for clients") == NULL)
    ;
  unlink (config);
  check (!feof (lines), "the daemon does not start");
  free (line);
}

/* Asked to end, it would end its clients, too: what it leaves behind is removed here. */
static void
end_daemon (void)
{
  static const char *const files[]
      = { "/tmp/roudi", "/tmp/roudi.lock", "/tmp/iox-unique-roudi.lock", "/tmp/coproc-bench-host",
          "/tmp/coproc-bench-host.lock", "/tmp/coproc-bench-peer", "/tmp/coproc-bench-peer.lock" };
  const struct passwd *user = getpwuid (geteuid ());

  kill (daemon_pid, SIGKILL);
  waitpid (daemon_pid, NULL, 0);
  shm_unlink ("/iceoryx_mgmt");
  if (user != NULL)
    shm_unlink (user->pw_name);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    unlink (files[i]);
}

static void *
open_end (bool host)
{
  End *self = calloc (1, sizeof *self);
  iox_pub_options_t pub_options;
  iox_sub_options_t sub_options;

  iox_set_loglevel (Iceoryx_LogLevel_Off);
  iox_runtime_init (host ? "coproc-bench-host" : "coproc-bench-peer");
  iox_pub_options_init (&pub_options);
  pub_options.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
  self->out = iox_pub_init (&self->out_storage, "coproc", "bench", host ? "there" : "back", &pub_options);
  iox_sub_options_init (&sub_options);
  sub_options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
  sub_options.queueCapacity = n_payloads / 4 > MOST_QUEUED ? MOST_QUEUED : n_payloads / 4;
  self->in = iox_sub_init (&self->in_storage, "coproc", "bench", host ? "back" : "there", &sub_options);
  self->wait = iox_ws_init (&self->wait_storage);
  iox_ws_attach_subscriber_event (self->wait, self->in, SubscriberEvent_DATA_RECEIVED, 1, NULL);
  while (!iox_pub_has_subscribers (self->out)
         || iox_sub_get_subscription_state (self->in) != SubscribeState_SUBSCRIBED)
    sched_yield ();
  return self;
}

static void
send_part (End *self, const void *data, size_t size, size_t filled)
{
  void *payload;

  check (iox_pub_loan_chunk (self->out, &payload, (uint32_t) size) == AllocationResult_SUCCESS, "no memory");
  memcpy (payload, data, filled);
  iox_pub_publish_chunk (self->out, payload);
}

static void
send_copy (void *end, const void *data, size_t size)
{
  send_part (end, data, size, size);
}

static void
send_in_place (void *end, const void *data, size_t size)
{
  send_part (end, data, size, BENCH_CONTROL);
}

static const void *
receive (void *end, size_t size)
{
  End *self = end;
  iox_notification_info_t information;
  uint64_t missed;

  if (self->latest != NULL)
    iox_sub_release_chunk (self->in, self->latest);
  while (iox_sub_take_chunk (self->in, &self->latest) != ChunkReceiveResult_SUCCESS)
    iox_ws_wait (self->wait, &information, 1, &missed);
  return self->latest;
}

int
main (int argc, char **argv)
{
  const BenchPeer peers[] = {
    { .name = "iceoryx", .prepare = start_daemon, .finish = end_daemon, .open = open_end, .send = send_copy,
      .receive = receive },
    { .name = "iceoryx-in-place", .prepare = start_daemon, .finish = end_daemon, .open = open_end,
      .send = send_in_place, .receive = receive, .touched = BENCH_CONTROL },
  };

  return bench_main (argc, argv, peers, sizeof peers / sizeof *peers);
}
