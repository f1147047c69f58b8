# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The names of the package, and what it costs to import it."""

import ast
import inspect
import os
import re
import subprocess
import sys

from dropin import ROOT, Case, coproc, main

NAMES = """
    PriorityMessenger MultiMessenger WorkerResource LegacyWorkerResource BaseWorkerProcess
    WorkerResourcePool Pool LazyPool PriorityQueue PriorityMultiQueue MultiQueue ChannelID Message
    MessageType DataMessage CloseRequestMessage EncounteredErrorMessage ResourceRequestedClose
    MessageNotRecognizedError WorkerIsAlreadyAliveError WorkerIsAlreadyDeadError WorkerIsDeadError
    MemoryInfoNotAvailableError SendPayloadType RecvPayloadType
""".split()


# What can be called, with the parameters and defaults of the original; of ours more may follow.
SIGNATURES = """
    PriorityMessenger.new_pair()
    PriorityMessenger.send_norequest(self, data, channel_id=None)
    PriorityMessenger.send_request(self, data, channel_id=None)
    PriorityMessenger.send_reply(self, data, channel_id=None)
    PriorityMessenger.send_data_message(self, payload, request_reply, is_reply, channel_id=None)
    PriorityMessenger.send_close_request(self)
    PriorityMessenger.send_error(self, exception, print_trace=True)
    PriorityMessenger.available(self, channel_id=None)
    PriorityMessenger.receive_available(self, channel_id=None)
    PriorityMessenger.receive_available_messages(self, channel_id=None)
    PriorityMessenger.receive_blocking(self, channel_id=None)
    PriorityMessenger.receive_message_blocking(self, channel_id=None)
    PriorityMessenger.receive_remaining(self, channel_id=None)
    PriorityMessenger.receive_remaining_messages(self, channel_id=None)
    PriorityMessenger.await_available(self)
    PriorityMessenger.pop_from_queue(self, channel_id=None)
    PriorityMessenger.remaining(self, channel_id=None)
    PriorityMessenger.replies_received(self, channel_id=None)
    PriorityMessenger.requests_sent(self, channel_id=None)
    PriorityMessenger.messages_sent(self, channel_id=None)
    PriorityMessenger.messages_received(self, channel_id=None)
    PriorityMessenger.queue_size(self, channel_id=None)
    PriorityMessenger.pipe_poll(self)
    WorkerResource(target, messenger_type=PriorityMessenger, method=None, _proc=None, _messenger=None)
    WorkerResource.start(self, **)
    WorkerResource.reset_process(self, **)
    WorkerResource.join(self, check_alive=True)
    WorkerResource.terminate(self, check_alive=True)
    WorkerResource.is_alive(self)
    WorkerResource.process_exists(self)
    WorkerResource.check_process_exists(self)
    LegacyWorkerResource(worker_process_type, messenger_type=PriorityMessenger, method=None, _proc=None, _messenger=None)
    WorkerResourcePool(workers, start_kwargs)
    WorkerResourcePool.new(n, worker_process_type, messenger_type=PriorityMessenger, **)
    WorkerResourcePool.start(self, **)
    WorkerResourcePool.set_start_kwargs(self, **)
    WorkerResourcePool.join(self)
    WorkerResourcePool.terminate(self, check_alive=True)
    WorkerResourcePool.is_alive(self)
    WorkerResourcePool.wait_until_dead(self)
    WorkerResourcePool.apply_to_workers(self, func)
    WorkerResourcePool.map_messages(self, data_iter, channel_id=None)
    Pool(n, verbose=False, messenger_type=MultiMessenger)
    Pool.start(self, **)
    Pool.map(self, func, datas)
    Pool.map_unordered(self, func, datas)
    Pool.update_user_func(self, func)
    LazyPool(n, verbose=False)
    LazyPool.map(self, func, datas, chunksize=1, channel_id=None)
    LazyPool.map_unordered(self, func, datas, chunksize=1, channel_id=None)
    LazyPool.wait_until_dead(self)
    LazyPool.is_alive(self)
    LazyPool.chunk_size_slice(n, chunk_size)
    PriorityQueue.put(self, item, priority)
    PriorityQueue.get(self)
    MultiQueue.put(self, item, channel_id)
    MultiQueue.get(self, channel_id)
    PriorityMultiQueue.put(self, item, priority, channel_id)
    DataMessage(payload, request_reply, is_reply, channel_id, mtype)
    BaseWorkerProcess(messenger)
""".split("\n")[1:-1]


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout


class Import(Case):
    def test_names(self):
        for name in NAMES:
            self.assertTrue(hasattr(coproc, name), name)
            self.assertIn(name, coproc.__all__)
            self.assertIn(name, dir(coproc))

    def test_all(self):
        scope = {}
        exec("from coproc import *", scope)
        self.assertLessEqual(set(NAMES), set(scope))

    def test_signatures(self):
        for line in map(str.strip, SIGNATURES):
            name, _, parameters = line[:-1].partition("(")
            value = coproc
            for part in name.split("."):
                value = getattr(value, part)
            ours = list(inspect.signature(value).parameters.values())
            for i, text in enumerate(filter(None, parameters.split(", "))):
                parameter, _, default = text.partition("=")
                with self.subTest(line, parameter=text):
                    if parameter == "**":
                        self.assertEqual(ours[-1].kind, ours[-1].VAR_KEYWORD)
                        continue
                    self.assertEqual(ours[i].name, parameter)
                    if default:
                        self.assertEqual(ours[i].default, getattr(coproc, default, None) or ast.literal_eval(default))
            with self.subTest(line):
                for more in ours[len(parameters.split(", ")) if parameters else 0:]:
                    self.assertIsNot(more.kind == more.VAR_KEYWORD or more.default, more.empty)

    def test_monitor_is_absent(self):
        self.assertFalse(hasattr(coproc, "Monitor"))
        with self.assertRaisesRegex(AttributeError, "monitor"):
            coproc.Monitor
        with self.assertRaises(ImportError):
            exec("from coproc import Monitor")
        with self.assertRaises(AttributeError):
            coproc.nonsense

    def test_base_exceptions(self):
        """Those of the original, which a worker's `except Exception` must not swallow."""
        for name in NAMES:
            if name.endswith("Error") or name == "ResourceRequestedClose":
                self.assertTrue(issubclass(getattr(coproc, name), BaseException), name)
                self.assertFalse(issubclass(getattr(coproc, name), Exception), name)
        self.assertEqual(str(coproc.ResourceRequestedClose()), "Resource requested that this process close.")

    def test_all_files_are_installed(self):
        folder = os.path.join(ROOT, "introspection", "python")
        with open(os.path.join(folder, "meson.build"), encoding="utf-8") as file:
            named = set(re.findall(r"'coproc/(.*?)'", file.read()))
        self.assertEqual(named, {name for name in os.listdir(f"{folder}/coproc") if name.endswith(".py")})

    def test_time(self):
        """Everything that a program with a worker needs, in less than 0.15 s of this process's time."""
        times = [
            float(
                run(
                    "import time; t = time.process_time(); import coproc; coproc.WorkerResource;"
                    "coproc.PriorityMessenger.new_pair(); print(time.process_time() - t)"
                )
            )
            for _ in range(3)
        ]
        self.assertLess(min(times), 0.15)

    def test_needs_only_pygobject(self):
        loaded = run(
            "import coproc, sys; coproc.WorkerResource, coproc.PriorityMessenger;"
            "print(*{name.partition('.')[0] for name in sys.modules})"
        ).split()
        for name in ("pandas", "numpy", "matplotlib", "psutil", "multiprocessing", "asyncio"):
            self.assertNotIn(name, loaded)


if __name__ == "__main__":
    main()
