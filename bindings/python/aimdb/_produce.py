# SPDX-License-Identifier: Apache-2.0
"""The hot path of producing: as few instructions of Python as can be."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, TypeVar, Union

from . import _producer
from ._library import released

if TYPE_CHECKING:
    from ._record import Record
    from ._send import Readable

T = TypeVar("T")


class Sizes(dict[int, ctypes.c_size_t]):
    """Sizes as ctypes wants them. Finding one is faster than making it."""

    def __missing__(self, size: int) -> ctypes.c_size_t:
        made = ctypes.c_size_t(size)
        if len(self) < 1024:
            self[size] = made
        return made


def make(record: Record[T]) -> Callable[[Union[T, Readable]], None]:
    """The record's `produce`, with what it needs at hand."""
    keep_gil, hand_over, asleep = record._produce, released.aimdb_produce, record._asleep
    handle, sizes, encode = ctypes.c_void_p(record._handle), Sizes(), record._encode
    produce_buffer, fail, wrong_type = record._produce_buffer, record._fail, ctypes.ArgumentError

    def produce(value: Any, /) -> None:
        """Gives a value to the record: runs its producer function, copies the bytes,
        wakes who waits. Never waits for a consumer.

        Args:
            value: bytes or any contiguous buffer (NumPy array, memoryview, ...), which
                is copied once, from where it is; with a codec what the codec takes.

        Raises:
            Rejected: by the producer function.
            Closed: the database is closing or closed.
            StateError: it is not started.
            SizeError: larger than `payload_max`, or not `exact_size`.
            CodecError: it does not fit the codec.
            DepthError: called more than 16 functions deep.
            NoMemoryError: for what its producer function may write; the value is not in.
        """
        if encode is not None:
            value = encode(value)
        try:
            call = hand_over if asleep else keep_gil
            status = call(handle, value, sizes[len(value)])
        except (TypeError, wrong_type):  # it is not bytes
            status = produce_buffer(value)
        if status:
            fail(status)

    _producer.callers.add(produce.__code__)
    return produce
