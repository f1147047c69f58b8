#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Python beside multiprocessing.Pipe, and beside Node's child_process where there is node.

    meson devenv -C build /usr/bin/python3 $PWD/tests/bench/bench-python.py [ROUNDS]

Two processes each, on one core each where there are two; both ends look at what they get. The rounds take
turns, and the table has their medians.
"""

import gc
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time

import gi

gi.require_version("Coproc", "1")
from gi.repository import Coproc  # noqa: E402

SMALL = 64
SIZES = {"64 KiB": 1 << 16, "1 MiB": 1 << 20, "16 MiB": 1 << 24, "64 MiB": 1 << 26}
LIMIT = 1 << 27
VALUE = {"name": "value", "number": 42, "list": [1, 2.5, None]}
ROUND_TRIPS = 4000
MESSAGES = 50000
BYTES = 1 << 28  # of a round with large payloads

NODE = """
const {fork} = require('child_process');
const small = Buffer.alloc(64);
if (process.send) {
  let wanted = 0;
  process.on('message', m => {
    if (typeof m === 'number') wanted = m;
    else if (wanted === 0) process.send(m);
    else if (--wanted === 0) process.send('done');
  });
} else {
  const peer = fork(__filename, [], {serialization: 'advanced'});
  const next = () => new Promise(resolve => peer.once('message', resolve));
  const spent = t => Number(process.hrtime.bigint() - t) / 1e9;
  (async () => {
    const result = {};
    peer.send(small); await next();
    let t = process.hrtime.bigint();
    for (let i = 0; i < 2000; i++) { peer.send(small); await next(); }
    result['round trip'] = spent(t) / 2000;
    const stream = async (data, n) => {
      const t = process.hrtime.bigint();
      peer.send(n);
      for (let i = 0; i < n; i++) peer.send(data);
      await next();
      return spent(t) / n;
    };
    result['one way'] = await stream(small, 20000);
    for (const size of [1 << 16, 1 << 20, 1 << 24, 1 << 26])
      result[size] = await stream(Buffer.alloc(size, 1), Math.max(2, (1 << 27) / size));
    console.log(JSON.stringify(result));
    peer.disconnect();
  })();
}
"""


# A child has the cores of who has started it, which is on one alone by then.
CORES = os.environ.setdefault("BENCH_CORES", ",".join(map(str, sorted(os.sched_getaffinity(0)))))


def pin(core):
    cores = [int(number) for number in CORES.split(",")]
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def touch(data):
    """Looks at the bytes: at the ends and between."""
    return data[0] + data[len(data) // 2] + data[-1]


# --- libcoproc ---

def coproc_peer(messenger):
    """Does what it is asked on the default channel."""
    pin(1)
    messenger.max_message_size = LIMIT
    for request in messenger.messages():
        what, n = request.payload
        if what == "pong":
            for _ in range(n):
                messenger.send_bytes(bytes(messenger.receive_message("data").bytes), "data")
        elif what == "answer":
            for _ in range(n):
                call = messenger.receive_message("data")
                messenger.reply(call, call.payload)
        elif what == "take":
            for _ in range(n):
                touch(messenger.receive_message("data").bytes)
        elif what == "count":
            while n > 0:
                messages = messenger.receive_messages("data")
                n -= len(messages)
                for message in messages:
                    touch(message.bytes)
        messenger.reply(request, "done")


class CoprocHost:
    def __init__(self):
        self.worker = Coproc.WorkerResource.for_callable(coproc_peer)
        self.worker.start()
        self.messenger = self.worker.messenger
        self.messenger.max_message_size = LIMIT
        self.messenger.call(("nothing", 0))

    def ask(self, what, n):
        self.messenger.send_request((what, n))

    def settle(self):
        assert list(self.messenger.receive_remaining()) == ["done"]

    def round_trip(self):
        data = bytes(SMALL)
        messenger = self.messenger
        self.ask("pong", ROUND_TRIPS)
        start = time.perf_counter()
        for _ in range(ROUND_TRIPS):
            messenger.send_bytes(data, "data")
            touch(messenger.receive_message("data").bytes)
        spent = time.perf_counter() - start
        self.settle()
        return spent / ROUND_TRIPS

    def value(self):
        call = self.messenger.call
        self.ask("answer", ROUND_TRIPS)
        start = time.perf_counter()
        for _ in range(ROUND_TRIPS):
            call(VALUE, "data")
        spent = time.perf_counter() - start
        self.settle()
        return spent / ROUND_TRIPS

    def one_way(self, size, n):
        data = b"\1" * size
        send = self.messenger.send_bytes
        start = time.perf_counter()
        self.ask("count" if size == SMALL else "take", n)
        for _ in range(n):
            send(data, "data")
        self.settle()
        return (time.perf_counter() - start) / n

    def close(self):
        self.worker.stop()


# --- multiprocessing.Pipe ---

def pipe_peer(connection):
    pin(1)
    while True:
        what, n = connection.recv()
        if what == "pong":
            for _ in range(n):
                connection.send_bytes(connection.recv_bytes())
        elif what == "answer":
            for _ in range(n):
                connection.send(connection.recv())
        elif what == "count":
            for _ in range(n):
                touch(connection.recv_bytes())
        else:
            return
        connection.send("done")


class PipeHost:
    def __init__(self):
        self.connection, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(target=pipe_peer, args=(theirs,))
        self.process.start()

    def settle(self):
        assert self.connection.recv() == "done"

    def round_trip(self):
        data = bytes(SMALL)
        connection = self.connection
        connection.send(("pong", ROUND_TRIPS))
        start = time.perf_counter()
        for _ in range(ROUND_TRIPS):
            connection.send_bytes(data)
            touch(connection.recv_bytes())
        spent = time.perf_counter() - start
        self.settle()
        return spent / ROUND_TRIPS

    def value(self):
        connection = self.connection
        connection.send(("answer", ROUND_TRIPS))
        start = time.perf_counter()
        for _ in range(ROUND_TRIPS):
            connection.send(VALUE)
            connection.recv()
        spent = time.perf_counter() - start
        self.settle()
        return spent / ROUND_TRIPS

    def one_way(self, size, n):
        data = b"\1" * size
        start = time.perf_counter()
        self.connection.send(("count", n))
        for _ in range(n):
            self.connection.send_bytes(data)
        self.settle()
        return (time.perf_counter() - start) / n

    def close(self):
        self.connection.send(("end", 0))
        self.process.join()


# --- Node ---

def run_node(rounds):
    """Seconds for each row, or nothing where there is no node."""
    node = shutil.which("node")
    if node is None:
        return {}
    path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"bench-node-{os.getpid()}.js")
    with open(path, "w", encoding="utf-8") as file:
        file.write(NODE)
    try:
        results = [json.loads(subprocess.run([node, path], check=True, capture_output=True, text=True).stdout)
                   for _ in range(rounds)]
    finally:
        os.unlink(path)
    return {name: statistics.median(result[name] for result in results) for name in results[0]}


# --- the table ---

def show(seconds, size):
    if seconds is None:
        return "–"
    if size is None:
        return f"{seconds * 1e6:.1f} µs"
    if size == SMALL:
        return f"{1e-3 / seconds:.0f} k/s"
    return f"{size / seconds / (1 << 20):.0f} MiB/s"


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    node = run_node(max(1, rounds // 2))
    pin(0)
    pipe, coproc = PipeHost(), CoprocHost()
    rows = [("64 B round trip, bytes", None, lambda host: host.round_trip(), "round trip"),
            ("round trip of a small dict", None, lambda host: host.value(), None),
            ("64 B one way", SMALL, lambda host: host.one_way(SMALL, MESSAGES), "one way")]
    for name, size in SIZES.items():
        n = max(4, min(BYTES // size, 2000))
        rows.append((f"{name} one way", size, lambda host, size=size, n=n: host.one_way(size, n), str(size)))
    print("| measurement | multiprocessing.Pipe | libcoproc | times faster | Node child_process |")
    print("|---|---|---|---|---|")
    for name, size, measure, peer in rows:
        seconds = {pipe: [], coproc: []}
        for _ in range(rounds):
            for host in seconds:
                gc.collect()
                seconds[host].append(measure(host))
        theirs, ours = (statistics.median(seconds[host]) for host in (pipe, coproc))
        print(f"| {name} | {show(theirs, size)} | {show(ours, size)} | {theirs / ours:.2f} × "
              f"| {show(node.get(peer), size)} |", flush=True)
    pipe.close()
    coproc.close()


if __name__ == "__main__":
    main()
