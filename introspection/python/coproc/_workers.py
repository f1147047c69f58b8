# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""What all has in common that is several workers."""


class Workers:
    """Has `workers`, start() and terminate(): `with` starts them and ends them, `for` gives one after the other."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.terminate(check_alive=False)

    def __iter__(self):
        return iter(self.workers)
