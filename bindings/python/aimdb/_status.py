# SPDX-License-Identifier: Apache-2.0
"""From a status of the library to an exception, and times to nanoseconds."""

from __future__ import annotations

import math
from typing import Optional

from . import _structs as c
from ._ending import closed
from ._errors import BY_STATUS, ArgumentError, Error, InternalError
from ._library import held


def error(status: int, of: str) -> Error:
    """The exception for a status of a call that was about `of`. On the thread
    that made the call, before its next one."""
    text = held.aimdb_last_error().decode() if status < 0 else ""
    text = text or held.aimdb_strerror(status).decode()
    if status == c.CLOSED:
        return closed(f"{of}: {text}")
    return BY_STATUS.get(status, InternalError)(f"{of}: {text}")


def check(status: int, of: str) -> None:
    if status != c.OK:
        raise error(status, of)


def nanoseconds(timeout: Optional[float], name: str = "timeout") -> int:
    """Of seconds, None for ever."""
    if timeout is None:
        return c.FOREVER
    try:
        if not timeout >= 0:  # also not-a-number
            raise ArgumentError(f"{name}: is {timeout!r}; it must be 0 or more seconds, or None")
        return c.FOREVER if math.isinf(timeout) else min(int(timeout * c.NANOSECONDS), c.FOREVER)
    except TypeError:
        raise ArgumentError(f"{name}: is {timeout!r}, not a number of seconds") from None
