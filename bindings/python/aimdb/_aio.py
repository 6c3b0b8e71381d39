# SPDX-License-Identifier: Apache-2.0
"""Readers in asyncio: one descriptor each, no thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Generic, Optional, TypeVar

from . import _structs as c
from . import _wait
from ._batch import Batch
from ._codec import decode_all, decode_one
from ._errors import ArgumentError, Closed, Empty, StateError
from ._stats import ConsumerStats

if TYPE_CHECKING:
    from ._reader import Reader
    from ._record import Record

T = TypeVar("T")


class AsyncReader(Generic[T]):
    """A reader for one event loop; any of its tasks may use it, each value goes
    to one. Made by `Record.subscribe_async`, or `Reader.aio`.

    Of a ring it takes all that is there at once (up to 1024 values), so the loop
    is woken once for many values. What was taken ahead is pending in `stats`, and
    abandoned by `close`.
    """

    def __init__(self, reader: Reader[T]) -> None:
        self._reader = reader
        self._codec = reader._codec
        record = reader.record
        self._batch = Batch(reader._handle, record.payload_max, record._many, record._asleep)
        self._ahead: deque[bytes] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._descriptor = -1
        self._watched = False  # whether the loop watches the descriptor
        self._lost = 0  # to be told when what came before it is given

    @property
    def record(self) -> Record[T]:
        """The record it reads."""
        return self._reader.record

    async def get(self) -> T:
        """Waits for the next value and returns it. Can be cancelled (also by
        `asyncio.wait_for`): no value is lost.

        Raises:
            as `Reader.get`, but Empty.
        """
        while not self._ahead and not self._fill():
            await self._readable()
        return self._take()

    def get_nowait(self) -> T:
        """The next value, or Empty if there is none now."""
        if not self._ahead and not self._fill():
            raise Empty(f"{self._reader._of}: nothing there")
        return self._take()

    async def get_many(self, max: int = 1024) -> list[T]:
        """Waits for a first value, then returns all that is there, at most `max`
        (and 1024)."""
        if not (isinstance(max, int) and max >= 1):
            raise ArgumentError(f"max: is {max!r}; it must be an int of at least 1")
        while not self._ahead and not self._fill():
            await self._readable()
        taken = [self._ahead.popleft() for _ in range(min(max, len(self._ahead)))]
        self._wake_next()
        return decode_all(self._codec, taken)

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        try:
            while not self._ahead and not self._fill():
                await self._readable()
        except Closed:
            raise StopAsyncIteration from None
        return self._take()

    def stats(self) -> ConsumerStats:
        """As `Reader.stats`."""
        return self._reader.stats()

    def close(self) -> ConsumerStats:
        """As `Reader.close`; tasks that wait get Closed. On the loop's thread."""
        return self._reader.close()

    async def __aenter__(self) -> AsyncReader[T]:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._reader.__exit__()

    def __repr__(self) -> str:
        return f"<aimdb.AsyncReader of {self.record.key!r}>"

    # Receiving ------------------------------------------------------------

    def _take(self) -> T:
        data = self._ahead.popleft()
        if self._waiters:
            self._wake_next()
        return decode_one(self._codec, data)

    def _fill(self) -> bool:
        """Takes what is there; whether there was anything."""
        while True:
            if self._lost:
                lost, self._lost = self._lost, 0
                self._reader._lag(lost)
            status = self._drain()
            if self._ahead:
                return True
            if status == c.EMPTY:
                return False
            if status != c.LAGGED:
                raise self._reader._end_of(status)

    def _drain(self) -> int:
        """To the end, as only EMPTY makes the descriptor unreadable again. A loss
        is told in its place: when what came before it is given."""
        batch, status = self._batch, c.OK
        while status == c.OK and len(self._ahead) < batch.most and not self._lost:
            status = batch.receive(batch.most)
            if status == c.OK:
                self._ahead.extend(batch.values())
            elif status == c.LAGGED:
                self._lost = batch.lagged
        return status

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._descriptor = _wait.descriptor(self._reader._handle, self._reader._of)
        elif self._loop is not loop:
            raise StateError(f"{self._reader._of}: is used by another event loop")
        if not self._watched:
            loop.add_reader(self._descriptor, self._on_readable)
            self._watched = True
        waiter = loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif not waiter.cancelled():
                self._wake_next()  # it was this task's turn, which goes to the next
            raise

    def _on_readable(self) -> None:
        if not self._waiters:
            self._unwatch()  # the loop is not to be woken again and again
            return
        if self._batch.most > 1:  # a latest value is taken when it is wanted
            self._drain()
        self._wake_next()

    def _wake_next(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _unwatch(self) -> None:
        if self._watched and self._loop is not None:
            self._loop.remove_reader(self._descriptor)
            self._watched = False

    # Ending ---------------------------------------------------------------

    def _on_own_loop(self) -> bool:
        return self._loop is not None and asyncio._get_running_loop() is self._loop

    def _before_close(self) -> int:
        """How many values that were taken ahead are abandoned."""
        if self._on_own_loop():
            self._unwatch()  # a descriptor is not watched beyond its end
        abandoned = len(self._ahead)
        self._ahead.clear()
        return abandoned

    def _after_close(self) -> None:
        if self._loop is None or self._loop.is_closed():
            return
        if self._on_own_loop():
            self._end_waiters()
        else:
            self._loop.call_soon_threadsafe(self._end_waiters)

    def _end_waiters(self) -> None:
        self._unwatch()
        while self._waiters:
            self._wake_next()
