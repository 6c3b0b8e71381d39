# SPDX-License-Identifier: Apache-2.0
"""Memory for one receive of several values, and how it is cut into values."""

from __future__ import annotations

import ctypes
import struct
import time
from typing import Any, Callable

from . import _structs as c
from ._library import held, released

_BYTES = 1 << 18  # in a batch, but room for one value
_CHUNK = 32  # values of one size cut by one call
_SELDOM = 200_000  # nanoseconds between values that are worth a hand-over of the GIL
_FEW = 8  # values at once
_WORD = ctypes.sizeof(ctypes.c_size_t)
_SIZE = c.Message.__dict__["size"].offset // _WORD
_STEP = ctypes.sizeof(c.Message) // _WORD

_receive = held.aimdb_recv_batch
_wait = released.aimdb_recv_batch


class Batch:
    """Used by one thread at a time.

    Args:
        reader: the handle.
        payload_max: of the record; such a value always fits.
        most: values; 1 for single receives.
        asleep: of the record: who sleeps and wants the GIL when it is woken.
    """

    def __init__(self, reader: int, payload_max: int, most: int, asleep: set[Any]) -> None:
        slot = max(_packed(payload_max), 8)
        self.most = max(1, min(most, _BYTES // slot))
        self._memory: Any = ctypes.create_string_buffer(slot * self.most)
        self._view = memoryview(self._memory).cast("B")
        self._messages = (c.Message * self.most)()
        self._messages[0].struct_size = ctypes.sizeof(c.Message)
        words = memoryview(self._messages).cast("B").cast("L")  # "L" is a size_t on Linux
        self._sizes = words[_SIZE::_STEP]
        self._count = ctypes.c_size_t()
        # Made once: a call that has to make them of ints takes twice as long.
        self._arguments = (
            ctypes.c_void_p(reader),
            ctypes.c_void_p(ctypes.addressof(self._memory)),
            ctypes.c_size_t(len(self._view)),
            ctypes.c_void_p(ctypes.addressof(self._messages)),
        )
        self._all = ctypes.c_size_t(self.most)
        self._out = ctypes.pointer(self._count)
        self._now = ctypes.c_int64(0)
        self._asleep = asleep
        self._seldom = True
        self._size = -1  # of the values that _cut_chunk cuts
        self._cut_chunk: Callable[..., tuple[bytes, ...]]

    def receive(self, most: int) -> int:
        """Takes what is there, at most so many, without waiting; a status."""
        limit = self._all if most >= self.most else most
        return _receive(*self._arguments, limit, self._out, self._now)  # type: ignore[no-any-return]

    def wait(self, most: int, timeout_ns: int) -> int:
        """The same, waiting for a first value.

        Who produces keeps the GIL, which is fastest at high rates: the sleeper
        then finds many values. But one that is woken for a single value would
        only run to the GIL and sleep again. So who waits for rare values says so,
        and `produce` gives the GIL away.
        """
        limit = self._all if most >= self.most else most
        if self._seldom:
            self._asleep.add(self)
        begun = time.monotonic_ns()
        status: int = _wait(*self._arguments, limit, self._out, timeout_ns)
        self._asleep.discard(self)
        self._seldom = time.monotonic_ns() - begun > _SELDOM and self._count.value <= _FEW
        return status

    @property
    def lagged(self) -> int:
        """After LAGGED: how many values were lost."""
        return self._messages[0].lagged

    def value(self) -> bytes:
        """After OK: the first value, a copy."""
        return self._memory[: self._sizes[0]]  # type: ignore[no-any-return]

    def values(self) -> list[bytes]:
        """After OK: the values, each a copy."""
        count = self._count.value
        if count == 1:
            return [self.value()]
        sizes = self._sizes[:count].tolist()
        if sizes.count(sizes[0]) == count:
            return self._cut_equal(sizes[0], count)
        return self._cut(sizes)

    def _cut(self, sizes: list[int]) -> list[bytes]:
        raw = self._memory[: sum(map(_packed, sizes))]
        values, at = [], 0
        for size in sizes:
            values.append(raw[at : at + size])
            at += _packed(size)
        return values

    def _cut_equal(self, size: int, count: int) -> list[bytes]:
        """Values of one size, many by one call: 12 ns each instead of 60."""
        if size == 0:
            return [b""] * count
        stride = _packed(size)
        if size != self._size:
            self._cut_chunk = struct.Struct(f"{size}s{stride - size}x" * _CHUNK).unpack_from
            self._size = size
        whole = count - count % _CHUNK
        values: list[bytes] = []
        for at in range(0, whole * stride, _CHUNK * stride):
            values += self._cut_chunk(self._view, at)
        rest = self._memory[whole * stride : count * stride]
        values += [rest[at : at + size] for at in range(0, len(rest), stride)]
        return values


def _packed(size: int) -> int:
    return (size + 7) & ~7
