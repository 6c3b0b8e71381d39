# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

import aimdb
from conftest import TIMEOUT, number


def test_emitter_of_a_consumer_keeps_the_order_from_a_to_b(db):
    a, b, seen = db.register("a"), db.register("b"), []

    @a.consumer
    def forward(value, emitter):
        emitter.emit(b, value)

    b.consumer(seen.append)
    db.start()
    values = [number(i) for i in range(500)]
    a.produce_many(values)
    assert forward.wait(0) is False
    reader_done = threading.Event()
    b.consumer(lambda value: reader_done.set() if value == b"end" else None)
    a.produce(b"end")
    assert reader_done.wait(TIMEOUT)
    db.close(TIMEOUT)
    assert seen == [*values, b"end"]


def test_emitter_of_a_producer_function_emits_on_the_same_thread(db):
    a, alerts = db.register("a", codec="<d"), db.register("alerts", codec="<d")
    reader = alerts.subscribe()

    @a.producer
    def watch(value, emitter):
        if value > 90:
            emitter.emit(alerts, value)

    db.start()
    a.produce_many([1.0, 95.0])
    assert reader.get_many(timeout=0) == [95.0]


def test_emitter_used_after_its_call_is_an_error(db):
    a, b, kept, called = db.register("a"), db.register("b"), [], threading.Event()

    @a.producer
    def produce(value, emitter):
        kept.append(emitter)

    @a.consumer(on_lag=lambda count, emitter: None)
    def consume(value, emitter):
        kept.append(emitter)
        called.set()

    db.start()
    a.produce(b"v")
    assert called.wait(TIMEOUT)
    db.close(TIMEOUT)
    assert len(kept) == 2
    for emitter in kept:
        with pytest.raises(aimdb.EmitterError, match="its call has returned"):
            emitter.emit(b, b"v")


def test_emitter_of_a_lag_function_works(db, gate):
    a, losses = db.register("a", aimdb.Ring(1)), db.register("losses", codec="<q")
    reader = losses.subscribe()
    a.consumer(gate, on_lag=lambda count, emitter: emitter.emit(losses, count))
    db.start()
    a.produce(b"v")
    assert gate.inside.wait(TIMEOUT)
    a.produce_many([b"v"] * 3)
    gate.go.set()
    assert reader.get(TIMEOUT) == 2


def test_emitter_serves_only_records_of_its_own_database(db):
    errors, both = [], threading.Semaphore(0)
    with aimdb.Database() as other:
        foreign, a = other.register("a"), db.register("a")

        def emit(value, emitter):
            try:
                emitter.emit(foreign, value)
            except aimdb.HandleError as error:
                errors.append(str(error))
            both.release()

        a.producer(emit)
        a.consumer(emit)
        other.start()
        db.start()
        a.produce(b"v")
        assert both.acquire(timeout=TIMEOUT)
        assert both.acquire(timeout=TIMEOUT)
        assert foreign.stats().produced == 0
    assert len(errors) == 2
    assert all("is not of the emitter's database" in error for error in errors)


def test_emitter_consumer_of_a_emits_to_b_while_that_of_b_emits_to_a(db):
    a, b, turns, end = db.register("a", codec="<q"), db.register("b", codec="<q"), [], None
    end = threading.Event()

    def bounce(to):
        def consumer(value, emitter):
            turns.append(value)
            if value < 200:
                emitter.emit(to, value + 1)
            else:
                end.set()

        return consumer

    a.consumer(bounce(b))
    b.consumer(bounce(a))
    db.start()
    a.produce(0)
    assert end.wait(TIMEOUT)
    assert turns == list(range(201))


@pytest.mark.parametrize("by_emitter", [True, False])
def test_emitter_depth_16_works_and_17_is_refused(db, by_emitter):
    """Also where produce is called inside a function of AimDB."""
    records = [db.register(f"r{i}", codec="<q") for i in range(18)]
    for i, record in enumerate(records[:-1]):

        def pass_on(value, emitter, at=i):
            if at < value:
                if by_emitter:
                    emitter.emit(records[at + 1], value)
                else:
                    records[at + 1].produce(value)

        record.producer(pass_on)
    db.start()
    records[0].produce(16)
    with pytest.raises(aimdb.Rejected, match="nested deeper than 16") as caught:
        records[0].produce(17)
    cause = caught.value
    while cause.__cause__ is not None:
        cause = cause.__cause__
    assert isinstance(cause, (aimdb.DepthError, RecursionError))
