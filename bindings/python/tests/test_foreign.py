# SPDX-License-Identifier: Apache-2.0
"""Together with C in one process."""

import ctypes
import logging

import pytest

import aimdb
from conftest import TIMEOUT, balanced, number_of


def produce(native, record, values):
    native.native_produce.restype = ctypes.c_void_p
    return native.native_produce(ctypes.c_void_p(record._handle), ctypes.c_uint64(values))


def join(native, job):
    counts = (ctypes.c_uint64 * 3)()
    native.native_join(ctypes.c_void_p(job), counts)
    return tuple(counts)


def test_foreign_threads_produce_into_a_record_with_a_producer_function_of_python(db, native):
    record, seen, errors = db.register("a", aimdb.Ring(4096), "<Q"), [], []
    record.consumer(seen.append)

    @record.producer(on_error=lambda error, function: errors.append(error))
    def judge(value):
        if value % 10 == 3:
            raise ValueError(value)
        return aimdb.REJECT if value % 10 == 7 else None

    db.start()
    jobs = [produce(native, record, 1000) for _ in range(3)]
    record.produce(5)
    assert [join(native, job) for job in jobs] == [(800, 200, 0)] * 3
    db.close(TIMEOUT)
    assert len(seen) == 2401
    assert not {value % 10 for value in seen} & {3, 7}
    assert len(errors) == 300  # nobody else would hear of them
    assert all(isinstance(error, ValueError) for error in errors)
    with pytest.raises(aimdb.Closed):  # and none of them is told here
        record.produce(1)


def test_foreign_threads_produce_and_python_consumes(db, native):
    record, seen = db.register("a", aimdb.Ring(65536)), []
    consumer, reader = record.consumer(seen.append), record.subscribe()
    db.start()
    jobs = [produce(native, record, 10_000) for _ in range(3)]
    assert [join(native, job) for job in jobs] == [(10_000, 0, 0)] * 3
    db.close(TIMEOUT)
    assert sorted(map(number_of, seen)) == sorted([*range(10_000)] * 3)
    assert list(reader) == seen
    assert balanced(consumer.stats())


def test_foreign_database_is_used_from_its_handle_and_stays_cs(native):
    handle = native.native_database()
    with aimdb.Database.from_handle(handle) as db:
        assert db.handle == handle
        numbers = db.open("numbers", aimdb.Struct("<Q", type_name="number"))
        reader, seen = numbers.subscribe(), []
        consumer = numbers.consumer(seen.append)
        numbers.produce(7)
        assert reader.get(TIMEOUT) == 7
        with pytest.raises(aimdb.StateError):
            db.start()
        with pytest.raises(aimdb.StateError, match="not Python's own"):
            numbers.producer(lambda value: None)
        with pytest.raises(aimdb.RecordTypeError):
            db.open("numbers", "<q")
    assert consumer.wait(TIMEOUT)
    assert consumer.stats().offered == 1
    with pytest.raises(aimdb.Closed):
        reader.get()
    with aimdb.Database.from_handle(handle) as again:  # C's goes on
        assert again["numbers"].stats().produced == 1
        assert again["numbers"].stats().readers == 0
        ending = again["numbers"].subscribe()
        again_seen = []
        again["numbers"].consumer(again_seen.append)
        again["numbers"].produce(b"12345678")
        assert native.native_end(ctypes.c_void_p(handle)) == 0
        with pytest.raises(aimdb.Closed):
            ending.get()
    with pytest.raises(aimdb.HandleError, match="handle"):
        aimdb.Database.from_handle(handle)


def test_foreign_log_lines_come_from_any_thread(native, caplog):
    """A warning of the library's, here that values were abandoned."""
    with caplog.at_level(logging.DEBUG, "aimdb.test"):
        db = aimdb.Database(log=logging.getLogger("aimdb.test"), log_level="debug")
        db.register("a")
        db.start()
        db.close()
        db.destroy()
        assert db._log_ended.wait(TIMEOUT)
    assert "database destroyed" in [record.getMessage() for record in caplog.records]
