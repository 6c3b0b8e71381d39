# SPDX-License-Identifier: Apache-2.0
"""Emission from inside a function that AimDB called."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable, TypeVar, Union

from ._errors import ArgumentError, EmitterError, HandleError

if TYPE_CHECKING:
    from ._record import Record
    from ._send import Readable

T = TypeVar("T")


class Emitter:
    """Given to a consumer or producer function that takes two arguments; valid
    during that call, on any thread."""

    __slots__ = ("_database", "_pointer", "_valid")

    def __init__(self, database: int, pointer: int = 0) -> None:
        self._database = database
        self._pointer = pointer  # the library's emitter; 0 on a consumer's own thread
        self._valid = True

    def emit(self, record: Record[T], value: Union[T, Readable]) -> None:
        """Produces a value into a record of the same database.

        Raises:
            EmitterError: the call that got this emitter has returned.
            HandleError: the record is of another database.
            DepthError: emission is nested deeper than 16.
            and as `Record.produce`.
        """
        if not self._valid:
            raise EmitterError("emitter: its call has returned")
        if record._database._handle != self._database:
            raise HandleError(f"record {record.key!r}: is not of the emitter's database")
        if self._pointer:
            record._emit(self._pointer, value)
        else:
            record.produce(value)


def takes_emitter(function: Callable[..., Any]) -> bool:
    """Whether a function wants an emitter: it needs two arguments."""
    if not callable(function):
        raise ArgumentError(f"function: {function!r} is not callable")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False  # of C, without a signature
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [p for p in parameters if p.kind in positional]
    needed = [p for p in taken if p.default is inspect.Parameter.empty]
    more = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    if len(needed) > 2 or not (taken or more):
        raise ArgumentError(f"function: {function!r} must take a value, or a value and an emitter")
    return len(needed) == 2
