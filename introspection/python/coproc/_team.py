# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Workers that start and end together."""

import threading


def for_each(function, items):
    """[function(item) for item in items], all at once; raises the first exception when all are done."""
    items = list(items)
    if len(items) < 2:
        return [function(item) for item in items]
    outcomes = [None] * len(items)

    def run(i):
        try:
            outcomes[i] = (function(items[i]), None)
        except BaseException as error:
            outcomes[i] = (None, error)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(len(items))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _, error in outcomes:
        if error is not None:
            raise error
    return [result for result, _ in outcomes]


class Team:
    """What pools have in common; `workers` is a list of workers."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.terminate(check_alive=False)

    def __iter__(self):
        return iter(self.workers)

    def __len__(self):
        return len(self.workers)

    def start(self, **start_kwargs):
        """Starts all workers, or none."""
        for worker in self.workers:
            worker._check_not_alive()
        try:
            for_each(lambda worker: worker.start(**start_kwargs), self.workers)
        except BaseException:
            self.terminate(check_alive=False)
            raise

    def join(self):
        """Asks all workers to end, and waits."""
        for_each(lambda worker: worker.join(), self.workers)

    def terminate(self, check_alive=True):
        """Ends all workers. WorkerIsAlreadyDeadError, if `check_alive`, when one had ended already."""
        for_each(lambda worker: worker.terminate(check_alive=check_alive), self.workers)

    def is_alive(self):
        """Whether all workers are alive."""
        return all(worker.is_alive() for worker in self.workers)
