# SPDX-License-Identifier: Apache-2.0
"""What the library holds of Python: callbacks, and when it lets go of them.

Each gets a number as its user pointer. When the library frees the number, what
belongs to it may go.
"""

from __future__ import annotations

import itertools
import threading
from typing import Any, Optional

from ._structs import FREE_FN

_numbers = itertools.count(1)
_kept: dict[int, tuple[Any, threading.Event]] = {}


def keep(callback: Any) -> tuple[int, threading.Event]:
    """Keeps a callback alive. Its number, and the event of its end."""
    number, ended = next(_numbers), threading.Event()
    _kept[number] = (callback, ended)
    return number, ended


def drop(number: Optional[int]) -> None:
    """The library will never use it again (or did not take it)."""
    _, ended = _kept.pop(number or 0, (None, None))
    if ended is not None:
        ended.set()


free = FREE_FN(drop)
