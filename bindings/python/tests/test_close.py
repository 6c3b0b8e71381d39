# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import threading

import pytest

import aimdb
import aimdb._consumer
import aimdb._reader
from conftest import TIMEOUT, balanced, number

DELIVERED, ABANDONED = aimdb.CloseResult.DELIVERED, aimdb.CloseResult.ABANDONED
BLOCKED, IN_PROGRESS = aimdb.CloseResult.BLOCKED, aimdb.CloseResult.IN_PROGRESS


def test_close_delivers_everything_and_refuses_intake(db):
    record, seen = db.register("a", aimdb.Ring(5000)), []
    record.consumer(seen.append)
    reader = record.subscribe()
    db.start()
    values = [number(i) for i in range(5000)]
    record.produce_many(values)
    assert db.close(TIMEOUT) is DELIVERED
    assert seen == values
    with pytest.raises(aimdb.Closed):
        record.produce(b"v")
    with pytest.raises(aimdb.Closed):
        record.subscribe()
    with pytest.raises(aimdb.Closed):
        record.consumer(print)
    assert list(reader) == values  # readers drain, statistics stay
    assert record.stats().produced == 5000
    assert db.close(0) is DELIVERED


def test_close_refuses_emission_too(db, gate):
    a, b, refused = db.register("a"), db.register("b"), []

    @a.consumer
    def emit(value, emitter):
        gate(value)
        try:
            emitter.emit(b, value)
        except aimdb.Closed:
            refused.append(value)

    db.start()
    a.produce(b"v")
    assert gate.inside.wait(TIMEOUT)
    assert db.close(0.01) is BLOCKED
    gate.go.set()
    assert emit.wait(TIMEOUT)
    assert refused == [b"v"]


def test_close_with_a_function_that_does_not_return_says_blocked_and_later_abandoned(db, gate):
    record = db.register("a")
    consumer = record.consumer(gate)
    db.start()
    record.produce_many([number(i) for i in range(10)])
    assert gate.inside.wait(TIMEOUT)
    assert db.close(0.02) is BLOCKED
    assert consumer.stats().abandoned == 9
    gate.go.set()
    assert consumer.wait(TIMEOUT)
    assert gate.got == [number(0)]  # no further call has begun
    assert db.close(TIMEOUT) is ABANDONED
    assert balanced(consumer.stats())


def test_close_cuts_off_a_batch_at_once(db):
    record, seen, first = db.register("a"), [], threading.Event()

    @record.consumer
    def slow(value):
        seen.append(value)
        first.set()
        threading.Event().wait(0.005)

    db.start()
    record.produce_many([number(i) for i in range(1000)])
    assert first.wait(TIMEOUT)
    assert db.close(0) in (ABANDONED, BLOCKED)
    assert slow.wait(TIMEOUT)
    stats = slow.stats()
    assert stats.delivered == len(seen) < 1000
    assert stats.delivered + stats.abandoned == 1000


def test_close_inside_a_consumer_never_waits_and_drains_in_the_background(db):
    record, seen, results, produced = db.register("a"), [], [], threading.Event()

    @record.consumer
    def closing(value):
        seen.append(value)
        if len(seen) == 1:
            assert produced.wait(TIMEOUT)
            results.append(db.close(TIMEOUT))
            with pytest.raises(aimdb.Closed):
                record.produce(b"v")

    db.start()
    record.produce_many([number(i) for i in range(10)])
    produced.set()
    assert closing.wait(TIMEOUT)
    assert results == [IN_PROGRESS]
    assert len(seen) == 10
    assert closing.stats().failures == 0


def test_close_inside_a_producer_function_never_waits(db, gate):
    record, other, results = db.register("a"), db.register("b"), []
    other.consumer(gate)

    @record.producer
    def closing(value):
        results.append(db.close(TIMEOUT))

    db.start()
    other.produce(b"v")
    assert gate.inside.wait(TIMEOUT)
    record.produce(b"v")  # it was under way, and is completed
    assert results == [IN_PROGRESS]
    assert record.stats().produced == 1


def test_close_refuses_a_value_whose_producer_function_outlasts_it(db, gate):
    record, refused = db.register("a"), []
    reader = record.subscribe()
    record.producer(gate)
    db.start()

    def produce():
        try:
            record.produce(b"v")
        except aimdb.Closed as closed:
            refused.append(closed)

    producer = threading.Thread(target=produce)
    producer.start()
    assert gate.inside.wait(TIMEOUT)
    assert db.close(0.01) is BLOCKED
    gate.go.set()
    producer.join(TIMEOUT)
    assert db.close(TIMEOUT) is DELIVERED
    assert len(refused) == 1
    assert list(reader) == []


def test_close_by_several_threads_waits_for_the_same_end(db):
    record, seen, results = db.register("a"), [], []
    record.consumer(seen.append)
    db.start()
    record.produce_many([b"v"] * 500)
    threads = [threading.Thread(target=lambda: results.append(db.close(TIMEOUT))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert results == [DELIVERED] * 4
    assert len(seen) == 500


@pytest.mark.parametrize("timeout", [-1, "1", float("nan")])
def test_close_timeout_that_is_no_time_is_refused(db, timeout):
    db.start()
    with pytest.raises(aimdb.ArgumentError, match="timeout"):
        db.close(timeout)
    with pytest.raises(aimdb.ArgumentError, match="close_timeout"):
        aimdb.Database(close_timeout=timeout)


def test_destroy_never_waits_for_a_function_that_runs(gate):
    db = aimdb.Database()
    record = db.register("a")
    consumer, reader = record.consumer(gate), record.subscribe()
    db.start()
    record.produce_many([b"v"] * 3)
    assert gate.inside.wait(TIMEOUT)
    assert db.close(0) is BLOCKED
    db.destroy()
    with pytest.raises(aimdb.Closed):
        reader.get()
    gate.go.set()
    assert consumer.wait(TIMEOUT)
    assert (consumer.stats().delivered, consumer.stats().abandoned) == (1, 2)
    assert reader.stats().abandoned == 3


def test_destroy_inside_a_consumer_works():
    db, produced, end = aimdb.Database(), threading.Event(), threading.Event()
    record = db.register("a")

    @record.consumer
    def last(value):
        produced.wait(TIMEOUT)
        db.close(0)
        db.destroy()
        end.set()

    db.start()
    record.produce_many([b"v"] * 3)
    produced.set()
    assert end.wait(TIMEOUT)
    assert last.wait(TIMEOUT)
    assert last.stats().delivered == 1


@pytest.mark.parametrize("kind", ["reader", "consumer"])
def test_who_looks_while_an_account_ends_finds_the_last(db, kind, monkeypatch):
    """Between the end of C's reader and the note of its last account."""
    record, looks = db.register("a"), []
    subject = record.subscribe() if kind == "reader" else record.consumer(print)
    close_reader = aimdb._reader.close_reader

    def close_and_look(handle):
        last = close_reader(handle)
        looks.append(others.submit(subject.stats))
        concurrent.futures.wait(looks, timeout=0.1)  # it waits for what this returns
        return last

    for module in (aimdb._reader, aimdb._consumer):
        monkeypatch.setattr(module, "close_reader", close_and_look)
    with concurrent.futures.ThreadPoolExecutor() as others:
        last = subject.close() if kind == "reader" else subject.unsubscribe()
        assert [look.result(TIMEOUT) for look in looks] == [last] * len(looks)
    assert looks


def test_destroy_while_others_produce_receive_and_look_is_safe():
    for _ in range(20):
        db = aimdb.Database()
        record = db.register("a", aimdb.Latest())
        readers = [record.subscribe() for _ in range(2)]
        record.consumer(lambda value: None)
        db.start()
        going, failures = threading.Barrier(6), []

        def use(call, going=going, failures=failures):
            going.wait(TIMEOUT)
            try:
                while True:
                    call()
            except aimdb.Closed:
                pass
            except BaseException as error:
                failures.append(error)

        calls = [
            lambda record=record: record.produce(b"v"),
            readers[0].get,
            readers[1].get_many,
            record.stats,
            record.peek,
        ]
        threads = [threading.Thread(target=use, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        going.wait(TIMEOUT)
        db.close(0)
        db.destroy()
        for thread in threads:
            thread.join(TIMEOUT)
        assert failures == []
