# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Nothing is left of what was dropped: objects, descriptors, threads, processes, memory.

A worker is an interpreter here, and takes a hundred times as long to start as one in C: there is one for ten
messengers, and one pool for a hundred.
"""

from dropin import coproc, main
from lifetime import N, LifetimeCase


def echo(messenger):
    while True:
        messenger.send_reply(messenger.receive_blocking())


class Lifetime(LifetimeCase):
    def test_messengers(self):
        def make():
            process, resource = coproc.MultiMessenger.new_pair()
            process.other, resource.other = resource, process
            resource.send_request(["?"], ("any", "channel"))
            process.send_reply(process.receive_blocking(("any", "channel")), ("any", "channel"))
            replies = resource.receive_remaining(("any", "channel"))
            self.assertEqual(next(replies), ["?"])
            resource.replies = replies  # a generator that is not at its end holds its messenger
            resource.send_norequest(bytes(1 << 17))
            self.assertEqual(len(process.receive_blocking()), 1 << 17)
            return process, resource

        self.repeat(make, N)

    def test_errors(self):
        def make():
            process, resource = coproc.PriorityMessenger.new_pair()
            try:
                raise KeyError("an exception holds the frames that it came through")
            except KeyError as error:
                process.send_error(error, print_trace=False)
            self.assertRaises(KeyError, resource.receive_blocking)
            process.close()
            self.assertRaises(BrokenPipeError, resource.receive_blocking)
            return process, resource

        self.repeat(make, N)

    def test_workers(self):
        def make():
            worker = coproc.WorkerResource(echo)
            worker.start()
            worker.messenger.owner = worker
            worker.messenger.send_request(b"x")
            self.assertEqual(list(worker.messenger.receive_remaining()), [b"x"])
            return worker, worker.messenger

        self.repeat(make, max(5, N // 10))

    def test_pools(self):
        def make():
            pool = coproc.Pool(1)
            pool.start()
            pool.me = pool
            factor = 3
            self.assertEqual(pool.map(lambda x: factor * x, range(5), chunksize=1), [0, 3, 6, 9, 12])
            pool.abandoned = pool.map_unordered(str, range(100))
            self.assertEqual(next(pool.abandoned), "0")
            return [pool]

        self.repeat(make, max(3, N // 100))


if __name__ == "__main__":
    main()
