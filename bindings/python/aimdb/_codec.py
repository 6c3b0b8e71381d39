# SPDX-License-Identifier: Apache-2.0
"""Codecs: what the bytes of a record mean in Python."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import re
import struct
import sys
import typing
from typing import Any, Callable, Generic, Optional, Protocol, TypeVar, Union

from ._errors import ArgumentError, CodecError

T = TypeVar("T")


class Codec(Protocol[T]):
    """Anything with `encode` and `decode` is a codec. It may also have

    - `size`: the exact size in bytes of every value, else any size is taken;
    - `type_name`: compared when a record is opened, so that a temperature is
      never read as a command.

    An exception in `encode` reaches who produces, one in `decode` who receives.
    """

    def encode(self, value: T, /) -> bytes:
        """The bytes of a value."""

    def decode(self, data: bytes, /) -> T:
        """The value of bytes."""


class Struct:
    """A format of the module `struct`. A value is a tuple, or without one if the
    format has a single field.

    Args:
        format: as of `struct.Struct`; C's own alignment unless it begins with
            one of `=<>!`.
        type_name: compared when a record is opened; default the name that C++ gives
            what the format stands for ("float64" of "d", "int32[4]" of "<4i"), or
            "struct FORMAT" if it has none.
    """

    def __init__(self, format: str, *, type_name: Optional[str] = None) -> None:
        try:
            self._struct = struct.Struct(format)
        except (struct.error, UnicodeError) as error:
            raise ArgumentError(f"codec: {format!r} is no struct format: {error}") from None
        self.size = self._struct.size
        self.type_name = _type_name(self._struct) if type_name is None else type_name
        self._single = _fields(format) == 1

    def encode(self, value: Any) -> bytes:
        try:
            return self._struct.pack(value) if self._single else self._struct.pack(*value)
        except (struct.error, TypeError) as error:
            raise CodecError(
                f"value: {value!r} does not fit {self._struct.format!r}: {error}"
            ) from None

    def decode(self, data: bytes) -> Any:
        fields = self._struct.unpack(data)
        return fields[0] if self._single else fields


S = TypeVar("S", bound=ctypes.Structure)


class CStruct(Generic[S]):
    """A `ctypes.Structure`; each value received is a copy of its own.

    Args:
        structure: the class.
        type_name: compared when a record is opened; default the class's name.
    """

    def __init__(self, structure: type[S], *, type_name: Optional[str] = None) -> None:
        self._structure = structure
        self.size = ctypes.sizeof(structure)
        self.type_name = structure.__name__ if type_name is None else type_name
        self.decode: Callable[[bytes], S] = structure.from_buffer_copy

    def encode(self, value: S) -> bytes:
        if not isinstance(value, self._structure):
            raise CodecError(
                f"value: is a {type(value).__name__}, not a {self._structure.__name__}"
            )
        return bytes(value)


_FORMAT_OF: dict[Any, str] = {int: "q", float: "d", bool: "?"}


class Dataclass(Generic[T]):
    """A dataclass laid out as C would lay out the struct, padding included.

    A field is an `int` (64 bits), `float` (a double), `bool`, or `Annotated`
    with a format of one field: `Annotated[int, "H"]`, `Annotated[float, "f"]`,
    `Annotated[bytes, "16s"]`, `Annotated[str, "16s"]` (UTF-8, ended by NULs).

    Args:
        cls: the dataclass.
        type_name: compared when a record is opened; default the class's name.
    """

    def __init__(self, cls: type[T], *, type_name: Optional[str] = None) -> None:
        if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
            raise ArgumentError(f"codec: {cls!r} is not a dataclass")
        self._cls = cls
        self._names = [field.name for field in dataclasses.fields(cls) if field.init]
        hints = typing.get_type_hints(cls, include_extras=True)
        formats = [self._format(name, hints[name]) for name in self._names]
        # As in C, the size is a multiple of the strictest alignment of a field.
        codes = {re.sub(r"\d", "", f) for f in formats}
        strictest = max(codes, key=_alignment, default="x")
        self._struct = struct.Struct("".join(formats) + "0" + strictest)
        self._texts = [
            i for i, name in enumerate(self._names) if typing.get_args(hints[name])[:1] == (str,)
        ]
        self.size = self._struct.size
        self.type_name = cls.__name__ if type_name is None else type_name

    def _format(self, name: str, hint: Any) -> str:
        base, *notes = typing.get_args(hint) if hasattr(hint, "__metadata__") else [hint]
        format = next((n for n in notes if isinstance(n, str)), _FORMAT_OF.get(base))
        try:
            if format is not None and _fields(format) == 1:
                return format
        except (struct.error, UnicodeError):
            pass
        raise ArgumentError(
            f"codec: field {name!r} of {self._cls.__name__} is {hint!r}; it must be int, float, "
            'bool, or Annotated with a struct format of one field, as Annotated[bytes, "16s"]'
        )

    def encode(self, value: T) -> bytes:
        if not isinstance(value, self._cls):
            raise CodecError(f"value: is a {type(value).__name__}, not a {self._cls.__name__}")
        fields = [getattr(value, name) for name in self._names]
        try:
            for i in self._texts:
                fields[i] = fields[i].encode()
            return self._struct.pack(*fields)
        except (struct.error, AttributeError) as error:
            raise CodecError(f"value: {value!r} does not fit its fields: {error}") from None

    def decode(self, data: bytes) -> T:
        fields = list(self._struct.unpack(data))
        for i in self._texts:
            fields[i] = fields[i].rstrip(b"\0").decode()
        return self._cls(**dict(zip(self._names, fields)))


_KIND_OF = {"?": "bool", "c": "char", "s": "char", "e": "float", "f": "float", "d": "float"}


def _type_name(of: struct.Struct) -> str:
    """As aimdb.hpp names numbers and arrays of them, in the machine's byte order."""
    match = re.fullmatch(r"([@=<>!]?)(\d*)([?csefdbBhHiIlLqQnN])", of.format)
    order, count, code = match.groups() if match else ("", "", "")
    size = struct.calcsize(order + code)
    foreign = order in ((">", "!") if sys.byteorder == "little" else ("<",)) and size > 1
    if not match or foreign or (count and int(count) == 0):
        return f"struct {of.format}"
    kind = _KIND_OF.get(code, "int" if code.islower() else "uint")
    bits = "" if kind in ("bool", "char") else str(8 * size)
    return kind + bits + (f"[{int(count)}]" if count else "[1]" if code == "s" else "")


def _fields(format: str) -> int:
    return len(struct.unpack(format, bytes(struct.calcsize(format))))


def _alignment(code: str) -> int:
    return struct.calcsize("b" + code) - struct.calcsize(code)


class Json:
    """JSON, UTF-8 without spaces. Set the record's `payload_max` to what the
    largest value needs.

    Args:
        type_name: compared when a record is opened; default "json".
    """

    def __init__(self, *, type_name: str = "json") -> None:
        self.type_name = type_name
        self._encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

    def encode(self, value: Any) -> bytes:
        try:
            return self._encode(value).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise CodecError(f"value: {value!r:.80} can't be written as JSON: {error}") from None

    def decode(self, data: bytes) -> Any:
        return json.loads(data)


#: what `register` and `open` take as a codec
AnyCodec = Union[str, type[T], Codec[T], None]


def resolve(codec: AnyCodec[T]) -> Optional[Codec[T]]:
    """The codec that a format, a class or a codec stands for; None for bytes."""
    made: Any = codec
    if codec is None or codec is bytes:
        return None
    if isinstance(codec, str):
        made = Struct(codec)
    elif isinstance(codec, type) and issubclass(codec, ctypes.Structure):
        made = CStruct(codec)
    elif isinstance(codec, type) and dataclasses.is_dataclass(codec):
        made = Dataclass(codec)
    if not (callable(getattr(made, "encode", None)) and callable(getattr(made, "decode", None))):
        raise ArgumentError(
            f"codec: {codec!r} is not a struct format, a dataclass, a ctypes.Structure, "
            "or an object with encode and decode"
        )
    if isinstance(made, type):
        raise ArgumentError(f"codec: {codec!r} is a class; give an object of it")
    return typing.cast("Codec[T]", made)


def decode_one(codec: Optional[Codec[T]], data: bytes) -> T:
    """Decodes; what a codec of others raises becomes a CodecError."""
    if codec is None:
        return typing.cast(T, data)
    try:
        return codec.decode(data)
    except CodecError:
        raise
    except Exception as error:
        raise CodecError(
            f"value: {len(data)} bytes can't be decoded: {type(error).__name__}: {error}"
        ) from error


def decode_all(codec: Optional[Codec[T]], batch: list[bytes]) -> list[T]:
    """Decodes all; those that can't be are told by a CodecError, which has the rest."""
    if codec is None:
        return typing.cast("list[T]", batch)
    try:
        return list(map(codec.decode, batch))
    except Exception:
        return _decode_what_can_be(codec, batch)


def _decode_what_can_be(codec: Codec[T], batch: list[bytes]) -> list[T]:
    good: list[T] = []
    bad: list[CodecError] = []
    for data in batch:
        try:
            good.append(decode_one(codec, data))
        except CodecError as error:
            bad.append(error)
    raise CodecError(f"{bad[0]}; it and {len(bad) - 1} more of {len(batch)}", good) from bad[0]
