/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The Vala binding is usable: messengers (a pair, a signal, an error, a subclass), workers (asynchronous calls,
 * a death), pools (maps, an operation, a task).
 */

class Fixed : Coproc.Messenger {
  public override bool get_priority (GLib.Variant payload, out double priority) throws GLib.Error {
    priority = 2.5;
    return true;
  }
}

void test_messenger () {
  Coproc.Messenger worker_end, host_end;
  var loop = new MainLoop ();
  var got = "";

  try {
    Coproc.Messenger.new_pair (typeof (Fixed), out worker_end, out host_end);
    host_end.send_request ("ping", "vala");
    var request = worker_end.receive_message ("vala", -1, null);
    assert (request.get_priority () == 2.5);
    assert (request.get_payload ().get_string () == "ping");
    worker_end.reply (request, "pong");
    assert (host_end.receive_remaining ("vala", null).get_string () == "pong");

    worker_end.message["news"].connect ((message) => {
      got = message.get_payload ().get_string ();
      loop.quit ();
    });
    worker_end.listen ("news");
    host_end.send_norequest ("hello", "news");
    loop.run ();
    assert (got == "hello");
  } catch (GLib.Error error) {
    GLib.error ("%s", error.message);
  }

  try {
    worker_end.receive_message ("empty", 0, null);
    assert_not_reached ();
  } catch (Coproc.Error.TIMED_OUT error) {
  } catch (GLib.Error error) {
    GLib.error ("%s", error.message);
  }
}

async void work () throws GLib.Error {
  var worker = new Coproc.WorkerResource ("echo", "echo");
  yield worker.start_async (null, null);
  var reply = yield worker.get_messenger ().call_async (42, null, -1, null);
  assert (reply.get_int32 () == 42);
  yield worker.stop_async (1000000, null);
  assert (!worker.is_alive ());
}

void test_worker () {
  var loop = new MainLoop ();

  work.begin ((source, result) => {
    try {
      work.end (result);
    } catch (GLib.Error error) {
      GLib.error ("%s", error.message);
    }
    loop.quit ();
  });
  loop.run ();
}

void test_death () {
  var worker = new Coproc.WorkerResource ("echo", "echo");
  var loop = new MainLoop ();
  int signum = 0;

  worker.exited.connect ((code, how) => {
    signum = how;
    loop.quit ();
  });
  try {
    worker.start (null);
    Posix.kill (worker.get_pid (), Posix.Signal.KILL);
    worker.get_messenger ().call (42, null, -1);
    assert_not_reached ();
  } catch (Coproc.Error.WORKER_DIED error) {
  } catch (Coproc.Error.NOT_STARTED error) {
  } catch (GLib.Error error) {
    GLib.error ("%s", error.message);
  }
  loop.run ();
  assert (signum == Posix.Signal.KILL);
  assert (worker.state == Coproc.WorkerState.EXITED);
}

async void share () throws GLib.Error {
  var pool = new Coproc.WorkerPool ("echo", "identity", 2);
  GLib.Variant[] inputs = {};
  size_t index;
  int next = 0;

  for (int i = 0; i < 10; i++)
    inputs += new GLib.Variant.int32 (i);
  yield pool.start_async (null, null);
  assert (pool.state == Coproc.WorkerState.RUNNING);

  var results = pool.map (inputs, 0, null);
  assert (results.length == 10);
  for (int i = 0; i < 10; i++)
    assert (results[i].get_int32 () == i);

  var operation = pool.map_lazy (() => { return next < 5 ? new GLib.Variant.int32 (next++) : null; }, true, 0);
  GLib.Variant? result;
  int n = 0;
  while ((result = yield operation.next_async (null, out index)) != null) {
    assert (index == n && result.get_int32 () == n);
    n++;
  }
  assert (n == 5 && operation.n_done == 5);

  var reply = yield pool.submit_async ("task", 1.5, -1, null);
  assert (reply.get_string () == "task");
  yield pool.stop_async (1000000, null);
  assert (pool.state == Coproc.WorkerState.EXITED);
}

void test_pool () {
  var loop = new MainLoop ();

  share.begin ((source, result) => {
    try {
      share.end (result);
    } catch (GLib.Error error) {
      GLib.error ("%s", error.message);
    }
    loop.quit ();
  });
  loop.run ();
}

int main (string[] args) {
  Test.init (ref args);
  Test.add_func ("/coproc/vala/messenger", test_messenger);
  Test.add_func ("/coproc/vala/worker", test_worker);
  Test.add_func ("/coproc/vala/death", test_death);
  Test.add_func ("/coproc/vala/pool", test_pool);
  return Test.run ();
}
