# SPDX-License-Identifier: Apache-2.0
"""Giving bytes to the library where they are: anything with a buffer."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_ssize_t, c_void_p
from typing import TYPE_CHECKING, Any, Callable

from ._errors import CodecError

if TYPE_CHECKING:
    from typing import Protocol, Union

    from typing_extensions import Buffer  # known to type checkers only

    class _Array(Protocol):
        """NumPy's, which says so by __buffer__ only for CPython 3.12 and later."""

        @property
        def __array_interface__(self) -> dict[str, Any]: ...

    Readable = Union[Buffer, _Array]


class _PyBuffer(ctypes.Structure):
    buf: int
    len: int
    _fields_ = [
        ("buf", c_void_p),
        ("obj", c_void_p),
        ("len", c_ssize_t),
        ("itemsize", c_ssize_t),
        ("readonly", c_int),
        ("ndim", c_int),
        ("format", c_char_p),
        ("shape", POINTER(c_ssize_t)),
        ("strides", POINTER(c_ssize_t)),
        ("suboffsets", POINTER(c_ssize_t)),
        ("internal", c_void_p),
    ]


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes, _get.restype = [ctypes.py_object, POINTER(_PyBuffer), c_int], c_int
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes, _release.restype = [POINTER(_PyBuffer)], None
_SIMPLE = 0  # contiguous bytes; read-only ones too


def with_buffer(call: Callable[..., int], head: tuple[int, ...], value: Any) -> int:
    """Calls with `head`, and address and size of the value's own memory."""
    view = _PyBuffer()
    try:
        _get(value, ctypes.byref(view), _SIMPLE)
    except (TypeError, BufferError, ValueError) as error:
        raise CodecError(
            f"value: is a {type(value).__name__}; "
            f"a record without a codec takes bytes or a contiguous buffer ({error})"
        ) from None
    try:
        return call(*head, view.buf, view.len)
    finally:
        _release(ctypes.byref(view))
