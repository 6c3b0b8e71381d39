# SPDX-License-Identifier: Apache-2.0
"""Memory for one receive of several values, and how it is cut into values."""

from __future__ import annotations

import ctypes
import struct
from typing import Callable

from . import _structs as c
from ._library import held, released

_VALUES = 1024  # at most this many in a batch
_BYTES = 1 << 18  # and this many bytes, but room for one value
_CHUNK = 32  # values of one size cut by one call
_WORD = ctypes.sizeof(ctypes.c_size_t)
_SIZE = c.Message.__dict__["size"].offset // _WORD
_STEP = ctypes.sizeof(c.Message) // _WORD


class Batch:
    """Used by one thread at a time.

    Args:
        reader: the handle.
        payload_max: of the record; such a value always fits.
        most: values; 1 for single receives.
    """

    def __init__(self, reader: int, payload_max: int, most: int = _VALUES) -> None:
        slot = max(_packed(payload_max), 8)
        self.most = max(1, min(most, _VALUES, _BYTES // slot))
        capacity = slot * self.most
        self._memory = ctypes.create_string_buffer(capacity + 8)
        # Payloads are packed at multiples of 8 from where the buffer begins.
        self._address = _packed(ctypes.addressof(self._memory))
        self._view = memoryview(self._memory).cast("B")
        self._view = self._view[self._address - ctypes.addressof(self._memory) :]
        self._messages = (c.Message * self.most)()
        self._messages[0].struct_size = ctypes.sizeof(c.Message)
        self._words = (
            memoryview(self._messages).cast("B").cast("L")
        )  # size_t is unsigned long on Linux
        self._sizes = self._words[_SIZE::_STEP]
        self._count = ctypes.c_size_t()
        self._arguments = (
            reader,
            self._address,
            capacity,
            ctypes.addressof(self._messages),
        )
        self._out = ctypes.byref(self._count)
        self._size = -1  # of the values that _cut_chunk cuts
        self._cut_chunk: Callable[..., tuple[bytes, ...]]

    def receive(self, most: int) -> int:
        """Takes what is there, without waiting; a status."""
        return held.aimdb_recv_batch(*self._arguments, most, self._out, 0)  # type: ignore[no-any-return]

    def wait(self, most: int, timeout_ns: int) -> int:
        """The same, waiting for a first value."""
        return released.aimdb_recv_batch(*self._arguments, most, self._out, timeout_ns)  # type: ignore[no-any-return]

    @property
    def lagged(self) -> int:
        """After LAGGED: how many values were lost."""
        return self._messages[0].lagged

    def values(self) -> list[bytes]:
        """After OK: the values, each a copy."""
        count = self._count.value
        if count == 1:
            return [self._view[: self._sizes[0]].tobytes()]
        sizes = self._sizes[:count].tolist()
        if sizes.count(sizes[0]) == count:
            return self._cut_equal(sizes[0], count)
        return self._cut(sizes)

    def _cut(self, sizes: list[int]) -> list[bytes]:
        raw = self._view[: sum(map(_packed, sizes))].tobytes()
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
        rest = self._view[whole * stride : count * stride].tobytes()
        values += [rest[at : at + size] for at in range(0, len(rest), stride)]
        return values


def _packed(size: int) -> int:
    return (size + 7) & ~7
