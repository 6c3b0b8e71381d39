# SPDX-License-Identifier: Apache-2.0
"""Records: what is produced, and who gets it."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable
from itertools import islice, repeat
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Generic,
    NoReturn,
    Optional,
    TypeVar,
    Union,
    overload,
)

from . import _buffers, _produce, _producer, _stats
from . import _structs as c
from ._aio import AsyncReader
from ._codec import Codec, decode_one
from ._consumer import Consumer, ConsumerFunction, Loop, OnConsumerLag
from ._ending import closed
from ._errors import Rejected, SizeError, StateError
from ._library import addressed, held, released
from ._reader import OnLag, Reader
from ._report import OnError
from ._send import with_buffer
from ._stats import RecordStats
from ._status import check, error

if TYPE_CHECKING:
    from ._database import Database
    from ._send import Readable

T = TypeVar("T")
D = TypeVar("D")

P = TypeVar("P", bound=Callable[..., Any])

_CHUNK = 1024  # values produced without a chance for other threads


class Record(Generic[T]):
    """A record of a database; made by `Database.register` and `Database.open`.
    Any thread may use it."""

    #: `produce(value)` gives a value to the record; help(record.produce) says all.
    produce: Callable[[Union[T, Readable]], None]

    def __init__(self, database: Database, handle: int, codec: Optional[Codec[T]]) -> None:
        info = c.RecordInfo()
        check(held.aimdb_record_info(handle, ctypes.byref(info)), "record")
        self._database = database
        self._handle = handle
        self._codec = codec
        self._encode: Optional[Callable[[T], bytes]] = None if codec is None else codec.encode
        self._key = info.key.decode()
        self._of = f"record {self._key!r}"
        self._info = info
        self._many = 1024 if info.buffer == _buffers.Ring.code else 1  # values in a batch
        self._asleep = database._asleep.setdefault(handle, set())
        # A producer function of C may wait, also for the GIL; those of Python's
        # own databases are Python's and run with it.
        library = held if database._owned else released
        self._produce = library.aimdb_produce
        # By whether someone sleeps who wants the GIL when it is woken.
        self._produce_batch = (library.aimdb_produce_batch, released.aimdb_produce_batch)
        self._produce_at = addressed(library, "aimdb_produce")
        self._emit_bytes = library.aimdb_emit
        self._emit_at = addressed(library, "aimdb_emit")
        self.produce = _produce.make(self)

    @property
    def database(self) -> Database:
        """The database it belongs to."""
        return self._database

    @property
    def key(self) -> str:
        """Its key."""
        return self._key

    @property
    def buffer(self) -> _buffers.Buffer:
        """Its buffer: Ring, Latest or Mailbox."""
        return _buffers.of(self._info.buffer, self._info.capacity)

    @property
    def payload_max(self) -> int:
        """The largest value, in bytes."""
        return self._info.payload_max

    @property
    def exact_size(self) -> Optional[int]:
        """The only size accepted, in bytes; None if any is."""
        size = self._info.exact_size
        return None if size == c.ANY_SIZE else size

    @property
    def type_name(self) -> str:
        """The type name it was registered with, or ""."""
        return self._info.type_name.decode()

    # Producing ------------------------------------------------------------

    def produce_many(self, values: Iterable[Union[T, Readable]]) -> int:
        """Gives all values, in order, with less overhead for each than `produce`.
        Not one act: values of other threads may come between.

        Returns:
            how many values were given.

        Raises:
            as `produce`, for the first value that is refused; those before it are
            in, and the exception's attribute `index` says how many they are.
        """
        done, source = 0, iter(values)
        try:
            while True:
                chunk: list[Any] = list(islice(source, _CHUNK))
                if not chunk:
                    return done
                encoded, failure = self._encode_chunk(chunk)
                count = ctypes.c_size_t()
                try:
                    self._give(encoded, count, done)
                finally:
                    done += count.value
                if failure is not None:
                    raise failure
        except Exception as refused:
            refused.index = done  # type: ignore[attr-defined]
            raise

    def _encode_chunk(self, chunk: list[Any]) -> tuple[list[Any], Optional[Exception]]:
        """What could be encoded before the first that can't, and why it can't."""
        if self._encode is None:
            return chunk, None
        encoded = []
        try:
            for value in chunk:
                encoded.append(self._encode(value))
        except Exception as failure:
            return encoded, failure
        return encoded, None

    def _give(self, values: list[Any], count: ctypes.c_size_t, before: int) -> None:
        """Produces the values, bytes by one call; `count` tells how far it came."""
        if set(map(type, values)) != {bytes}:  # other buffers are copied from where they are
            self._give_each(values, count)
            return
        data = b"".join(values)
        call = self._produce_batch[bool(self._asleep)]
        status = call(self._handle, data, _sizes(values), len(values), ctypes.byref(count))
        if status:
            failure = self._failure(status)
            if isinstance(failure, SizeError):
                at = count.value
                text = str(failure).replace(f"sizes[{at}]", f"values[{before + at}]")
                raise SizeError(text)
            self._fail(status)

    def _give_each(self, values: list[Any], count: ctypes.c_size_t) -> None:
        for value in values:
            status = self._produce_buffer(value)
            if status:
                self._fail(status)
            count.value += 1

    def _produce_buffer(self, value: Any) -> int:
        return with_buffer(self._produce_at, (self._handle,), value)

    def _emit(self, emitter: int, value: Union[T, Readable]) -> None:
        data: Any = value if self._encode is None else self._encode(value)  # type: ignore[arg-type]
        try:
            status = self._emit_bytes(emitter, self._handle, data, len(data))
        except (TypeError, ctypes.ArgumentError):
            status = with_buffer(self._emit_at, (emitter, self._handle), data)
        if status:
            self._fail(status)

    def _fail(self, status: int) -> NoReturn:
        if status == c.REJECTED:
            cause = _producer.take_raised()
            if cause is not None and not isinstance(cause, Exception):
                raise cause  # KeyboardInterrupt in the producer function
            text = f"{self._of}: its producer function rejected the value"
            raise Rejected(text if cause is None else f"{text}: {cause}") from cause
        raise self._failure(status)

    def _failure(self, status: int) -> Exception:
        if status == c.ERR_HANDLE and self._database._ended:
            return closed(f"{self._of}: its database is closed")
        return error(status, self._of)

    @overload
    def producer(self, function: P, /) -> P: ...
    @overload
    def producer(self, /, *, on_error: Optional[OnError] = None) -> Callable[[P], P]: ...
    def producer(
        self, function: Optional[P] = None, /, *, on_error: Optional[OnError] = None
    ) -> Union[P, Callable[[P], P]]:
        """Decorator: the record's producer function, once, before start. Every value
        goes through it, on the thread that produces.

        It takes the value, or the value and an emitter. It returns None to accept
        the value, `aimdb.REJECT` to reject it, or another value to enqueue instead.
        An exception rejects: `produce` raises `Rejected` from it.

        Args:
            on_error: called with (exception, function) if it was a thread of C that
                produced; default `sys.unraisablehook`.

        Raises:
            ExistsError: the record has a producer function.
            StateError: the database is started or closed, or is not Python's own:
                it would outlive the function.
        """
        if function is None:
            return lambda given: self._set_producer(given, on_error)
        return self._set_producer(function, on_error)

    def _set_producer(self, function: P, on_error: Optional[OnError]) -> P:
        if not self._database._owned:
            raise StateError(
                f"{self._of}: its database is not Python's own; a producer function "
                "of Python could not outlive the interpreter"
            )
        database = self._database._handle
        _producer.set_producer(self._handle, database, self._of, self._codec, function, on_error)
        return function

    # Receiving ------------------------------------------------------------

    @overload
    def consumer(self, function: ConsumerFunction[T], /) -> Consumer[T]: ...
    @overload
    def consumer(
        self, /, *, on_lag: OnConsumerLag = "log", on_error: Optional[OnError] = None
    ) -> Callable[[ConsumerFunction[T]], Consumer[T]]: ...
    @overload
    def consumer(
        self,
        function: ConsumerFunction[T],
        /,
        *,
        on_lag: OnConsumerLag = "log",
        on_error: Optional[OnError] = None,
    ) -> Consumer[T]: ...
    def consumer(
        self,
        function: Optional[ConsumerFunction[T]] = None,
        /,
        *,
        on_lag: OnConsumerLag = "log",
        on_error: Optional[OnError] = None,
    ) -> Union[Consumer[T], Callable[[ConsumerFunction[T]], Consumer[T]]]:
        """Decorator: subscribes a function, before or after start. It gets what is
        produced from now on (Latest: also the current value), one call at a time,
        in order, on a thread of its own.

        It takes the value, or the value and an emitter. An exception is a failure:
        counted and reported; the next call follows.

        Args:
            on_lag: what a loss does: "log" a warning (logger "aimdb", at most one a
                second), "raise" `Lagged` to on_error, "skip" (it is counted), or a
                function of the count, or of the count and an emitter.
            on_error: called with (exception, function); default `sys.unraisablehook`.

        Raises:
            Closed: the database is closing or closed.
            NoMemoryError, NoThreadsError
        """
        if function is None:
            return lambda given: self.consumer(given, on_lag=on_lag, on_error=on_error)
        loop = Loop(self, self._codec, function, on_lag, on_error)
        loop.start()
        self._database._loops.add(loop)
        return Consumer(self, loop, function)

    def subscribe(self, *, on_lag: OnLag = "raise") -> Reader[T]:
        """Opens a reader, before or after start. It gets what is produced from now
        on (Latest: also the current value).

        Args:
            on_lag: what a loss does: "raise" `Lagged`, "skip" (it is counted), or a
                function of the count.

        Raises:
            Closed: the database is closing or closed.
            NoMemoryError
        """
        return Reader(self, self._codec, on_lag)

    def subscribe_async(self, *, on_lag: OnLag = "raise") -> AsyncReader[T]:
        """The same for asyncio: `await reader.get()`, `async for value in reader`."""
        return Reader(self, self._codec, on_lag).aio

    def peek(self, default: Optional[D] = None) -> Union[T, Optional[D]]:
        """The current value, not consumed: the newest (Latest), or the one not yet
        taken (Mailbox).

        Args:
            default: returned if there is none.

        Raises:
            UnsupportedError: the record has a ring.
            CodecError: the value can't be decoded.
        """
        room = ctypes.create_string_buffer(max(self.payload_max, 1))
        message = c.Message()
        status = held.aimdb_peek(self._handle, room, self.payload_max, ctypes.byref(message))
        if status == c.EMPTY:
            return default
        if status:
            raise self._failure(status)
        return decode_one(self._codec, room.raw[: message.size])

    def stats(self) -> RecordStats:
        """What happened to the record so far."""
        stats = c.RecordStats()
        status = held.aimdb_record_stats(self._handle, ctypes.byref(stats))
        if status:
            raise self._failure(status)
        return _stats.record(stats)

    def __repr__(self) -> str:
        return f"<aimdb.Record {self._key!r} {self.buffer!r}>"


@functools.lru_cache(maxsize=16)
def _equal(size: int) -> Any:
    return (ctypes.c_size_t * _CHUNK)(*repeat(size, _CHUNK))


def _sizes(values: list[bytes]) -> Any:
    """The size of each value; those of one size are many times faster."""
    if len(set(map(len, values))) == 1:
        return _equal(len(values[0]))
    return (ctypes.c_size_t * len(values))(*map(len, values))


_producer.callers.update(
    function.__code__ for function in (Record._give, Record._emit, with_buffer)
)
