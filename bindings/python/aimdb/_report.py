# SPDX-License-Identifier: Apache-2.0
"""Where an exception goes that has no caller to go to."""

from __future__ import annotations

import sys
from typing import Any, Callable, Optional

#: Called with the exception and the function that raised it.
OnError = Callable[[BaseException, Any], object]


class _Last:
    def __del__(self) -> None:
        raise ValueError(type(self))


def _arguments_type() -> Any:
    """The type of what sys.unraisablehook takes has no name in Python: it is
    learnt from an exception that nobody can catch."""
    before, seen = sys.unraisablehook, []

    def hook(arguments: Any) -> None:
        mine = isinstance(arguments.exc_value, ValueError) and any(
            of is _Last for of in arguments.exc_value.args
        )
        if mine:
            seen.append(type(arguments))
        else:
            before(arguments)

    sys.unraisablehook = hook
    try:
        _Last()
    finally:
        sys.unraisablehook = before
    return seen[0]


_UnraisableHookArgs = _arguments_type()


def unraisable(error: BaseException, of: Any) -> None:
    """Gives an exception to sys.unraisablehook."""
    try:
        sys.unraisablehook(_UnraisableHookArgs((type(error), error, error.__traceback__, None, of)))
    except BaseException as failure:  # of a hook of the user's
        sys.__unraisablehook__(
            _UnraisableHookArgs((type(failure), failure, failure.__traceback__, None, of))
        )


def report(handler: Optional[OnError], error: BaseException, of: Any) -> None:
    """Gives an exception to the user's handler, or else to sys.unraisablehook."""
    if handler is None:
        unraisable(error, of)
        return
    try:
        handler(error, of)
    except BaseException as failure:
        unraisable(failure, handler)
