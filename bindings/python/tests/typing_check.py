# SPDX-License-Identifier: Apache-2.0
"""What a type checker says of programs that use the package. mypy reads it, and
fails if a line is not refused that is marked to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aimdb

if TYPE_CHECKING:
    import ctypes

    from typing_extensions import assert_type

    @dataclass
    class Sample:
        number: int

    class Structure(ctypes.Structure):
        pass

    class Upper:
        def encode(self, value: str, /) -> bytes: ...
        def decode(self, data: bytes, /) -> str: ...

    db = aimdb.Database()
    raw = db.register("raw", aimdb.Ring(8))
    sample = db.register("sample", codec=Sample)
    text = db.open("text", Upper())
    any_format = db.register("double", aimdb.Latest(), codec="<d")

    assert_type(raw, aimdb.Record[bytes])
    assert_type(sample, aimdb.Record[Sample])
    assert_type(db.open("sample", Structure), aimdb.Record[Structure])
    assert_type(text, aimdb.Record[str])
    assert_type(any_format, aimdb.Record[Any])
    assert_type(db["raw"], aimdb.Record[bytes])

    raw.produce(b"v")
    raw.produce(bytearray(b"v"))
    sample.produce(Sample(1))
    sample.produce(5)  # type: ignore[arg-type]
    raw.produce("v")  # type: ignore[arg-type]
    text.produce_many(["a"])
    text.produce_many([1])  # type: ignore[list-item]

    assert_type(sample.subscribe().get(), Sample)
    assert_type(sample.subscribe().get_many(), list[Sample])
    for value in text.subscribe():
        assert_type(value, str)

    async def read() -> None:
        reader = sample.subscribe_async()
        assert_type(await reader.get(), Sample)
        async for value in text.subscribe():
            assert_type(value, str)

    @sample.consumer
    def consume(value: Sample) -> None: ...

    assert_type(consume, aimdb.Consumer[Sample])

    @sample.consumer(on_lag=lambda count: None)
    def consume_and_emit(value: Sample, emitter: aimdb.Emitter) -> None:
        emitter.emit(text, "a")
        emitter.emit(text, 5)  # type: ignore[misc]

    @sample.consumer  # type: ignore[arg-type]
    def wrong(value: str) -> None: ...

    @sample.producer
    def judge(value: Sample) -> Any: ...

    db.register("a", 5)  # type: ignore[call-overload]
    db.close("now")  # type: ignore[arg-type]
    sample.subscribe(on_lag="never")  # type: ignore[arg-type]
