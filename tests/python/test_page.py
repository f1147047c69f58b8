# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The examples of the page on messaging between processes, completed from its text: they print what it
shows. Each is a script without a guard, as the page has it.

The deliberate differences are listed in the page "From coproc 0.3".
"""

import os
import re

from dropin import ROOT, Case, main, run_script

HEAD = """
import sys
import coproc

import dataclasses
import time
"""

CHOOSING = """
@dataclasses.dataclass
class ExampleProcess:
    messenger: coproc.PriorityMessenger

    def __call__(self):
        print(f'process messenger: {self.messenger}')

worker = coproc.WorkerResource(
    worker_process_type =  ExampleProcess,
    messenger_type = coproc.PriorityMessenger,
)
with worker as w:
    print(f'resource messenger: {w.messenger}')
"""

CHANNELS = """
CHANNEL_A = 'channel_a'
CHANNEL_B = 'channel_b'

@dataclasses.dataclass
class EchoProcess1:
    messenger: coproc.PriorityMessenger
    def __call__(self):
        while True:
            print(f'awaiting messages')
            self.messenger.await_available()
            print(f'some messages were found')
            for data in self.messenger.receive_available(CHANNEL_A):
                self.messenger.send_norequest(data, CHANNEL_A)

            for data in self.messenger.receive_available(CHANNEL_B):
                self.messenger.send_norequest(data, CHANNEL_B)

with coproc.WorkerResource(EchoProcess1) as w:
    print(w.messenger.send_norequest('hello', channel_id=CHANNEL_A))
    print(w.messenger.send_norequest('hi', channel_id=CHANNEL_B))
    print(w.messenger.receive_blocking(CHANNEL_A))
    print(w.messenger.receive_blocking(CHANNEL_B))
"""

REQUESTS = """
class EchoProcess2(coproc.BaseWorkerProcess):
    def __call__(self):
        while True:
            data = self.messenger.receive_blocking()
            self.messenger.send_reply(data)

with coproc.WorkerResource(EchoProcess2) as w:

    print(f'sending {[w.messenger.send_request(i) for i in range(3)]}')
    for d in w.messenger.receive_remaining():
        print(f'received {d}')
"""

PRIORITIES = """
class PrintProcess(coproc.BaseWorkerProcess):
    def __call__(self):
        while True:
            for data in self.messenger.receive_available():
                print(data)

@dataclasses.dataclass
class HighPriorityMessage:
    text: str
    priority: int = 0 # lower is more improtant

@dataclasses.dataclass
class LowPriorityMessage:
    text: str
    priority: int = 1 # lower is more improtant

with coproc.WorkerResource(PrintProcess, coproc.PriorityMessenger) as w:
    for i in range(3):
        w.messenger.send_norequest(LowPriorityMessage(f'low {i}'))
        w.messenger.send_norequest(HighPriorityMessage(f'high {i}'))

    time.sleep(0.1) # wait for process to finish. Should I use join here?
"""

SPECIAL = """
class PrintProcess2(coproc.BaseWorkerProcess):
    def __call__(self):
        while True:
            try:
                message = self.messenger.await_available()
                results = self.messenger.receive_available()
            except coproc.ResourceRequestedClose as e:
                self.messenger.send_error(ValueError('process was closed successfully'))
                break # exits the process naturally
            for data in results:
                print(data)

with coproc.WorkerResource(PrintProcess2) as w:
    w.messenger.send_norequest('message 1')
    w.messenger.send_close_request()

    try:
        w.messenger.receive_blocking()
    except ValueError as e:
        print('successfully caught value error sent from process')

    time.sleep(0.1) # wait for process to finish. Should I use join here?
"""

SHOWN_MESSENGER = (
    r"PriorityMessenger\(pipe=<multiprocessing\.connection\.Connection object at 0x[0-9a-f]+>, "
    r"queue=PriorityMultiQueue\(queues=\{\}\), request_ctr=RequestCtr\(requests=Counter\(\), "
    r"replies=Counter\(\), sent=Counter\(\), received=Counter\(\)\)\)"
)

SHOWN_PRIORITIES = """\
HighPriorityMessage(text='high 0', priority=0)
HighPriorityMessage(text='high 1', priority=0)
HighPriorityMessage(text='high 2', priority=0)
LowPriorityMessage(text='low 0', priority=1)
LowPriorityMessage(text='low 1', priority=1)
LowPriorityMessage(text='low 2', priority=1)
"""


class Page(Case):
    def run_example(self, example):
        done = run_script(HEAD + example)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_choosing_a_messenger(self):
        done = self.run_example(CHOOSING)
        process, resource = sorted(done.stdout.splitlines())
        self.assertRegex(process, f"^process messenger: {SHOWN_MESSENGER}$")
        self.assertRegex(resource, f"^resource messenger: {SHOWN_MESSENGER}$")
        self.assertEqual(done.stderr, "")

    def test_channels(self):
        done = self.run_example(CHANNELS)
        # the worker may be awake for the first message before the second is sent
        self.assertRegex(
            done.stdout,
            r"^(awaiting messages\nsome messages were found\n){1,2}awaiting messages\nNone\nNone\nhello\nhi\n$"
            r"|^None\nNone\nhello\nhi\n(awaiting messages\nsome messages were found\n){1,2}awaiting messages\n$",
        )
        self.assertEqual(done.stderr, "")

    def test_requests(self):
        done = self.run_example(REQUESTS)
        self.assertEqual(done.stdout, "sending [None, None, None]\nreceived 0\nreceived 1\nreceived 2\n")
        self.assertEqual(done.stderr, "")

    def test_priorities(self):
        """What the worker prints depends on how much of it has come when it looks; that is the page's."""
        for _ in range(5):
            done = self.run_example(PRIORITIES)
            self.assertEqual(done.stderr, "")
            self.assertEqual(sorted(done.stdout.splitlines()), SHOWN_PRIORITIES.splitlines())
            if done.stdout == SHOWN_PRIORITIES:
                return
        self.fail(f"five times in another order, at last {done.stdout}")

    def test_special_messages(self):
        done = self.run_example(SPECIAL)
        self.assertIn("successfully caught value error sent from process\n", done.stdout)
        self.assertIn("Traceback (most recent call last):\n", done.stderr)
        self.assertIn("ResourceRequestedClose: Resource requested that this process close.\n", done.stderr)
        self.assertNotIn("process was closed successfully", done.stderr)


class Pages(Case):
    """The programs in our own pages run, and print what the pages say."""

    def run_blocks(self, page, *outputs):
        with open(os.path.join(ROOT, "introspection", "pages", page), encoding="utf-8") as file:
            text = file.read()
        blocks = re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)
        self.assertEqual(len(blocks), len(outputs))
        for block, output in zip(blocks, outputs):
            done = run_script(block)
            self.assertEqual((done.stdout, done.stderr), (output, ""))
            for line in output.splitlines():
                self.assertIn(f"`{line}`", text)

    def test_from_multiprocessing(self):
        self.run_blocks("from-multiprocessing.md", "42\n", "42\n", "[0, 1, 4, 9, 16]\n500500\n")

    def test_from_coproc(self):
        self.run_blocks("from-coproc-0.3.md", "hello\nhellohello\n")


if __name__ == "__main__":
    main()
