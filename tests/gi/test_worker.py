# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Workers from Python."""

import gc
import os
import signal
import tempfile
import threading
import weakref

from coprocgi import Case, Coproc, Gio, GLib, SECOND, main, next_reply, number, open_fds, string
from coprocgi import turn, unpack, until


def is_running(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def has_child():
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return True
    except ChildProcessError:
        return False


class Worker(Case):
    def setUp(self):
        self.worker = Coproc.WorkerResource.new("echo", "echo")

    def tearDown(self):
        if self.worker is not None:
            self.worker.stop(SECOND)
        until(lambda: not has_child())

    def start(self):
        self.assertTrue(self.worker.start(None, None))
        return self.worker.get_messenger()

    def test_new(self):
        self.assertIsNone(self.worker.get_messenger())
        self.assertFalse(self.worker.is_alive())
        self.assertEqual(self.worker.get_pid(), 0)
        self.assertEqual(self.worker.props.state, Coproc.WorkerState.NEW)
        self.assertEqual(self.worker.props.mode, Coproc.WorkerMode.PROCESS)
        self.assertFails(Coproc.Error.NOT_ALIVE, self.worker.terminate)
        self.assertFails(Coproc.Error.NOT_ALIVE, self.worker.join, -1, None)
        self.assertTrue(self.worker.stop(SECOND))

    def test_echo(self):
        messenger = self.start()
        self.assertTrue(self.worker.is_alive())
        self.assertEqual(self.worker.props.state, Coproc.WorkerState.RUNNING)
        self.assertNotIn(self.worker.get_pid(), (0, os.getpid()))
        self.assertEqual(messenger.props.peer_pid, self.worker.get_pid())
        messenger.send_request_multiple([number(i) for i in range(50)], "jobs")
        got = []
        while True:
            reply = next_reply(messenger, "jobs")
            if reply is None:
                break
            got.append(unpack(reply))
        self.assertEqual(got, list(range(50)))
        self.assertEqual(unpack(messenger.call(string("x"), "c", -1)), "x")

    def test_launcher(self):
        launcher = Coproc.Launcher.new(["nice", "-n", "1"], Coproc.LauncherQuoting.ARGV, True, False)
        self.assertEqual(launcher.get_argv_prefix(), ["nice", "-n", "1"])
        self.assertEqual(launcher.get_quoting(), Coproc.LauncherQuoting.ARGV)
        self.assertTrue(launcher.get_passes_fds())
        self.assertFalse(launcher.get_kills_orphans())
        self.worker.props.launcher = launcher
        self.assertEqual(self.worker.props.launcher.get_argv_prefix(), ["nice", "-n", "1"])
        self.assertEqual(unpack(self.start().call(string("nice"), None, -1)), "nice")
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, self.worker.get_pid()),
                         os.getpriority(os.PRIO_PROCESS, 0) + 1)

    def test_launcher_stdio(self):
        script = 'echo "Welcome to nowhere"; eval "$0"'
        launcher = Coproc.Launcher.new(["sh", "-c", script], Coproc.LauncherQuoting.SHELL, False, False)
        for line in os.environ["COPROC_TEST_COMMANDS"].split(";"):
            with self.subTest(line):
                worker = Coproc.WorkerResource.new_for_command(line.split(" "))
                worker.props.launcher = launcher
                worker.props.heartbeat_timeout = 60 * SECOND
                worker.start(None, None)
                self.assertEqual(unpack(worker.get_messenger().call(string("x"), None, 30 * SECOND, None)), "x")
                self.assertTrue(worker.join(30 * SECOND, None))
                self.assertEqual(worker.get_exit_status(), 0)

    def test_launcher_missing(self):
        self.worker.props.launcher = Coproc.Launcher.new(["no-such-launcher"], Coproc.LauncherQuoting.ARGV,
                                                         True, False)
        self.assertFails(Coproc.Error.SPAWN, self.worker.start, None, None)
        self.worker.props.launcher = None
        self.start()

    def test_rlimits(self):
        self.worker.props.rlimits = GLib.Variant("a{st}", {"nofile": 99})
        self.assertEqual(unpack(self.worker.props.rlimits), {"nofile": 99})
        self.start()
        with open(f"/proc/{self.worker.get_pid()}/limits", encoding="ascii") as limits:
            self.assertRegex(limits.read(), r"Max open files +99 +99 ")
        self.worker.stop(SECOND)
        self.worker.props.rlimits = GLib.Variant("a{st}", {"tea": 1})
        self.assertFails(Coproc.Error.FAILED, self.worker.start, None, None)

    def test_fork(self):
        messenger = self.start()
        pid = os.fork()
        if pid == 0:
            try:
                messenger.call(string("x"), None, -1)
            except GLib.Error as error:
                if error.matches(Coproc.error_quark(), Coproc.Error.CLOSED) and not self.worker.is_alive():
                    self.worker = None
                    os._exit(7)
            os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7)
        self.assertEqual(unpack(messenger.call(string("x"), None, -1)), "x")

    def test_commands(self):
        for line in os.environ["COPROC_TEST_COMMANDS"].split(";"):
            with self.subTest(line):
                worker = Coproc.WorkerResource.new_for_command(line.split(" "))
                worker.start(GLib.Variant("a{sv}", {"code": GLib.Variant("i", 3)}), None)
                messenger = worker.get_messenger()
                self.assertEqual(messenger.props.peer_pid, worker.get_pid())
                reply = messenger.call(string("from Python"), "c", 30 * SECOND, None)
                self.assertEqual(unpack(reply), "from Python")
                self.assertTrue(worker.join(30 * SECOND, None))
                self.assertEqual(worker.get_exit_status(), 3)
                self.assertFails(Coproc.Error.CLOSED, messenger.receive_blocking, None)

    def test_connect_without_host(self):
        self.assertFails(Coproc.Error.FAILED, Coproc.worker_connect, Coproc.PriorityMessenger)

    def test_thread(self):
        self.worker.props.mode = Coproc.WorkerMode.THREAD
        messenger = self.start()
        self.assertEqual(self.worker.get_pid(), 0)
        self.assertEqual(messenger.props.peer_pid, os.getpid())
        reply = messenger.call(string("here"), "channel", 10 * SECOND, None)
        self.assertEqual(unpack(reply), "here")
        self.assertTrue(self.worker.stop(SECOND))
        self.assertEqual(self.worker.get_exit_status(), 0)
        self.assertFails(Coproc.Error.CLOSED, messenger.send_norequest, string("gone"), None)

    def test_stop(self):
        messenger = self.start()
        pid = self.worker.get_pid()
        self.assertTrue(self.worker.stop(5 * SECOND))
        self.assertTrue(self.worker.stop(5 * SECOND))
        self.assertFalse(self.worker.is_alive())
        self.assertFalse(is_running(pid))
        self.assertEqual(self.worker.props.state, Coproc.WorkerState.EXITED)
        self.assertEqual(self.worker.get_exit_status(), 0)
        self.assertEqual(self.worker.get_term_signal(), 0)
        self.assertEqual(self.worker.get_pid(), 0)
        self.assertFails(Coproc.Error.CLOSED, messenger.receive_blocking, None)

    def test_restart_properties(self):
        props = self.worker.props
        self.assertEqual(props.restart_policy, Coproc.RestartPolicy.NEVER)
        self.assertEqual((props.max_restarts, props.restart_window), (5, 30 * SECOND))
        self.assertEqual((props.ping_timeout, props.hang_timeout), (-1, -1))
        props.restart_policy = Coproc.RestartPolicy.ALWAYS
        props.max_restarts, props.restart_window = 7, -1
        props.ping_timeout, props.hang_timeout = SECOND, 2 * SECOND
        self.assertEqual(props.restart_policy, Coproc.RestartPolicy.ALWAYS)
        self.assertEqual((props.max_restarts, props.restart_window), (7, -1))
        self.assertEqual((props.ping_timeout, props.hang_timeout), (SECOND, 2 * SECOND))

    def test_restarted(self):
        told = []
        self.worker.props.restart_policy = Coproc.RestartPolicy.ON_FAILURE
        self.worker.props.max_restarts = 2
        self.worker.connect("restarted", lambda _, count: told.append(count))
        self.worker.connect("exited", lambda _, status, signum: told.append((status, signum)))
        messenger = self.start()
        for count in (1, 2):
            messenger.send_request(string("x"), "r")
            os.kill(self.worker.get_pid(), signal.SIGKILL)
            until(lambda: told[-1:] == [count])
            self.assertEqual(told[-2], (-1, signal.SIGKILL))
            old, messenger = messenger, self.worker.get_messenger()
            self.assertIsNot(old, messenger)
            self.assertEqual(messenger.requests_sent("r"), 0)
            self.assertEqual(old.requests_sent("r"), 1)
            self.assertEqual(unpack(messenger.call(string("y"), None, -1)), "y")

        os.kill(self.worker.get_pid(), signal.SIGKILL)
        until(lambda: not self.worker.is_alive())
        self.assertEqual(self.worker.props.state, Coproc.WorkerState.FAILED)
        self.assertFails(Coproc.Error.RESTART_LIMIT, messenger.receive_blocking, None)
        self.assertFails(Coproc.Error.RESTART_LIMIT, self.worker.join, -1, None)
        self.start()

    def test_stop_ends_restarts(self):
        self.worker.props.restart_policy = Coproc.RestartPolicy.ALWAYS
        exits = []
        self.worker.connect("exited", lambda *_: exits.append(self.worker.props.state))
        self.start()
        os.kill(self.worker.get_pid(), signal.SIGKILL)
        until(lambda: exits)
        self.assertTrue(self.worker.stop(0))
        self.assertFalse(self.worker.is_alive())
        self.assertEqual(self.worker.get_pid(), 0)

    def test_not_started(self):
        messenger = self.start()
        os.kill(self.worker.get_pid(), signal.SIGSTOP)
        messenger.send_request(string("x"), "r")
        os.kill(self.worker.get_pid(), signal.SIGKILL)
        self.assertFails(Coproc.Error.NOT_STARTED, next_reply, messenger, "r")
        self.assertIsNone(next_reply(messenger, "r"))

    def test_ping_timeout(self):
        self.worker.props.ping_timeout = SECOND
        messenger = self.start()
        os.kill(self.worker.get_pid(), signal.SIGSTOP)
        self.assertFails(Coproc.Error.WORKER_DIED, messenger.receive_blocking, None)
        until(lambda: not self.worker.is_alive())

    def test_join_keeps_replies(self):
        messenger = self.start()
        messenger.send_request_multiple([number(i) for i in range(5)], "j")
        # A close request overtakes what the worker has not received yet.
        until(lambda: messenger.available("j") == 5)
        self.assertTrue(self.worker.join(30 * SECOND, None))
        self.assertTrue(self.worker.join(30 * SECOND, None))
        got = [unpack(next_reply(messenger, "j")) for _ in range(5)]
        self.assertEqual(got, list(range(5)))
        self.assertIsNone(next_reply(messenger, "j"))

    def test_terminate(self):
        self.start()
        pid = self.worker.get_pid()
        self.assertTrue(self.worker.terminate())
        self.assertFalse(is_running(pid))
        self.assertFails(Coproc.Error.NOT_ALIVE, self.worker.terminate)

    def test_already_alive(self):
        self.start()
        self.assertFails(Coproc.Error.ALREADY_ALIVE, self.worker.start, None, None)

    def test_killed(self):
        messenger = self.start()
        pid = self.worker.get_pid()
        os.kill(pid, signal.SIGKILL)
        error = self.assertFails(Coproc.Error.WORKER_DIED, messenger.receive_blocking, None)
        self.assertIn(str(pid), error.message)
        self.assertIn("signal KILL", error.message)
        until(lambda: not self.worker.is_alive())
        self.assertEqual(self.worker.get_term_signal(), signal.SIGKILL)
        self.assertEqual(self.worker.get_exit_status(), -1)

    def test_killed_during_call(self):
        messenger = self.start()
        os.kill(self.worker.get_pid(), signal.SIGSTOP)
        codes = []

        def done(source, result):
            try:
                source.call_finish(result)
            except GLib.Error as error:
                codes.append(error)

        for _ in range(3):
            messenger.call_async(string("x"), None, -1, None, done)
        os.kill(self.worker.get_pid(), signal.SIGKILL)
        until(lambda: len(codes) == 3)
        turn()
        self.assertEqual(len(codes), 3)
        for error in codes:
            self.assertTrue(error.matches(Coproc.error_quark(), Coproc.Error.WORKER_DIED)
                            or error.matches(Coproc.error_quark(), Coproc.Error.NOT_STARTED))
            self.assertIn("signal KILL", error.message)

    def test_restart(self):
        first = self.start()
        first.send_request(string("x"), "r")
        pid = self.worker.get_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not self.worker.is_alive())
        second = self.start()
        self.assertIsNot(first, second)
        self.assertNotEqual(self.worker.get_pid(), pid)
        self.assertEqual(second.requests_sent("r"), 0)
        self.assertEqual(unpack(second.call(string("y"), "r", -1)), "y")

    def test_signals(self):
        exits, states = [], []
        self.worker.connect("exited", lambda w, status, term: exits.append((status, term)))
        self.worker.connect("notify::state", lambda w, p: states.append(w.props.state))
        self.start()
        self.worker.stop(5 * SECOND)
        until(lambda: exits)
        self.assertEqual(exits, [(0, 0)])
        until(lambda: states and states[-1] == Coproc.WorkerState.EXITED)

    def test_async(self):
        seen = []
        self.worker.start_async(None, None, lambda w, r: seen.append(w.start_finish(r)))
        until(lambda: seen)
        self.assertEqual(seen, [True])
        self.assertTrue(self.worker.is_alive())
        self.worker.join_async(30 * SECOND, None, lambda w, r: seen.append(w.join_finish(r)))
        until(lambda: len(seen) == 2)
        self.assertFalse(self.worker.is_alive())
        self.worker.stop_async(SECOND, None, lambda w, r: seen.append(w.stop_finish(r)))
        until(lambda: len(seen) == 3)
        self.assertEqual(seen, [True] * 3)

    def test_max_message_size(self):
        worker = Coproc.WorkerResource.new("echo", "echo")
        worker.props.max_message_size = 20 << 20
        worker.start(None, None)
        messenger = worker.get_messenger()
        self.assertEqual(messenger.props.max_message_size, 20 << 20)
        self.assertTrue(messenger.send_bytes(bytes(20 << 20), None))
        self.assertEqual(messenger.receive_message(None, -1, None).get_bytes().get_size(), 20 << 20)
        self.assertFails(Coproc.Error.TOO_LARGE, messenger.send_bytes, bytes((20 << 20) + 1), None)
        worker.stop(SECOND)

    def test_messenger_type(self):
        self.worker.props.messenger_type = Coproc.MultiMessenger
        self.assertIsInstance(self.start(), Coproc.MultiMessenger)

    def test_messenger_subclass(self):
        class Mine(Coproc.Messenger):
            def do_get_priority(self, payload):
                return True, float(unpack(payload))

        self.worker.props.messenger_type = Mine
        messenger = self.start()
        self.assertIsInstance(messenger, Mine)
        messenger.send_request_multiple([number(3), number(1), number(2)], "p")
        self.assertEqual(unpack(messenger.call(number(9), None, -1)), 9)
        got = [messenger.receive_message("p", -1) for _ in range(3)]
        self.assertEqual([m.get_priority() for m in got], sorted(m.get_priority() for m in got))

    def test_dropped(self):
        self.start()
        fds = open_fds()
        pid = self.worker.get_pid()
        reference = weakref.ref(self.worker)
        self.worker = None
        gc.collect()
        until(lambda: reference() is None)
        until(lambda: not is_running(pid))
        until(lambda: open_fds() < fds)

    def test_start_fails(self):
        for plugin, entry_point, code in (
            ("no-such-plugin", "echo", Coproc.Error.PLUGIN_NOT_FOUND),
            ("echo", "no-such-entry", Coproc.Error.PLUGIN_SYMBOL),
            ("/etc/passwd", "echo", Coproc.Error.PLUGIN_REFUSED),
        ):
            worker = Coproc.WorkerResource.new(plugin, entry_point)
            error = self.assertFails(code, worker.start, None, None)
            self.assertIn(entry_point if entry_point != "echo" else plugin, error.message)
            self.assertEqual(worker.props.state, Coproc.WorkerState.FAILED)
            self.assertFalse(worker.is_alive())

    def test_bad_arguments(self):
        with self.assertRaises(GLib.Error) as caught:
            self.worker.start(GLib.Variant("s", "not a dictionary"), None)
        self.assertEqual(caught.exception.domain, "coproc-error-quark")
        self.assertFalse(self.worker.is_alive())
        self.assertTrue(self.worker.start(GLib.Variant("a{sv}", {"any": number(1)}), None))

    def test_cancelled_start(self):
        cancellable = Gio.Cancellable()
        cancellable.cancel()
        self.assertCancelled(self.worker.start, None, cancellable)
        self.assertFalse(self.worker.is_alive())

    def test_environment(self):
        self.worker.props.environment = ["PATH=/usr/bin", "COPROC_TEST=1"]
        self.assertEqual(self.worker.props.environment, ["PATH=/usr/bin", "COPROC_TEST=1"])
        self.start()
        with open(f"/proc/{self.worker.get_pid()}/environ", "rb") as file:
            self.assertIn(b"COPROC_TEST=1", file.read().split(b"\0"))

    def test_thread_of_signals(self):
        """The signals come in the context of the construction, from whatever thread it is stopped."""
        seen = []
        self.worker.connect("exited", lambda *_: seen.append(threading.current_thread()))
        self.start()
        thread = threading.Thread(target=self.worker.stop, args=(5 * SECOND,))
        thread.start()
        thread.join()
        self.assertEqual(seen, [])
        until(lambda: seen)
        self.assertEqual(seen, [threading.main_thread()])


class Text(Case):
    def test_count(self):
        worker = Coproc.WorkerResource.new("text", "count")
        worker.start(None, None)
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("one two\nthree\n")
            file.flush()
            payload = GLib.Variant("a{sv}", {"path": string(file.name)})
            got = unpack(worker.get_messenger().call(payload, None, -1))
        self.assertEqual((got["lines"], got["words"], got["bytes"]), (2, 3, 14))
        missing = GLib.Variant("a{sv}", {"path": string("/no/such/file")})
        with self.assertRaises(GLib.Error) as caught:
            worker.get_messenger().call(missing, None, -1)
        self.assertIn("/no/such/file", caught.exception.message)
        self.assertTrue(worker.is_alive())
        worker.stop(SECOND)


class Plugins(Case):
    def test_list(self):
        plugins = Coproc.Plugin.list()
        self.assertIsInstance(plugins, Gio.ListModel)
        names = [plugin.get_name() for plugin in plugins]
        self.assertIn("echo", names)
        self.assertIn("text", names)

    def test_inspect(self):
        by_name = {plugin.get_name(): plugin for plugin in Coproc.Plugin.list()}
        echo = Coproc.Plugin.inspect(by_name["echo"].get_path())
        self.assertEqual(echo.get_name(), "echo")
        self.assertEqual(sorted(echo.get_entry_points()), ["echo", "identity", "sink"])
        self.assertTrue(echo.get_version())
        self.assertTrue(echo.get_description())
        self.assertTrue(echo.get_entry_point_description("sink"))
        self.assertIsNone(echo.get_entry_point_description("nothing"))

    def test_inspect_fails(self):
        self.assertFails(Coproc.Error.PLUGIN_REFUSED, Coproc.Plugin.inspect, "/etc/passwd")
        self.assertFails(Coproc.Error.PLUGIN_NOT_FOUND, Coproc.Plugin.inspect, "/no/such.so")


if __name__ == "__main__":
    main()
