# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

import aimdb
from conftest import TIMEOUT, balanced, number, number_of


@pytest.fixture
def record(db):
    made = db.register("a", aimdb.Latest())
    assert made.buffer == aimdb.Latest()
    return made


def test_latest_gives_the_newest_value_at_most_once_and_counts_the_skipped(db, record):
    reader = record.subscribe()
    db.start()
    record.produce_many([number(i) for i in range(5)])
    assert reader.get(0) == number(4)
    with pytest.raises(aimdb.Empty):
        reader.get(0)
    record.produce(number(5))
    assert reader.get_many() == [number(5)]
    stats = reader.stats()
    assert (stats.offered, stats.delivered, stats.skipped) == (6, 2, 4)


def test_latest_never_gives_an_older_after_a_newer_and_the_last_is_always_seen(db, record):
    seen, last, total = [], threading.Event(), 20_000

    @record.consumer
    def look(value):
        seen.append(number_of(value))
        if seen[-1] == total - 1:
            last.set()

    db.start()
    for i in range(total):
        record.produce(number(i))
    assert last.wait(TIMEOUT)
    assert seen == sorted(set(seen))
    stats = look.stats()
    assert stats.delivered == len(seen)
    assert stats.skipped == total - len(seen)
    assert balanced(stats)


def test_latest_consumer_busy_with_an_old_value_gets_the_newest_next(db, record, gate):
    consumer = record.consumer(gate)
    db.start()
    record.produce(number(0))
    assert gate.inside.wait(TIMEOUT)
    for i in range(1, 10):
        record.produce(number(i))
    gate.go.set()
    db.close(TIMEOUT)
    assert gate.got == [number(0), number(9)]
    assert consumer.stats().skipped == 8


def test_latest_fresh_reader_sees_the_current_value_once(db, record):
    db.start()
    record.produce(number(1))
    reader = record.subscribe()
    assert reader.get(0) == number(1)
    with pytest.raises(aimdb.Empty):
        reader.get(0)
    assert reader.stats().offered == 1
