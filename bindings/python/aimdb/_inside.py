# SPDX-License-Identifier: Apache-2.0
"""Whether this thread is inside a function that AimDB called: there nothing
may wait for the end of a consumer, as it could be its own."""

from __future__ import annotations

import threading


class _Inside(threading.local):
    depth = 0


_here = _Inside()


def enter() -> None:
    _here.depth += 1


def leave() -> None:
    _here.depth -= 1


def callback() -> bool:
    return _here.depth > 0
