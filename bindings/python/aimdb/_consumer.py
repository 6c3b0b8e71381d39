# SPDX-License-Identifier: Apache-2.0
"""Consumer functions. A thread of Python's own pulls batches of values and calls
the function for each: a call from a thread of the library's would cost 9 us."""

from __future__ import annotations

import ctypes
import functools
import logging
import operator
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable, Generic, Literal, Optional, TypeVar, Union

from . import _inside, _library, _stats, _turns, _wait
from . import _structs as c
from ._batch import Batch
from ._codec import Codec, decode_one
from ._emitter import Emitter, takes_emitter
from ._errors import Closed, Lagged, NoThreadsError
from ._library import held
from ._reader import check_on_lag, close_reader, open_reader
from ._report import OnError, report
from ._stats import ConsumerStats
from ._status import error

if TYPE_CHECKING:
    from ._record import Record

T = TypeVar("T")

#: What a loss of a consumer does: a line in the log "aimdb" (at most one a second,
#: summed), a Lagged exception to `on_error`, nothing (it is counted), or a call
#: with the count (and an emitter, if it takes two arguments).
OnConsumerLag = Union[
    Literal["log", "raise", "skip"], Callable[[int], object], Callable[[int, Emitter], object]
]
#: A consumer function: of a value, or of a value and an emitter.
ConsumerFunction = Union[Callable[[T], object], Callable[[T, Emitter], object]]

_log = logging.getLogger("aimdb")


class Loop:
    """What a consumer's thread runs. It does not hold the database, which would
    otherwise never be garbage.

    A value counts as delivered when its call begins. `_values`, an iterator over
    the batch, tells how many that are: stopping takes what is left out of it, so
    that no further call begins, and the loop needs no check for each value.
    """

    def __init__(
        self,
        record: Record[Any],
        codec: Optional[Codec[Any]],
        function: Callable[..., object],
        on_lag: Any,
        on_error: Optional[OnError],
    ) -> None:
        check_on_lag(on_lag, ("log", "raise", "skip"))
        self._database = record._database._handle
        self._function = function
        self._call = self._with_emitter(function)
        self._on_lag = self._with_emitter(on_lag) if callable(on_lag) else on_lag
        self._on_error = on_error
        self._codec = codec
        self._name = f"{getattr(function, '__name__', 'consumer')} of {record.key!r}"
        self._handle = open_reader(record)
        self._batch = Batch(self._handle, record.payload_max, record._many, record._asleep)
        self._lock = threading.RLock()  # also for a finalizer that runs under it
        self._values: Iterator[bytes] = iter(())
        self._handed = 0  # values of all batches, this one's included
        self._cut = 0  # of them, those that stopping took out
        self._stopping = False
        self._giving = False  # a function of the user's may run
        self._failures = 0
        self._spent = self._longest = 0
        self._last: Optional[c.ConsumerStats] = None
        self._logged = -1.0
        self._unlogged = 0
        self.ended = threading.Event()

    def start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"aimdb {self._name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as failure:
            close_reader(self._handle)
            raise NoThreadsError(f"consumer {self._name}: {failure}") from None

    def _with_emitter(self, function: Callable[..., object]) -> Callable[[Any], object]:
        if not takes_emitter(function):
            return function
        database = self._database

        def call(value: Any) -> object:
            emitter = Emitter(database)
            try:
                return function(value, emitter)
            finally:
                emitter._valid = False

        return call

    # On its thread --------------------------------------------------------

    def _run(self) -> None:
        _inside.enter()
        _turns.ask_for_brief()
        try:
            while self._next():
                pass
        finally:
            self._log_loss(0)
            with self._lock:
                self._stopping = True
                self._close()
            self.ended.set()

    def _next(self) -> bool:
        """One batch or loss; false at the end."""
        batch = self._batch
        status = batch.receive(batch.most)
        if status == c.EMPTY:
            status = batch.wait(batch.most, c.FOREVER)
        if status == c.OK:
            if self._begin(batch.values()):
                self._give()
        elif status == c.LAGGED:
            if self._begin([]):
                self._lag(batch.lagged)
        else:  # CLOSED, or the reader is ended
            return False
        self._giving = False
        return not self._stopping

    def _begin(self, values: list[bytes]) -> bool:
        with self._lock:
            if self._stopping:
                return False
            self._values = iter(values)
            self._handed += len(values)
            self._giving = True
            return True

    def _give(self) -> None:
        call, clock, longest, spent = self._call, time.perf_counter_ns, self._longest, 0
        values: Iterator[Any] = self._values
        if self._codec is not None:
            values = map(functools.partial(decode_one, self._codec), values)
        last = begun = clock()
        while True:
            try:
                for value in values:
                    call(value)
                    now = clock()
                    if now - last > longest:  # noqa: PLR1730 (max would cost a call)
                        longest = now - last
                    last = now
                break
            except BaseException as failure:  # also SystemExit: the consumer goes on
                now = clock()
                longest = max(longest, now - last)
                spent += now - begun
                self._failures += 1
                report(self._on_error, failure, self._function)
                last = begun = clock()
        self._spent += spent + last - begun
        self._longest = longest

    def _lag(self, count: int) -> None:
        if self._on_lag == "log":
            self._log_loss(count)
        elif self._on_lag == "raise":
            report(self._on_error, Lagged(count), self._function)
        elif callable(self._on_lag):
            try:
                self._on_lag(count)
            except BaseException as failure:
                report(self._on_error, failure, self._on_lag)

    def _log_loss(self, count: int) -> None:
        """At most once a second, and what is left at the end (count 0)."""
        self._unlogged += count
        now = time.monotonic()
        if self._unlogged and (count == 0 or now - self._logged >= 1 or self._logged < 0):
            _log.warning("consumer %s lost %d values", self._name, self._unlogged)
            self._logged, self._unlogged = now, 0

    # On any thread --------------------------------------------------------

    def stop(self) -> bool:
        """No further call begins. Whether one runs."""
        with self._lock:
            self._stopping = True
            # At once, under the GIL: each value is either begun or cut.
            self._cut += len(list(self._values))
            running = self._giving
            self._close()
        return running and not self.ended.is_set()

    def _close(self) -> None:
        """Ends the account. Needs the lock: who looks finds the account or its last."""
        self._last = close_reader(self._handle) or self._last

    def stats(self) -> ConsumerStats:
        if _library.forked:
            raise error(held.aimdb_reader_stats(self._handle, None), f"consumer {self._name}")
        stats = c.ConsumerStats()
        with self._lock:
            status = held.aimdb_reader_stats(self._handle, ctypes.byref(stats))
            if status != c.OK and self._last is not None:
                stats = self._last
            elif status != c.OK:  # who owns the database has ended it
                raise Closed(f"consumer {self._name}: its account has ended with the database")
            # Received, and not begun: it waits in the batch, or was cut off.
            begun = self._handed - operator.length_hint(self._values) - self._cut
            waiting = stats.delivered - begun
            over = self._stopping or stats is self._last
            return _stats.consumer(
                stats,
                delivered=begun,
                pending=stats.pending + (0 if over else waiting),
                abandoned=stats.abandoned + (waiting if over else 0),
                failures=self._failures,
                callback_ns=self._spent,
                callback_max_ns=self._longest,
            )


class Consumer(Generic[T]):
    """A function that gets the values of a record, one call at a time, in order,
    on a thread of its own. Made by `Record.consumer`. It can be called like the
    function itself.

    It lives until it is unsubscribed or its database ends, also when nothing
    holds this object.
    """

    def __init__(self, record: Record[T], loop: Loop, function: ConsumerFunction[T]) -> None:
        self._record = record
        self._loop = loop
        self._function = function
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._function(*arguments, **named)

    @property
    def record(self) -> Record[T]:
        """The record it is subscribed to."""
        return self._record

    def stats(self) -> ConsumerStats:
        """Its account; the last one if it has ended.

        Raises:
            Closed: the database was C's, and C has destroyed it.
        """
        return self._loop.stats()

    def unsubscribe(self) -> ConsumerStats:
        """Ends the subscription; what is pending is abandoned. Returns its account.

        From outside callbacks it returns when no call runs or will run. From
        inside any function called by AimDB it never waits: no further call
        begins, and `wait` tells the end.
        """
        if not _library.forked:
            self._loop.stop()
            self._record._database._loops.discard(self._loop)
            if not _inside.callback():
                _wait.until_set(self._loop.ended)
        return self._loop.stats()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until it has ended: no call runs or will run.

        Args:
            timeout: seconds; None waits for ever.

        Returns:
            whether it has ended.
        """
        return _wait.until_set(self._loop.ended, timeout)

    def __repr__(self) -> str:
        return f"<aimdb.Consumer {self._loop._name}>"
