# SPDX-License-Identifier: Apache-2.0
import gc
import threading
import weakref

import pytest

import aimdb
from conftest import TIMEOUT, number


def test_lifecycle_call_in_the_wrong_state_says_so():
    db = aimdb.Database()
    with pytest.raises(aimdb.StateError, match="not started"):
        db.close()
    db.start()
    with pytest.raises(aimdb.StateError, match="running"):
        db.start()
    with pytest.raises(aimdb.StateError, match="before start"):
        db.register("a")
    with pytest.raises(aimdb.StateError, match="close it before"):
        db.destroy()
    assert db.close() is aimdb.CloseResult.DELIVERED
    with pytest.raises(aimdb.StateError):
        db.start()
    db.destroy()
    db.destroy()


def test_lifecycle_everything_raises_closed_after_the_end_and_accounts_remain():
    with aimdb.Database() as db:
        record = db.register("a")
        reader, consumer = record.subscribe(), record.consumer(lambda _: None)
        db.start()
        record.produce(b"v")
    calls = [
        lambda: record.produce(b"v"),
        lambda: record.produce_many([b"v"]),
        lambda: record.produce(bytearray(b"v")),
        record.stats,
        record.subscribe,
        record.peek,
        lambda: record.consumer(print),
        lambda: db.open("a"),
        lambda: db["a"],
        lambda: db.register("b"),
        db.start,
        db.close,
        db.stats,
        reader.get,
        reader.get_nowait,
    ]
    for call in calls:
        with pytest.raises(aimdb.Closed):
            call()
    assert reader.stats().abandoned == 1
    assert consumer.stats().delivered == 1
    assert "ended" in repr(db)


def test_lifecycle_with_block_that_was_not_started_or_is_closed_ends_well():
    with aimdb.Database() as db:
        db.register("a").consumer(print)
    with aimdb.Database() as db:
        db.start()
        db.close()
    with aimdb.Database() as db:
        db.start()
        db.close()
        db.destroy()


def test_lifecycle_with_block_waits_for_consumers(gate):
    with aimdb.Database(close_timeout=TIMEOUT) as db:
        record = db.register("a")
        consumer = record.consumer(gate)
        db.start()
        record.produce_many([number(i) for i in range(100)])
        threading.Timer(0.02, gate.go.set).start()
    assert len(gate.got) == 100
    assert consumer.stats().abandoned == 0


def test_lifecycle_with_block_that_raises_does_not_wait(gate):
    with pytest.raises(LookupError, match="mine"), aimdb.Database(close_timeout=None) as db:
        record = db.register("a")
        consumer = record.consumer(gate)
        db.start()
        record.produce_many([b"v"] * 3)
        assert gate.inside.wait(TIMEOUT)
        raise LookupError("mine")
    gate.go.set()
    assert consumer.wait(TIMEOUT)
    assert (consumer.stats().delivered, consumer.stats().abandoned) == (1, 2)


def test_lifecycle_several_databases_live_at_once():
    with aimdb.Database() as one, aimdb.Database() as other:
        records = [db.register("a") for db in (one, other)]
        readers = [record.subscribe() for record in records]
        one.start()
        other.start()
        records[0].produce(b"one")
        one.close()
        records[1].produce(b"other")
        assert [reader.get() for reader in readers] == [b"one", b"other"]


def test_lifecycle_database_that_is_garbage_ends_and_says_that_it_was_not_closed():
    db = aimdb.Database()
    consumer = db.register("a").consumer(lambda _: None)
    loop, gone = consumer._loop, weakref.ref(db)
    db.start()
    with pytest.warns(ResourceWarning, match="not closed"):
        del db, consumer
        gc.collect()
    assert gone() is None
    assert loop.ended.wait(TIMEOUT)


def test_lifecycle_many_databases_leave_no_threads_and_no_callbacks(run_python):
    program = """
import aimdb, logging, os, threading
from aimdb import _foreign
def once():
    with aimdb.Database(log=lambda *_: None) as db:
        record = db.register("a")
        record.producer(lambda value: None)
        seen = [record.consumer(lambda value: None) for _ in range(3)]
        reader = record.subscribe()
        db.start()
        record.produce_many([b"v"] * 100)
        reader.get()
for _ in range(10):
    once()
before = len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
for _ in range(100):
    once()
for _ in range(1000):  # the last threads may be about to end
    after = len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
    if after <= before: break
    threading.Event().wait(0.01)
assert after <= before, (before, after)
assert not _foreign._kept
"""
    run_python(program)
