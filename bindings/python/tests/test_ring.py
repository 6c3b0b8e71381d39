# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

import aimdb
from conftest import TIMEOUT, balanced, number, number_of


def test_ring_is_the_default_buffer_with_capacity_1024(db):
    assert db.register("a").buffer == aimdb.Ring(1024)


def test_ring_gives_every_value_in_order_to_every_reader_at_its_own_pace(db):
    record = db.register("a")
    readers = [record.subscribe() for _ in range(3)]
    db.start()
    values = [number(i) for i in range(900)]
    record.produce_many(values)
    assert readers[0].get_many() == values
    assert [readers[1].get(0) for _ in values] == values
    taken = []
    while len(taken) < 900:
        taken += readers[2].get_many(7)
    assert taken == values


@pytest.mark.parametrize("capacity", [1, 2, 3, 7, 8, 100])
def test_ring_reader_more_than_capacity_behind_gets_exact_lag_once_then_the_oldest_held(
    db, capacity
):
    record = db.register("a", aimdb.Ring(capacity))
    reader = record.subscribe()
    db.start()
    values = [number(i) for i in range(capacity + 5)]
    record.produce_many(values[:capacity])
    assert reader.get_many(1) == values[:1]
    record.produce_many(values[capacity:])
    with pytest.raises(aimdb.Lagged, match="4 values were lost") as caught:
        reader.get(0)
    assert caught.value.count == 4
    assert [reader.get(0) for _ in range(capacity)] == values[5:]
    with pytest.raises(aimdb.Empty):
        reader.get_nowait()
    stats = reader.stats()
    assert (stats.lagged, stats.lagged_events, stats.delivered) == (4, 1, capacity + 1)
    assert balanced(stats)


def test_ring_lag_is_skipped_or_told_to_a_function_as_the_user_chooses(db):
    record, told = db.register("a", aimdb.Ring(2)), []
    skips, tells = record.subscribe(on_lag="skip"), record.subscribe(on_lag=told.append)
    db.start()
    record.produce_many([number(i) for i in range(5)])
    assert skips.get_many() == tells.get_many() == [number(3), number(4)]
    assert told == [3]
    assert skips.stats().lagged == tells.stats().lagged == 3


def test_ring_lag_is_said_by_batches_too_and_loses_nothing_more(db):
    record = db.register("a", aimdb.Ring(4))
    reader = record.subscribe()
    db.start()
    record.produce_many([number(i) for i in range(10)])
    with pytest.raises(aimdb.Lagged) as caught:
        reader.get_many()
    assert caught.value.count == 6
    assert reader.get_many() == [number(i) for i in range(6, 10)]


def test_ring_consumer_more_than_capacity_behind_is_told_exactly_once(db, gate):
    record, told = db.register("a", aimdb.Ring(4)), []
    consumer = record.consumer(gate, on_lag=told.append)
    db.start()
    record.produce(number(0))
    assert gate.inside.wait(TIMEOUT)
    record.produce_many([number(i) for i in range(1, 11)])
    gate.go.set()
    assert db.close(TIMEOUT) is aimdb.CloseResult.DELIVERED
    assert gate.got == [number(i) for i in (0, 7, 8, 9, 10)]
    assert told == [6]
    assert consumer.stats().lagged == 6
    assert balanced(consumer.stats())


def test_ring_gap_between_numbers_is_exactly_the_lag_while_a_producer_runs(db):
    record = db.register("a", aimdb.Ring(16))
    reader = record.subscribe()
    db.start()
    total = 100_000
    values = [number(i) for i in range(total)]
    producer = threading.Thread(target=record.produce_many, args=(values,))
    producer.start()
    expected = 0
    while expected < total:
        try:
            for value in reader.get_many(timeout=TIMEOUT):
                assert number_of(value) == expected
                expected += 1
        except aimdb.Lagged as lagged:
            expected += lagged.count
    producer.join()
    stats = reader.stats()
    assert stats.offered == total
    assert balanced(stats)


def test_ring_new_reader_sees_only_later_values(db):
    record = db.register("a")
    db.start()
    record.produce(b"early")
    reader = record.subscribe()
    record.produce(b"late")
    assert reader.get_many() == [b"late"]


@pytest.mark.parametrize("capacity", [0, -1, 2**70, "8", None, 1.5, True])
def test_ring_of_a_wrong_capacity_is_refused(db, capacity):
    with pytest.raises(aimdb.Error, match="capacity"):
        db.register("a", aimdb.Ring(capacity))
