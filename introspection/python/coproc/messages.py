# SPDX-License-Identifier: LGPL-2.1-or-later
# SPDX-FileCopyrightText: 2026 The libcoproc authors
"""The messages as the receiver sees them."""

import dataclasses
import enum
import math
import typing

ChannelID = typing.Hashable
SendPayloadType = typing.TypeVar("SendPayloadType")
RecvPayloadType = typing.TypeVar("RecvPayloadType")


class MessageType(enum.Enum):
    """What a message is."""

    DATA = enum.auto()
    CLOSE_REQUEST = enum.auto()
    ENCOUNTERED_ERROR = enum.auto()


class Message:
    """What all messages are; `mtype` says which."""


@dataclasses.dataclass
class DataMessage(Message):
    """A payload, and how it was sent."""

    payload: typing.Any
    request_reply: bool
    is_reply: bool
    channel_id: ChannelID = None
    mtype: MessageType = MessageType.DATA

    @property
    def priority(self):
        """That of the payload; what has none goes last."""
        return getattr(self.payload, "priority", math.inf)


@dataclasses.dataclass
class CloseRequestMessage(Message):
    """The other side wishes that this one ends; it is raised as ResourceRequestedClose."""

    mtype: MessageType = MessageType.CLOSE_REQUEST


@dataclasses.dataclass
class EncounteredErrorMessage(Message):
    """An exception of the other side; it is raised as what it is."""

    exception: BaseException
    mtype: MessageType = MessageType.ENCOUNTERED_ERROR
