# SPDX-License-Identifier: Apache-2.0
"""Pull readers."""

from __future__ import annotations

import contextlib
import ctypes
import math
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Callable, Generic, Literal, Optional, TypeVar, Union

from . import _library, _stats, _wait
from . import _structs as c
from ._aio import AsyncReader
from ._batch import Batch
from ._codec import Codec, decode_all, decode_one
from ._ending import closed
from ._errors import ArgumentError, Closed, Empty, Lagged
from ._library import held, released
from ._stats import ConsumerStats
from ._status import check, error, nanoseconds

if TYPE_CHECKING:
    from ._record import Record

T = TypeVar("T")

#: What a loss does: raise Lagged, nothing (it is counted), or a call with the count.
OnLag = Union[Literal["raise", "skip"], Callable[[int], object]]

# A reader ends. A finalizer or signal handler may come between.
_changing = threading.RLock()


def open_reader(record: Record[Any]) -> int:
    """Opens a reader of the library's; its handle."""
    handle = ctypes.c_void_p()
    status = released.aimdb_reader_open(record._handle, ctypes.byref(handle))
    if status:
        raise record._failure(status)
    return handle.value or 0


def close_reader(handle: int) -> Optional[c.ConsumerStats]:
    """Ends a reader; its last account, or None if it is ended already."""
    last = c.ConsumerStats()
    _wait.ring(handle)
    if released.aimdb_reader_close(handle, ctypes.byref(last)) != c.OK:
        return None
    return last


def check_on_lag(on_lag: Any, words: tuple[str, ...]) -> None:
    if on_lag not in words and not callable(on_lag):
        raise ArgumentError(f"on_lag: is {on_lag!r}; it must be one of {words} or callable")


class Reader(Generic[T]):
    """Gets the values of a record, each once, at its own pace.

    Made by `Record.subscribe`. Several threads may use one reader: each value
    goes to one of them. A reader is a context manager, ends with its database,
    and can be iterated: `for value in reader` waits for values and ends when the
    database is closed and everything is read; `async for` does so in asyncio.
    """

    def __init__(self, record: Record[T], codec: Optional[Codec[T]], on_lag: OnLag) -> None:
        check_on_lag(on_lag, ("raise", "skip"))
        self._record = record
        self._codec = codec
        self._on_lag = on_lag
        self._of = f"reader of {record.key!r}"
        self._handle = open_reader(record)
        self._batches: list[Batch] = []  # those that no thread uses now
        self._singles: list[Batch] = []
        self._last: Optional[ConsumerStats] = None
        self._closed = False
        self._async: Optional[AsyncReader[T]] = None
        self._finalizer = weakref.finalize(self, close_reader, self._handle)
        self._finalizer.atexit = False
        record._database._add_reader(self)

    @property
    def record(self) -> Record[T]:
        """The record it reads."""
        return self._record

    def get(self, timeout: Optional[float] = None) -> T:
        """Waits for the next value and returns it.

        Args:
            timeout: seconds; None waits for ever, 0 does not wait.

        Raises:
            Empty: nothing came in time (a `queue.Empty`, too).
            Lagged: values were lost; the next call goes on (on_lag "raise").
            Closed: the reader or database is closed, and nothing is left.
            CodecError: the value can't be decoded; it is taken.
            NoDescriptorsError: on the main thread, which waits on a descriptor.
        """
        batch = self._receive(self._singles, 1, timeout)
        data = batch.value()
        self._singles.append(batch)
        return data if self._codec is None else decode_one(self._codec, data)  # type: ignore[return-value]

    def get_nowait(self) -> T:
        """The next value, or Empty if there is none now. As `get`."""
        return self.get(0)

    def get_many(self, max: int = 1024, timeout: Optional[float] = None) -> list[T]:
        """Waits for a first value as `get`, then takes what is there.

        Args:
            max: values, at most; one call gives no more than 1024, or less if
                values are large.
            timeout: seconds; None waits for ever, 0 does not wait.

        Raises:
            as `get`. CodecError has what could be decoded in `values`.
        """
        if not (isinstance(max, int) and max >= 1):
            raise ArgumentError(f"max: is {max!r}; it must be an int of at least 1")
        batch = self._receive(self._batches, max, timeout)
        values = batch.values()
        self._batches.append(batch)
        return decode_all(self._codec, values)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            return self.get()
        except Closed:
            raise StopIteration from None

    def __aiter__(self) -> AsyncIterator[T]:
        return self.aio

    @property
    def aio(self) -> AsyncReader[T]:
        """The same reader for asyncio."""
        if self._async is None:
            self._async = AsyncReader(self)
        return self._async

    def stats(self) -> ConsumerStats:
        """Its account; the last one if it is closed."""
        stats = c.ConsumerStats()
        ahead = 0 if self._async is None else len(self._async._ahead)
        status = held.aimdb_reader_stats(self._handle, ctypes.byref(stats))
        if status == c.ERR_HANDLE:
            with _changing:  # who ends it has the last account at the end of that
                if self._last is not None:
                    return self._last
        check(status, self._of)
        return _not_yet_given(stats, ahead, pending=True)

    def close(self) -> ConsumerStats:
        """Ends the subscription; a call that waits raises Closed. What is pending
        is abandoned. Again, it does nothing. Returns the last account."""
        if _library.forked:
            raise error(released.aimdb_reader_close(self._handle, None), self._of)
        with _changing:
            self._closed = True
            ahead = 0 if self._async is None else self._async._before_close()
            last = close_reader(self._handle)
            if last is not None:
                self._last = _not_yet_given(last, ahead, pending=False)
        self._finalizer.detach()
        if self._async is not None:
            self._async._after_close()
        if self._last is None:
            raise closed(f"{self._of}: is closed")
        return self._last

    def _end(self) -> None:
        """With its database."""
        with contextlib.suppress(Closed):
            self.close()

    def __enter__(self) -> Reader[T]:
        return self

    def __exit__(self, *exception: object) -> None:
        if not _library.forked:
            self.close()

    def __repr__(self) -> str:
        return f"<aimdb.Reader of {self._record.key!r}{' closed' if self._closed else ''}>"

    # Receiving ------------------------------------------------------------

    def _receive(self, free: list[Batch], most: int, timeout: Optional[float]) -> Batch:
        """A batch with values, which is the caller's until it puts it back."""
        try:
            batch = free.pop()
        except IndexError:
            record = self._record
            room = 1 if free is self._singles else record._many
            batch = Batch(self._handle, record.payload_max, room, record._asleep)
        status = batch.receive(most)
        if status != c.OK:
            try:
                self._wait(batch, status, most, timeout)
            except BaseException:
                free.append(batch)
                raise
        return batch

    def _wait(self, batch: Batch, status: int, most: int, timeout: Optional[float]) -> None:
        """Goes on until the batch has values."""
        until = math.inf
        if status == c.EMPTY and timeout != 0:
            nanoseconds(timeout)  # is checked before anything waits
            until = math.inf if timeout is None else time.monotonic() + timeout
        while status != c.OK:
            if status == c.LAGGED:
                self._lag(batch.lagged)
                status = batch.receive(most)
            elif status in (c.EMPTY, c.TIMEOUT) and timeout != 0 and time.monotonic() < until:
                status = self._sleep(batch, most, until)
            else:
                raise self._end_of(status)

    def _sleep(self, batch: Batch, most: int, until: float) -> int:
        left = None if until == math.inf else max(until - time.monotonic(), 0)
        if not _wait.is_main():
            return batch.wait(most, nanoseconds(left))
        _wait.poll(self._handle, self._of, lambda: self._closed, left)
        return batch.receive(most)

    def _lag(self, count: int) -> None:
        if self._on_lag == "raise":
            raise Lagged(count)
        if callable(self._on_lag):
            self._on_lag(count)

    def _end_of(self, status: int) -> Exception:
        if status in (c.EMPTY, c.TIMEOUT):
            return Empty(f"{self._of}: nothing there")
        if status == c.CLOSED or (status == c.ERR_HANDLE and not _library.forked):
            return closed(f"{self._of}: is closed, and everything is read")
        return error(status, self._of)


def _not_yet_given(stats: c.ConsumerStats, count: int, *, pending: bool) -> ConsumerStats:
    """The account without `count` values that were received ahead."""
    return _stats.consumer(
        stats,
        delivered=stats.delivered - count,
        pending=stats.pending + (count if pending else 0),
        abandoned=stats.abandoned + (0 if pending else count),
    )
