# SPDX-License-Identifier: Apache-2.0
"""The exceptions. Each carries the library's text, which names the argument
and the rule."""

from __future__ import annotations

import queue
from typing import Any, Optional


class Error(Exception):
    """The root of all exceptions of AimDB."""


class LibraryError(Error, ImportError):
    """libaimdb is not to be found, is there twice, or has another ABI version."""


class Empty(Error, queue.Empty):
    """Nothing there, or nothing came before the timeout."""


class Closed(Error):
    """The database or the reader is closed."""


class Lagged(Error):
    """Values were lost to this reader, because it was more than the ring's
    capacity behind. The next call goes on with the oldest value held."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} values were lost")
        #: how many values were lost, exactly
        self.count = count


class Rejected(Error):
    """The record's producer function rejected the value. If it raised an
    exception, that is the `__cause__`."""


class ArgumentError(Error, ValueError):
    """An argument is out of its range."""


class HandleError(Error, ValueError):
    """A handle that the library does not know."""


class StateError(Error, RuntimeError):
    """The call does not fit the state of the database or object."""


class KeyFormatError(Error, ValueError):
    """A key is empty, longer than 255 bytes, or has a forbidden character."""


class ExistsError(Error, ValueError):
    """The key is registered already, or the record has a producer function."""


class NotFoundError(Error, KeyError):
    """No record has this key."""

    __str__ = Exception.__str__  # KeyError would show the text in quotes


class RecordTypeError(Error, TypeError):
    """The record was registered with another type name or exact size."""


class SizeError(Error, ValueError):
    """A value is larger than payload_max, or has not the exact size."""


class CodecError(Error, TypeError, ValueError):
    """A value does not fit the record's codec."""

    def __init__(self, text: str, values: Optional[list[Any]] = None) -> None:
        super().__init__(text)
        #: of get_many: the values of the batch that could be decoded
        self.values = values if values is not None else []


class VersionError(Error):
    """A struct of a version that the library can't serve."""


class NoMemoryError(Error, MemoryError):
    """Memory or address space is not to be had."""


class NoThreadsError(Error, RuntimeError):
    """A thread is not to be had."""


class NoDescriptorsError(Error, OSError):
    """A file descriptor is not to be had."""


class DepthError(Error, RecursionError):
    """Emission nested deeper than 16."""


class EmitterError(Error, RuntimeError):
    """An emitter was used after its call."""


class ForkedError(Error, RuntimeError):
    """Used in a child of fork(); only the parent can use a database."""


class UnsupportedError(Error, TypeError):
    """This kind of buffer can't do it (peek on a ring)."""


class InternalError(Error, SystemError):
    """A fault in the library was caught; please report it."""


BY_STATUS: dict[int, type[Error]] = {
    1: Empty,
    3: Empty,
    4: Closed,
    5: Rejected,
    -1: ArgumentError,
    -2: HandleError,
    -3: StateError,
    -4: KeyFormatError,
    -5: ExistsError,
    -6: NotFoundError,
    -7: RecordTypeError,
    -8: SizeError,
    -9: InternalError,  # the buffers of this package hold payload_max
    -10: VersionError,
    -11: NoMemoryError,
    -12: NoThreadsError,
    -13: NoDescriptorsError,
    -14: DepthError,
    -15: EmitterError,
    -16: ForkedError,
    -17: UnsupportedError,
    -18: InternalError,
}
