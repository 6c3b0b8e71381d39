# SPDX-License-Identifier: Apache-2.0
"""Databases: what holds records, and their lifecycle."""

from __future__ import annotations

import contextlib
import ctypes
import enum
import logging
import time
import warnings
import weakref
from typing import Any, Callable, Literal, Optional, TypeVar, Union, overload

from . import _buffers, _ending, _foreign, _inside, _library, _wait
from . import _structs as c
from ._codec import AnyCodec, Codec, resolve
from ._consumer import Loop
from ._ending import closed
from ._errors import ArgumentError, Closed, HandleError, KeyFormatError, StateError
from ._library import held, released
from ._reader import Reader
from ._record import Record
from ._report import unraisable
from ._stats import DatabaseStats
from ._status import check, error, nanoseconds

T = TypeVar("T")

LogLevel = Literal["error", "warning", "info", "debug", "off"]
_LEVELS: tuple[LogLevel, ...] = ("error", "warning", "info", "debug", "off")
_DOORS = {0: "cgo", 1: "direct"}
#: Where the library's log lines go: a logger, or a function of (level, text).
Log = Union[logging.Logger, Callable[[str, str], object]]


class CloseResult(enum.Enum):
    """How a close ended."""

    DELIVERED = 0  #: everything was delivered, no function runs
    ABANDONED = 3  #: values were cut off by the timeout, no function runs
    BLOCKED = 7  #: a function had not returned in time; no other will be called
    IN_PROGRESS = 6  #: called from inside a function of AimDB: goes on in the background


class Database:
    """A database: registers records, is started, closed, and ends.

    As a context manager it is closed and destroyed at the end of the block; if the
    block ends by an exception, what is pending is not waited for. Any thread may
    use it. In a forked child everything raises `ForkedError`.

    Args:
        log: where the library's own log lines go: a logger, or a function of
            (level, text), called by any thread. Default: stderr.
        log_level: the least severe level to log.
        close_timeout: seconds that the end of a `with` block waits for consumers.

    Raises:
        NoMemoryError
        NoThreadsError: the first of a process, for the library's own threads.
    """

    def __init__(
        self,
        *,
        log: Optional[Log] = None,
        log_level: LogLevel = "warning",
        close_timeout: float = 5.0,
    ) -> None:
        if log_level not in _LEVELS:
            raise ArgumentError(f"log_level: is {log_level!r}; it must be one of {_LEVELS}")
        nanoseconds(close_timeout, "close_timeout")
        handle = ctypes.c_void_p()
        config = c.Config(log_level=_LEVELS.index(log_level))
        number = None
        if log is not None:
            config.log = c.LOG_FN(_log_call(log))
            number, self._log_ended = _foreign.keep(config.log)
            config.user, config.free = number, _foreign.free
        status = released.aimdb_create(ctypes.byref(config), ctypes.byref(handle))
        if status:
            _foreign.drop(number)
            raise error(status, "database")
        self._close_timeout = close_timeout
        self._set_up(handle.value or 0, owned=True)

    def _set_up(self, handle: int, *, owned: bool) -> None:
        self._handle = handle
        self._owned = owned
        self._running = False
        self._ended = False
        self._loops: set[Loop] = set()
        self._asleep: dict[int, set[Any]] = {}  # of each record, see Batch.wait
        self._readers: weakref.WeakValueDictionary[int, Reader[Any]] = weakref.WeakValueDictionary()
        self._finalizer = weakref.finalize(self, _abandon, handle, owned, self._loops)
        self._finalizer.atexit = False  # _at_exit is in time for that
        _library.open_databases[id(self)] = self

    @classmethod
    def from_handle(cls, handle: int) -> Database:
        """A database that C made in this process, on the same libaimdb.

        It stays C's: ending it here (also as a context manager) ends only the
        consumers and readers that were subscribed here. Producer functions can't
        be set from here.

        Args:
            handle: the `aimdb_t *` as a number.

        Raises:
            HandleError: it is not a database, or has ended.
            LibraryError: two copies of libaimdb are in the process.
        """
        if not isinstance(handle, int):
            raise ArgumentError(f"handle: is a {type(handle).__name__}, not an int")
        _library.check_only_copy()
        if not 0 < handle < 2 ** (8 * ctypes.sizeof(ctypes.c_void_p)):
            raise HandleError(f"handle: {handle:#x} is not a database that exists")
        check(held.aimdb_database_stats(handle, ctypes.byref(c.DatabaseStats())), "handle")
        self = cls.__new__(cls)
        self._close_timeout = 0.0
        self._set_up(handle, owned=False)
        return self

    @property
    def handle(self) -> int:
        """The `aimdb_t *` as a number, for C on the same libaimdb. A producer
        function that C sets must not wait for a thread of Python's: it is called
        with the GIL."""
        return self._handle

    # Records --------------------------------------------------------------

    @overload
    def register(
        self,
        key: str,
        buffer: _buffers.Buffer = ...,
        codec: None = ...,
        *,
        payload_max: Optional[int] = ...,
        exact_size: Optional[int] = ...,
        type_name: Optional[str] = ...,
    ) -> Record[bytes]: ...
    @overload
    def register(
        self,
        key: str,
        buffer: _buffers.Buffer = ...,
        *,
        codec: str,
        payload_max: Optional[int] = ...,
        exact_size: Optional[int] = ...,
        type_name: Optional[str] = ...,
    ) -> Record[Any]: ...
    @overload
    def register(
        self,
        key: str,
        buffer: _buffers.Buffer = ...,
        *,
        codec: Union[type[T], Codec[T]],
        payload_max: Optional[int] = ...,
        exact_size: Optional[int] = ...,
        type_name: Optional[str] = ...,
    ) -> Record[T]: ...
    def register(
        self,
        key: str,
        buffer: _buffers.Buffer = _buffers.Ring(),  # noqa: B008 (it is frozen)
        codec: AnyCodec[Any] = None,
        *,
        payload_max: Optional[int] = None,
        exact_size: Optional[int] = None,
        type_name: Optional[str] = None,
    ) -> Record[Any]:
        """Registers a record, before start.

        Args:
            key: 1 to 255 characters of `A-Z a-z 0-9 . _ : / -`, unique.
            buffer: `Ring(capacity)`, `Latest()` or `Mailbox()`; default `Ring(1024)`.
            codec: what the bytes mean: a format of `struct`, a dataclass, a
                `ctypes.Structure`, `Json()`, or any object with encode and decode.
                Default: values are bytes.
            payload_max: bytes, the largest value; default the codec's size or 256.
            exact_size: bytes, the only size accepted; default the codec's, if any.
            type_name: compared by `open`; default the codec's, if any.

        Raises:
            KeyFormatError, ExistsError
            ArgumentError: of the buffer or sizes.
            StateError: the database is started or closed.
            NoMemoryError
        """
        made = resolve(codec)
        if not isinstance(buffer, (_buffers.Ring, _buffers.Latest, _buffers.Mailbox)):
            raise ArgumentError(f"buffer: is {buffer!r}; it must be Ring(), Latest() or Mailbox()")
        exact = getattr(made, "size", None) if exact_size is None else exact_size
        most = payload_max if payload_max is not None else 256 if exact is None else exact
        name = getattr(made, "type_name", None) if type_name is None else type_name
        config = c.RecordConfig(
            buffer=buffer.code,
            capacity=_size("buffer.capacity", buffer.capacity),
            payload_max=_size("payload_max", most),
            exact_size=c.ANY_SIZE if exact is None else _size("exact_size", exact),
            type_name=None if not name else _text("type_name", name),
        )
        out = ctypes.c_void_p()
        of = f"record {key!r}"
        self._check(
            released.aimdb_register(
                self._handle, _text("key", key), ctypes.byref(config), ctypes.byref(out)
            ),
            of,
        )
        return Record(self, out.value or 0, made)

    @overload
    def open(
        self, key: str, codec: None = ..., *, type_name: Optional[str] = ...
    ) -> Record[bytes]: ...
    @overload
    def open(self, key: str, codec: str, *, type_name: Optional[str] = ...) -> Record[Any]: ...
    @overload
    def open(
        self, key: str, codec: Union[type[T], Codec[T]], *, type_name: Optional[str] = ...
    ) -> Record[T]: ...
    def open(
        self, key: str, codec: AnyCodec[Any] = None, *, type_name: Optional[str] = None
    ) -> Record[Any]:
        """Finds a record, in every state.

        Args:
            key: of the record.
            codec: as of `register`. Its type name and size must be the record's.
            type_name: must be the record's; default the codec's, if any. "" is not
                compared.

        Raises:
            NotFoundError (a KeyError), KeyFormatError
            RecordTypeError: the record has another type name or exact size.
        """
        made = resolve(codec)
        size = getattr(made, "size", None)
        name = getattr(made, "type_name", None) if type_name is None else type_name
        out = ctypes.c_void_p()
        self._check(
            released.aimdb_open(
                self._handle,
                _text("key", key),
                None if not name else _text("type_name", name),
                c.ANY_SIZE if size is None else _size("codec.size", size),
                ctypes.byref(out),
            ),
            f"record {key!r}",
        )
        return Record(self, out.value or 0, made)

    def __getitem__(self, key: str) -> Record[bytes]:
        """The record of a key, its values as bytes."""
        return self.open(key)

    # Lifecycle ------------------------------------------------------------

    def start(self) -> None:
        """Opens the database for values.

        Raises:
            StateError: it is started or closed.
        """
        self._check(released.aimdb_start(self._handle), "database")
        self._running = True

    def close(self, timeout: Optional[float] = 5.0) -> CloseResult:
        """Ends intake and lets consumers finish. From its beginning produce raises
        Closed. Consumers get what is pending until the timeout; then no further
        function is called, and what is left is abandoned, and counted. Readers can
        read what is left; statistics stay. Again, it waits for the same end.

        From inside a function called by AimDB it never waits.

        A database `from_handle` stays open: what was subscribed here ends.

        Args:
            timeout: seconds; None waits for ever.

        Raises:
            StateError: it is not started.
            NoThreadsError, NoMemoryError: for the thread that goes on with it, from
                inside; nothing was done.
        """
        limit = nanoseconds(timeout)
        until = None if timeout is None else time.monotonic() + timeout
        if not self._owned:
            return self._end_consumers(time.monotonic())
        if _inside.callback():
            return self._close_inside(limit, until)
        blocked = _wait.interruptible(lambda: self._close_library(limit))
        self._running = False
        result = self._end_consumers(until)
        return CloseResult.BLOCKED if blocked == c.BLOCKED else _worse(result, blocked)

    def _close_library(self, limit: int) -> int:
        status: int = released.aimdb_close(self._handle, limit)
        if status not in (c.OK, c.TIMEOUT, c.BLOCKED, c.IN_PROGRESS):
            self._check(status, "database")
        return status

    def _close_inside(self, limit: int, until: Optional[float]) -> CloseResult:
        """Intake ends now; the consumers, of which one may be the caller, later."""
        if self.stats().consumers == 0:
            self._close_library(limit)  # Python's consumers drain by themselves
        self._running = False

        def go_on() -> None:
            with contextlib.suppress(Closed):  # it was destroyed meanwhile
                self._close_library(limit)
                self._end_consumers(until)

        _wait.background(go_on)
        return CloseResult.IN_PROGRESS

    def _end_consumers(self, until: Optional[float]) -> CloseResult:
        """Waits until they have ended, but no longer than until; then cuts off."""
        loops, result = list(self._loops), CloseResult.DELIVERED
        for loop in loops:
            _wait.until_set(loop.ended, None if until is None else until - time.monotonic())
        running = [loop for loop in loops if not loop.ended.is_set() and loop.stop()]
        for loop in loops:
            if loop in running:
                result = CloseResult.BLOCKED
                continue
            _wait.until_set(loop.ended)  # only its thread has to end
            with contextlib.suppress(Closed):  # C has destroyed its database
                if loop.stats().abandoned and result is CloseResult.DELIVERED:
                    result = CloseResult.ABANDONED
        return result

    def destroy(self) -> None:
        """Ends the database, its records, consumers and readers, and gives their
        memory back; never waits. Everything then raises `Closed`; the accounts of
        consumers and readers remain. Again, it does nothing.

        Raises:
            StateError: it is running; close it first.
        """
        if _library.forked:
            raise error(c.ERR_FORKED, "database")
        if self._ended:
            return
        if self._owned and self._running:
            raise StateError("database: is running; close it before it is destroyed")
        for loop in list(self._loops):
            loop.stop()
        for reference in self._readers.valuerefs():  # a copy: others may subscribe
            reader = reference()
            if reader is not None:
                reader._end()
        self._ended = True
        status = released.aimdb_destroy(self._handle) if self._owned else c.OK
        if status:
            self._ended = False
            raise error(status, "database")
        self._finalizer.detach()
        _library.open_databases.pop(id(self), None)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        if _library.forked:
            return  # it is the parent's to end
        if self._running or (not self._owned and not self._ended):
            self.close(self._close_timeout if kind is None else 0)
        self.destroy()

    def stats(self) -> DatabaseStats:
        """What it holds."""
        stats = c.DatabaseStats()
        self._check(held.aimdb_database_stats(self._handle, ctypes.byref(stats)), "database")
        return DatabaseStats(
            records=stats.records,
            consumers=stats.consumers,
            readers=stats.readers,
            memory=stats.memory,
            door=_DOORS.get(stats.door, str(stats.door)),
        )

    def __repr__(self) -> str:
        state = "ended" if self._ended else "running" if self._running else "not running"
        return f"<aimdb.Database {state}>"

    # Inside ---------------------------------------------------------------

    def _check(self, status: int, of: str) -> None:
        if status == c.ERR_HANDLE and self._ended:
            raise closed(f"{of}: the database is closed")
        check(status, of)

    def _add_reader(self, reader: Reader[Any]) -> None:
        self._readers[reader._handle] = reader

    def _at_exit(self) -> None:
        """Before the interpreter ends, nothing may call into it any more: intake
        ends, producer functions return, consumers stop, the log is let go."""
        until = time.monotonic() + _ending.SECONDS
        if self._owned:
            released.aimdb_close(self._handle, int(_ending.SECONDS * c.NANOSECONDS))
            self._running = False
        for loop in list(self._loops):
            loop.stop()
        for loop in list(self._loops):
            _wait.until_set(loop.ended, until - time.monotonic())
        self.destroy()
        if hasattr(self, "_log_ended"):
            _wait.until_set(self._log_ended, until - time.monotonic())


def _worse(result: CloseResult, status: int) -> CloseResult:
    if result is CloseResult.DELIVERED and status == c.TIMEOUT:
        return CloseResult.ABANDONED
    return result


def _size(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ArgumentError(f"{name}: is {value!r}, not an int")
    if not 0 <= value < c.ANY_SIZE:
        raise ArgumentError(f"{name}: is {value}; it must be 0 or more, and fit a size_t")
    return value


def _text(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise ArgumentError(f"{name}: is a {type(value).__name__}, not a str")
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise ArgumentError(f"{name}: {value!r} can't be written as UTF-8") from None
    if b"\0" in data:  # C would see its end there
        raise (KeyFormatError if name == "key" else ArgumentError)(
            f"{name}: {value!r} has a NUL character"
        )
    return data


def _log_call(log: Log) -> Callable[[int, bytes, int], None]:
    if not (isinstance(log, logging.Logger) or callable(log)):
        raise ArgumentError(f"log: is {log!r}; it must be a logger or a function")

    def call(level: int, text: bytes, _user: int) -> None:
        _inside.enter()
        try:
            name, line = _LEVELS[level], text.decode(errors="replace")
            if isinstance(log, logging.Logger):
                getattr(log, name)("%s", line)
            else:
                log(name, line)
        except BaseException as failure:
            unraisable(failure, log)
        finally:
            _inside.leave()

    return call


def _abandon(handle: int, owned: bool, loops: set[Loop]) -> None:
    """Ends a database that is garbage, or was never destroyed."""
    if _library.forked:
        return
    for loop in list(loops):
        loop.stop()
    if owned:
        if released.aimdb_close(handle, 0) != c.ERR_STATE:
            warnings.warn("a running aimdb.Database was not closed", ResourceWarning, stacklevel=2)
        released.aimdb_destroy(handle)
