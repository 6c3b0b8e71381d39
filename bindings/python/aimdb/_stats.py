# SPDX-License-Identifier: Apache-2.0
"""Statistics. Each is a snapshot that is consistent in itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from . import _structs as c

D = TypeVar("D")


@dataclass(frozen=True)
class ConsumerStats:
    """The account of a consumer or a reader (of a ring or latest value):
    offered = delivered + lagged + skipped + pending + abandoned."""

    offered: int  #: values it had to account for
    delivered: int  #: calls begun; of a reader: values returned
    lagged_events: int  #: how often it lagged
    lagged: int  #: values lost by lagging (ring)
    skipped: int  #: values outdated before they were seen (latest)
    pending: int  #: values waiting for it, also those in a batch of its own
    abandoned: int  #: values cut off by a close or unsubscribe
    failures: int  #: calls that raised an exception
    callback_ns: int  #: time in calls in nanoseconds, decoding included
    callback_max_ns: int  #: and the longest


@dataclass(frozen=True)
class RecordStats:
    """Of a record. Mailbox: produced = taken + overwritten + pending + abandoned."""

    produced: int  #: values enqueued
    rejected: int  #: by the producer function
    overwritten: int  #: mailbox: replaced before anyone took them
    taken: int  #: mailbox: taken by all readers ever
    pending: int  #: mailbox: 0 or 1
    abandoned: int  #: mailbox: cut off by close
    bytes: int  #: payload bytes enqueued
    readers: int  #: consumers and readers subscribed now
    memory: int  #: bytes taken
    producer_calls: int  #: of the producer function
    producer_ns: int  #: nanoseconds in it
    producer_max_ns: int  #: and the longest call


@dataclass(frozen=True)
class DatabaseStats:
    """Of a database."""

    records: int
    consumers: int  #: callback consumers of C
    readers: int  #: readers open; each consumer function of Python has one
    memory: int  #: bytes of all records
    door: str  #: "cgo" or "direct": how the hot path enters the core


def consumer(of: c.ConsumerStats, **instead: int) -> ConsumerStats:
    return _make(ConsumerStats, of, c.CONSUMER_COUNTS, instead)


def record(of: c.RecordStats) -> RecordStats:
    return _make(RecordStats, of, c.RECORD_COUNTS, {})


def _make(cls: type[D], of: Any, names: tuple[str, ...], instead: dict[str, int]) -> D:
    counts = {name: getattr(of, name) for name in names}
    return cls(**{**counts, **instead})
