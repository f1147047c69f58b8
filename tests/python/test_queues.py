# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The queues for programs that want them by themselves."""

import math
import time

from dropin import Case, coproc, main


class Queues(Case):
    def test_priority_queue(self):
        queue = coproc.PriorityQueue()
        self.assertTrue(queue.empty())
        for item, priority in (("b", 2), ("a", 1), ("c", 2), ("last", math.inf), ("first", -1.5)):
            queue.put(item, priority)
        self.assertEqual(queue.size(), 5)
        self.assertEqual([queue.get() for _ in range(5)], ["first", "a", "b", "c", "last"])
        with self.assertRaisesRegex(IndexError, "Cannot pop from empty queue"):
            queue.get()

    def test_multi_queue(self):
        queue = coproc.MultiQueue()
        self.assertTrue(queue.empty("x"))
        self.assertEqual(queue.size("x"), 0)
        self.assertRaises(IndexError, queue.get, "x")
        queue.put(1, "x")
        queue.put(2, "x")
        queue.put(3, None)
        self.assertEqual((queue.size("x"), queue["x"].size(), queue.size()), (2, 2, 1))
        self.assertIn("x", queue)
        self.assertNotIn("y", queue)
        self.assertEqual([queue.get("x"), queue.get("x"), queue.get()], [1, 2, 3])

    def test_priority_multi_queue(self):
        queue = coproc.PriorityMultiQueue()
        self.assertIsInstance(queue, coproc.MultiQueue)
        self.assertEqual(repr(queue), "PriorityMultiQueue(queues={})")
        queue.put("low", 1, "x")
        queue.put("high", 0, "x")
        queue.put("other", 5, "y")
        self.assertEqual([queue.get("x"), queue.get("x"), queue.get("y")], ["high", "low", "other"])

    def test_M11_emptied_channels_go(self):
        queue = coproc.PriorityMultiQueue()
        for i in range(1000):
            queue.put(i, i, channel_id=i)
            self.assertEqual(queue.get(i), i)
        self.assertEqual(len(queue.queues), 0)

    def test_M12_distinct_priorities(self):
        queue = coproc.PriorityQueue()
        started = time.process_time()
        for i in range(100000):
            queue.put(i, (i * 7919) % 100003)
        self.assertLess(time.process_time() - started, 1.0)

    def test_M13_bad_priorities(self):
        queue = coproc.PriorityMultiQueue()
        for bad in (None, "1", [], object()):
            self.assertRaises(TypeError, queue.put, "item", bad, "x")
        for bad in (math.nan, 10**400):
            self.assertRaises(ValueError, queue.put, "item", bad, "x")
        self.assertEqual((queue.size("x"), "x" in queue), (0, False))


if __name__ == "__main__":
    main()
