# SPDX-License-Identifier: Apache-2.0
"""Waiting on the main thread, where Python runs signal handlers: a thread that
sleeps inside the library would not hear Ctrl-C. So the main thread waits on the
reader's descriptor by poll(), which a signal interrupts.

It never sleeps longer than _SLICE at once. CPython looks for signals before it
goes to sleep; one that comes between the look and the sleep, or that the kernel
gives to another thread, wakes nobody.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import select
import socket
import threading
import time
from typing import Callable, Optional, TypeVar

from ._library import released
from ._status import check
from ._structs import ERR_HANDLE

T = TypeVar("T")

_SLICE = 1.0  # seconds


class _MainThread:
    """The main thread waits for one reader at a time; `bell` wakes it when that
    reader is closed, as closing a descriptor does not end a poll on it."""

    reader = 0
    bell: Optional[tuple[socket.socket, socket.socket]] = None


def is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def descriptor(reader: int, of: str) -> int:
    """The reader's descriptor; -1 if the reader has ended."""
    fd = ctypes.c_int(-1)
    status = released.aimdb_reader_fd(reader, ctypes.byref(fd))
    if status != ERR_HANDLE:
        check(status, of)
    return fd.value


def poll(reader: int, of: str, is_closed: Callable[[], bool], timeout: Optional[float]) -> None:
    """Returns when there may be something to receive, the reader is closed, the
    timeout (seconds) is over, or a slice of it."""
    readable = descriptor(reader, of)
    if readable < 0:
        return
    if _MainThread.bell is None:
        ends = socket.socketpair()
        for end in ends:
            end.setblocking(False)
        _MainThread.bell = ends
    listening = _MainThread.bell[1]
    waiter = select.poll()
    waiter.register(readable, select.POLLIN)
    waiter.register(listening, select.POLLIN)
    _MainThread.reader = reader
    try:
        if is_closed():  # else close() sees that this thread waits, and rings
            return
        limit = _SLICE if timeout is None else min(timeout, _SLICE)
        ready = waiter.poll(math.ceil(limit * 1000))
        if any(fd == listening.fileno() for fd, _ in ready):
            listening.recv(64)
    finally:
        _MainThread.reader = 0


def ring(reader: int) -> None:
    """Wakes the main thread if it waits for this reader."""
    if _MainThread.reader == reader and _MainThread.bell is not None:
        with contextlib.suppress(BlockingIOError):  # it is ringing
            _MainThread.bell[0].send(b"!")


def until_set(event: threading.Event, timeout: Optional[float] = None) -> bool:
    """Waits for the event, no longer than the timeout (seconds). Whether it came."""
    if not is_main():
        return event.wait(timeout)
    until = math.inf if timeout is None else time.monotonic() + timeout
    while not event.is_set():
        left = until - time.monotonic()
        if left <= 0:
            return False
        event.wait(min(left, _SLICE))
    return True


def interruptible(call: Callable[[], T]) -> T:
    """Runs a call that sleeps inside the library. On the main thread another
    does it, so that Ctrl-C is heard."""
    if not is_main():
        return call()
    result: list[T] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            result.append(call())
        except BaseException as error:
            failure.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="aimdb-call", daemon=True).start()
    until_set(done)
    if failure:
        raise failure[0]
    return result[0]


def background(call: Callable[[], object]) -> None:
    """Runs a call on a thread of its own."""
    threading.Thread(target=call, name="aimdb-close", daemon=True).start()
