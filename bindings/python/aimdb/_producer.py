# SPDX-License-Identifier: Apache-2.0
"""Producer functions written in Python.

The library calls them on the thread that produces: one of Python's, inside
`produce`, or one of C's, for which ctypes takes the GIL.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from types import CodeType, FrameType
from typing import Any, Callable, Final, Optional

from . import _foreign, _inside
from . import _structs as c
from ._codec import Codec, decode_one
from ._emitter import Emitter, takes_emitter
from ._library import released
from ._report import report
from ._status import check


class _Reject:
    def __repr__(self) -> str:
        return "aimdb.REJECT"


#: What a producer function returns to reject a value.
REJECT: Final = _Reject()


class _Raised(threading.local):
    error: Optional[BaseException] = None


_raised = _Raised()

#: The code of the functions that produce and take over what a producer function raised.
callers: set[CodeType] = set()


def take_raised() -> Optional[BaseException]:
    """The exception because of which the last value of this thread was rejected."""
    error, _raised.error = _raised.error, None
    return error


def set_producer(  # noqa: PLR0917
    record: int,
    database: int,
    of: str,
    codec: Optional[Codec[Any]],
    function: Callable[..., Any],
    on_error: Optional[Callable[[BaseException, Any], object]],
) -> None:
    wants_emitter = takes_emitter(function)

    def judge(pointer: int, message: c.Message, draft: c.Draft) -> int:
        value = decode_one(codec, ctypes.string_at(message.data, message.size))
        if wants_emitter:
            emitter = Emitter(database, pointer)
            try:
                result = function(value, emitter)
            finally:
                emitter._valid = False
        else:
            result = function(value)
        if result is None:
            return c.ACCEPT
        if result is REJECT:
            return c.REJECT
        data = bytes(result if codec is None else codec.encode(result))
        draft.size = len(data)  # one that is too large is the library's to refuse
        if len(data) <= draft.capacity:
            ctypes.memmove(draft.data, data, len(data))
        return c.REPLACE

    def refuse(error: BaseException, caller: Optional[FrameType]) -> int:
        if caller is not None and caller.f_code in callers:
            _raised.error = error
        else:  # C produced: nobody else would hear of it
            report(on_error, error, function)
        return c.REJECT

    def called(pointer: int, message: Any, draft: Any, _user: int) -> int:
        _inside.enter()
        try:
            return judge(pointer, message.contents, draft.contents)
        except BaseException as error:
            return refuse(error, sys._getframe().f_back)
        finally:
            _inside.leave()

    callback = c.PRODUCER_FN(called)
    number, _ = _foreign.keep(callback)
    config = c.ProducerConfig(fn=callback, user=number, free=_foreign.free)
    try:
        check(released.aimdb_set_producer(record, ctypes.byref(config)), of)
    except BaseException:
        _foreign.drop(number)
        raise
