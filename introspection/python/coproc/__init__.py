# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""Cooperating processes: the interface of coproc 0.2 and 0.3, on libcoproc.

    with coproc.WorkerResource(target) as worker:
        worker.messenger.send_request("hello")
        for reply in worker.messenger.receive_remaining():
            print(reply)

Payloads are any objects that pickle takes, and only what a process has sent that this package
has started itself, or was started by, is unpickled.
"""

import importlib

# Where each public name is: they are imported when they are first used.
_HOMES = {
    "exceptions": (
        "CoprocError",
        "LimitExceededError",
        "MemoryInfoNotAvailableError",
        "MessageNotRecognizedError",
        "MessengerClosedError",
        "RemoteError",
        "RemoteTraceback",
        "ResourceRequestedClose",
        "WorkerDiedError",
        "WorkerIsAlreadyAliveError",
        "WorkerIsAlreadyDeadError",
        "WorkerIsDeadError",
    ),
    "messages": (
        "ChannelID",
        "CloseRequestMessage",
        "DataMessage",
        "EncounteredErrorMessage",
        "Message",
        "MessageType",
        "RecvPayloadType",
        "SendPayloadType",
    ),
    "queues": ("MultiQueue", "PriorityMultiQueue", "PriorityQueue"),
    "messenger": ("MultiMessenger", "PriorityMessenger"),
    "worker_resource": ("BaseWorkerProcess", "LegacyWorkerResource", "WorkerResource"),
    "worker_resource_pool": ("WorkerResourcePool",),
    "pool": ("LazyPool", "Pool"),
}
_NAMES = {name: home for home, names in _HOMES.items() for name in names}
_LATER = (
    "Monitor MonitorMessage MonitorMessengerInterface MonitorWorkerProcess Note "
    "RequestSaveMemoryFigureMessage RequestStatsMessage Stat StatsDataMessage StatsResult "
    "SubmitNoteMessage UpdateChildProcessesMessage"
).split()

__all__ = sorted(_NAMES)


def __getattr__(name):
    if name in _NAMES:
        value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    if name in _LATER:
        raise AttributeError(f"coproc.{name} will come with libcoproc's own monitor; it is not here yet")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
