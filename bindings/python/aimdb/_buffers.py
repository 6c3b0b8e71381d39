# SPDX-License-Identifier: Apache-2.0
"""The buffers a record can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Union


@dataclass(frozen=True)
class Ring:
    """Every value in order to every reader. A reader more than `capacity` values
    behind loses the oldest and is told exactly how many."""

    capacity: int = 1024
    code: ClassVar[int] = 0


@dataclass(frozen=True)
class Latest:
    """A reader sees the newest value, at most once. What it did not see before it
    was outdated is skipped, and counted."""

    capacity: ClassVar[int] = 1
    code: ClassVar[int] = 1


@dataclass(frozen=True)
class Mailbox:
    """One slot. A value is taken by exactly one reader; a new one overwrites an
    untaken one, which is counted."""

    capacity: ClassVar[int] = 1
    code: ClassVar[int] = 2


Buffer = Union[Ring, Latest, Mailbox]


def of(code: int, capacity: int) -> Buffer:
    if code == Ring.code:
        return Ring(capacity)
    return Latest() if code == Latest.code else Mailbox()
