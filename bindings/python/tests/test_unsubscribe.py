# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

import aimdb
from conftest import TIMEOUT, balanced, number


def test_unsubscribe_from_outside_returns_after_the_last_call(db, gate):
    record, returned = db.register("a"), []
    consumer = record.consumer(gate)
    db.start()
    record.produce_many([number(i) for i in range(5)])
    assert gate.inside.wait(TIMEOUT)
    thread = threading.Thread(target=lambda: returned.append(consumer.unsubscribe()))
    thread.start()
    thread.join(0.05)
    assert not returned  # it waits for the call that runs
    gate.go.set()
    thread.join(TIMEOUT)
    assert gate.got == [number(0)]
    (stats,) = returned
    assert (stats.delivered, stats.pending, stats.abandoned) == (1, 0, 4)
    record.produce(number(5))
    assert consumer.unsubscribe() == consumer.stats() == stats
    assert record.stats().readers == 0


def test_unsubscribe_while_others_produce_lets_no_call_begin_after_it(db):
    record, stop = db.register("a"), threading.Event()

    def produce():
        while not stop.is_set():
            record.produce_many([b"v"] * 50)

    db.start()
    producer = threading.Thread(target=produce)
    producer.start()
    try:
        for _ in range(100):
            calls, first = [], threading.Event()

            def consume(value, calls=calls, first=first):
                calls.append(value)
                first.set()

            consumer = record.consumer(consume, on_lag="skip")
            assert first.wait(TIMEOUT)
            stats = consumer.unsubscribe()
            count = len(calls)
            assert stats.delivered == count
            assert balanced(stats)
            record.produce(b"v")
            assert len(calls) == count
    finally:
        stop.set()
        producer.join()


def test_unsubscribe_inside_its_own_function_never_waits_and_ends_after_it(db):
    record, calls, produced = db.register("a"), [], threading.Event()

    @record.consumer
    def once(value):
        calls.append(value)
        assert produced.wait(TIMEOUT)
        assert once.unsubscribe().abandoned == 9
        assert not once.wait(0)

    db.start()
    record.produce_many([number(i) for i in range(10)])
    produced.set()
    assert once.wait(TIMEOUT)
    assert calls == [number(0)]
    assert (once.stats().delivered, once.stats().abandoned) == (1, 9)
    assert once.stats().failures == 0


def test_unsubscribe_each_other_does_not_deadlock(db):
    record, meet, consumers = db.register("a"), threading.Barrier(2), []
    produced = threading.Event()

    def end_the_other(which):
        def consume(value):
            assert produced.wait(TIMEOUT)
            meet.wait(TIMEOUT)
            consumers[1 - which].unsubscribe()
            meet.wait(TIMEOUT)

        return consume

    consumers += [record.consumer(end_the_other(i)) for i in range(2)]
    db.start()
    record.produce_many([b"v"] * 3)
    produced.set()
    for consumer in consumers:
        assert consumer.wait(TIMEOUT)
        assert (consumer.stats().delivered, consumer.stats().abandoned) == (1, 2)


def test_unsubscribe_inside_a_producer_function_never_waits(db, gate):
    record, other = db.register("a"), db.register("b")
    consumer = other.consumer(gate)

    @record.producer
    def end_it(value):
        consumer.unsubscribe()

    db.start()
    other.produce(b"v")
    assert gate.inside.wait(TIMEOUT)
    record.produce(b"v")  # returns though the consumer stands still
    assert not consumer.wait(0)
    gate.go.set()
    assert consumer.wait(TIMEOUT)


def test_unsubscribe_before_start(db):
    consumer = db.register("a").consumer(print)
    assert consumer.unsubscribe().offered == 0
    assert consumer.wait(0)


@pytest.mark.parametrize("buffer", [aimdb.Ring(8), aimdb.Latest(), aimdb.Mailbox()], ids=str)
def test_unsubscribe_wakes_a_consumer_that_sleeps(db, buffer):
    consumer = db.register("a", buffer).consumer(print)
    db.start()
    consumer.unsubscribe()
    assert consumer.wait(0)
