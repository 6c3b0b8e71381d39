# SPDX-License-Identifier: Apache-2.0
import contextlib
import threading
import time

import pytest

import aimdb
from conftest import TIMEOUT, balanced, number


@pytest.mark.parametrize("buffer", [aimdb.Ring(64), aimdb.Latest()], ids=str)
def test_statistics_accounts_are_exact_at_every_moment(db, buffer):
    """Consumers with batches of their own, readers and asyncio's, while one produces."""
    record = db.register("a", buffer)
    consumers = [record.consumer(lambda _: None, on_lag="skip") for _ in range(2)]
    reader, ahead = record.subscribe(on_lag="skip"), record.subscribe_async(on_lag="skip")
    db.start()
    producer = threading.Thread(
        target=lambda: [record.produce_many([number(i)] * 100) for i in range(300)]
    )
    producer.start()
    before = [0] * 4
    while producer.is_alive():
        for read in (reader.get_nowait, ahead.get_nowait):
            with contextlib.suppress(aimdb.Empty):
                read()
        stats = [of.stats() for of in (*consumers, reader, ahead)]
        assert all(map(balanced, stats)), stats
        assert all(s.delivered >= was for s, was in zip(stats, before))
        before = [s.delivered for s in stats]
    producer.join()
    db.close(TIMEOUT)
    for of in (*consumers, reader, ahead):
        assert of.stats().offered == 30_000
        assert balanced(of.stats())


def test_statistics_value_is_pending_until_its_call_begins_also_in_a_batch(db, gate):
    record = db.register("a")
    consumer = record.consumer(gate)
    db.start()
    record.produce_many([number(i) for i in range(10)])
    assert gate.inside.wait(TIMEOUT)
    stats = consumer.stats()
    assert (stats.delivered, stats.pending) == (1, 9)
    gate.go.set()
    db.close(TIMEOUT)
    stats = consumer.stats()
    assert (stats.delivered, stats.pending, stats.abandoned) == (10, 0, 0)


def test_statistics_of_a_record(db):
    record = db.register("a", aimdb.Ring(8), payload_max=16)
    reader = record.subscribe()

    @record.producer
    def short(value):
        return aimdb.REJECT if len(value) > 8 else None

    db.start()
    record.produce(b"12345678")
    with pytest.raises(aimdb.Rejected):
        record.produce(b"123456789")
    stats = record.stats()
    assert (stats.produced, stats.rejected, stats.bytes, stats.readers) == (1, 1, 8, 1)
    assert stats.producer_calls == 2
    assert 0 < stats.producer_max_ns <= stats.producer_ns
    assert stats.memory % 64 == 0  # by the formula of the header
    assert stats.memory >= 8 * (8 + 16) + 256
    reader.close()
    assert record.stats().readers == 0


def test_statistics_callback_time_is_at_least_what_the_function_took(db):
    record, took = db.register("a"), []

    @record.consumer
    def work(_value):
        begun = time.perf_counter_ns()
        sum(range(2000))
        took.append(time.perf_counter_ns() - begun)

    db.start()
    record.produce_many([b"v"] * 100)
    db.close(TIMEOUT)
    stats = work.stats()
    assert stats.callback_ns >= sum(took)
    assert stats.callback_max_ns >= max(took)
    assert stats.callback_max_ns <= stats.callback_ns


def test_statistics_of_a_database(db):
    record = db.register("a")
    reader = record.subscribe()
    record.consumer(print)
    stats = db.stats()
    assert (stats.records, stats.readers, stats.consumers) == (1, 2, 0)
    assert stats.door in ("cgo", "direct")
    assert stats.memory == record.stats().memory
    reader.close()
    assert db.stats().readers == 1


def test_statistics_are_frozen_and_compare():
    with aimdb.Database() as db:
        stats = db.register("a").stats()
        with pytest.raises(AttributeError):
            stats.produced = 5
        assert stats == db["a"].stats()
