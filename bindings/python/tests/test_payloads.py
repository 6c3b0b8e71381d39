# SPDX-License-Identifier: Apache-2.0
import array
import ctypes

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aimdb


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=100))
def test_payload_of_any_bytes_arrives_unchanged(values):
    with aimdb.Database() as db:
        record = db.register("a", payload_max=300)
        one, many, seen = record.subscribe(), record.subscribe(), []
        record.consumer(seen.append)
        db.start()
        half = len(values) // 2
        for value in values[:half]:
            record.produce(value)
        assert record.produce_many(values[half:]) == len(values) - half
        assert [one.get_nowait() for _ in values] == values
        assert many.get_many() == values
    assert seen == values


def test_payload_of_payload_max_arrives_and_over_it_is_refused(db):
    record = db.register("a", payload_max=10)
    reader = record.subscribe()
    db.start()
    record.produce(b"0123456789")
    with pytest.raises(aimdb.SizeError, match="'a': size: is 11, the record takes at most 10"):
        record.produce(b"0123456789x")
    with pytest.raises(ValueError, match="at most 10"):
        record.produce_many([b"x" * 11])
    assert record.stats().produced == 1
    assert reader.get_many() == [b"0123456789"]


def test_payload_of_a_large_size_arrives(db):
    size = 3 << 20
    record = db.register("a", aimdb.Ring(4), payload_max=size)
    reader, seen = record.subscribe(), []
    record.consumer(seen.append)
    db.start()
    values = [bytes([i]) * (size - i) for i in range(3)]
    record.produce_many(values)
    assert [reader.get(0), *reader.get_many(), *reader.get_many()] == values
    db.close(60)
    assert seen == values


def test_payload_of_a_record_with_an_exact_size_must_have_it(db):
    record = db.register("a", exact_size=4)
    assert (record.exact_size, record.payload_max) == (4, 4)
    db.start()
    for wrong in (b"", b"123", b"12345"):
        with pytest.raises(aimdb.SizeError, match="exactly 4|at most 4"):
            record.produce(wrong)
    record.produce(b"1234")


def test_payload_type_another_type_name_or_size_does_not_open_the_record(db):
    db.register("a", codec="<d", type_name="Temperature")
    assert db.open("a", "<d", type_name="Temperature").type_name == "Temperature"
    assert db.open("a").type_name == "Temperature"
    assert db.open("a", "<d", type_name="").exact_size == 8
    with pytest.raises(aimdb.RecordTypeError, match="Command"):
        db.open("a", "<d", type_name="Command")
    with pytest.raises(TypeError, match="type_name|exact_size"):
        db.open("a", "<f")
    with pytest.raises(aimdb.RecordTypeError, match="exact_size: is 4"):
        db.open("a", "<f", type_name="Temperature")


BUFFERS = {
    "bytes": b"12345678",
    "bytearray": bytearray(b"12345678"),
    "memoryview": memoryview(b"12345678"),
    "read-only array": memoryview(array.array("i", [1, 2])).toreadonly(),
    "array": array.array("d", [1.5]),
    "numpy": numpy.arange(4, dtype="u2"),
    "numpy 2-d": numpy.arange(4, dtype="u2").reshape(2, 2),
    "numpy read-only": numpy.frombuffer(b"12345678", dtype="i4"),
    "numpy scalar": numpy.float64(2.5),
    "ctypes array": (ctypes.c_char * 8)(*b"12345678"),
    "ctypes int": ctypes.c_uint64(7),
}


@pytest.mark.parametrize("value", BUFFERS.values(), ids=BUFFERS)
def test_payload_of_any_contiguous_buffer_goes_in_and_comes_as_bytes(db, value):
    record, other = db.register("a"), db.register("b")
    reader, emitted = record.subscribe(), other.subscribe()

    @record.producer
    def pass_on(_value, emitter):
        emitter.emit(other, value)

    db.start()
    record.produce(value)
    record.produce_many([b"first", value, b"last"])
    expected = bytes(memoryview(value).cast("B"))
    assert reader.get_many() == [expected, b"first", expected, b"last"]
    assert emitted.get_many() == [expected] * 4


def test_payload_received_works_with_numpy(db):
    record = db.register("a", payload_max=8000)
    reader = record.subscribe()
    db.start()
    signal = numpy.sin(numpy.linspace(0, 1, 1000))
    record.produce(signal)
    assert numpy.array_equal(numpy.frombuffer(reader.get(0)), signal)


def test_payload_is_copied_during_produce_and_the_buffer_let_go(db):
    record = db.register("a")
    reader = record.subscribe()
    db.start()
    memory = bytearray(b"before")
    record.produce(memory)
    memory[:] = b"after, and longer"  # a held buffer could not be resized
    assert reader.get(0) == b"before"


@pytest.mark.parametrize(
    "value",
    [None, 1, 2**70, "text", 1.5, object(), [1], {}, numpy.arange(8)[::2], ctypes.c_void_p],
    ids=repr,
)
def test_payload_of_another_type_is_refused_and_nothing_enqueued(db, value):
    record = db.register("a")
    db.start()
    with pytest.raises(aimdb.CodecError, match="^value: is a "):
        record.produce(value)
    with pytest.raises(TypeError) as caught:
        record.produce_many([b"1", value, b"2"])
    assert caught.value.index == 1
    assert record.stats().produced == 1
