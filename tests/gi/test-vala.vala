/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The Vala binding is usable: a pair, an asynchronous call, a signal, an error, a subclass.
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

int main (string[] args) {
  Test.init (ref args);
  Test.add_func ("/coproc/vala/messenger", test_messenger);
  Test.add_func ("/coproc/vala/worker", test_worker);
  return Test.run ();
}
