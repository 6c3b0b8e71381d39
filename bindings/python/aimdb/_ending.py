# SPDX-License-Identifier: Apache-2.0
"""The end of the interpreter, and the threads that it does not wait for."""

from __future__ import annotations

import threading

from . import _inside
from ._errors import Closed

SECONDS = 1.0  # that the exit waits for what still runs


class _Interpreter:
    ends = False  # set once, before its databases are ended


def begin() -> None:
    _Interpreter.ends = True


def closed(text: str) -> Closed:
    """The exception for what has ended, on the thread that gets it.

    If it ended because the interpreter does, a daemon thread is held back until
    its time is over. It would print a traceback, or go on to print, and CPython ends
    the process by abort() if it finds a thread inside of a write to stderr then.
    Not for ever, as a function that runs at exit may join the thread.
    """
    if _Interpreter.ends and threading.current_thread().daemon and not _inside.callback():
        threading.Event().wait(SECONDS)
    return Closed(text)
