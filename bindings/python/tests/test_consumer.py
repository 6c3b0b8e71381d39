# SPDX-License-Identifier: Apache-2.0
import io
import logging
import os
import platform
import sys
import threading

import pytest

import aimdb
from aimdb import _turns
from conftest import TIMEOUT, balanced, number


def test_consumer_runs_on_one_thread_of_pythons_own_one_call_at_a_time_in_order(db):
    record, threads, seen = db.register("a"), set(), []

    @record.consumer
    def show(value):
        """What it does."""
        threads.add(threading.current_thread())
        seen.append(value)

    assert (show.__name__, show.__doc__) == ("show", "What it does.")
    db.start()
    values = [number(i) for i in range(1000)]
    record.produce_many(values)
    db.close(TIMEOUT)
    assert seen == values
    assert len(threads) == 1
    (thread,) = threads
    assert isinstance(thread, threading.Thread)
    assert "show of 'a'" in thread.name
    assert not isinstance(thread, threading._DummyThread)
    show(b"direct")  # it is still the function
    assert seen[-1] == b"direct"


def test_consumer_subscribed_before_start_sees_everything_from_the_first_produce(db):
    record, seen = db.register("a"), []
    record.consumer(seen.append)
    db.start()
    record.produce(b"first")
    db.close(TIMEOUT)
    assert seen == [b"first"]


def test_consumers_come_and_go_after_start(db):
    record, seen = db.register("a"), []
    db.start()
    record.produce(b"early")
    got = threading.Event()
    consumer = record.consumer(lambda value: (seen.append(value), got.set()))
    record.produce(b"while")
    assert got.wait(TIMEOUT)
    consumer.unsubscribe()
    record.produce(b"late")
    db.close(TIMEOUT)
    assert seen == [b"while"]


def test_consumer_held_in_its_function_disturbs_no_other(db, gate):
    record, seen, all_came = db.register("a"), [], threading.Event()
    record.consumer(gate)
    record.consumer(lambda value: (seen.append(value), len(seen) == 100 and all_came.set()))
    db.start()
    record.produce_many([b"v"] * 100)
    assert all_came.wait(TIMEOUT)


@pytest.mark.parametrize("failure", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_consumer_failure_is_counted_and_goes_to_the_handler_and_delivery_goes_on(db, failure):
    record, seen, errors = db.register("a"), [], []

    @record.consumer(on_error=lambda error, function: errors.append((error, function)))
    def consumer(value):
        seen.append(value)
        if value == number(1):
            raise failure("odd")

    db.start()
    record.produce_many([number(i) for i in range(4)])
    db.close(TIMEOUT)
    assert seen == [number(i) for i in range(4)]
    ((error, function),) = errors
    assert isinstance(error, failure)
    assert function.__name__ == "consumer"
    assert consumer.stats().failures == 1
    assert consumer.stats().delivered == 4


def test_consumer_failure_without_a_handler_goes_to_unraisablehook(db, monkeypatch):
    caught = []
    monkeypatch.setattr(
        sys, "unraisablehook", lambda args: caught.append((args.exc_value, args.object))
    )
    record = db.register("a")

    def broken(value):
        raise ValueError("odd")

    def handler(error, function):
        raise LookupError("the handler too")

    record.consumer(broken)
    record.consumer(broken, on_error=handler)
    db.start()
    record.produce(b"v")
    db.close(TIMEOUT)
    kinds = {type(error): of for error, of in caught}
    assert kinds == {ValueError: broken, LookupError: handler}


def test_consumer_of_a_value_that_cannot_be_decoded_counts_a_failure_and_goes_on(db):
    raw = db.register("a")
    record, seen, errors = db.open("a", aimdb.Json(), type_name=""), [], []
    consumer = record.consumer(seen.append, on_error=lambda error, _: errors.append(error))
    db.start()
    raw.produce_many([b"1", b"{", b"[2]"])
    db.close(TIMEOUT)
    assert seen == [1, [2]]
    assert isinstance(errors[0], aimdb.CodecError)
    stats = consumer.stats()
    assert (stats.delivered, stats.failures) == (3, 1)


def lag(db, gate, **options):
    record = db.register("a", aimdb.Ring(1))
    consumer = record.consumer(gate, **options)
    db.start()
    record.produce(b"v")
    assert gate.inside.wait(TIMEOUT)
    record.produce_many([b"v"] * 5)
    gate.go.set()
    db.close(TIMEOUT)
    assert consumer.stats().lagged == 4
    assert balanced(consumer.stats())


def test_consumer_lag_is_logged_unless_the_user_chooses(db, gate, caplog):
    with caplog.at_level(logging.WARNING, "aimdb"):
        lag(db, gate)
    assert [r.getMessage() for r in caplog.records] == ["consumer consumer of 'a' lost 4 values"]


def test_consumer_lag_is_logged_at_most_once_a_second_and_summed(db, gate, caplog, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("aimdb._consumer.time.monotonic", lambda: now[0])
    record = db.register("a")
    loop = record.consumer(gate)._loop
    with caplog.at_level(logging.WARNING, "aimdb"):
        for count, at in ((1, 100.0), (2, 100.5), (4, 100.9), (8, 101.0), (16, 101.5)):
            now[0] = at
            loop._lag(count)
        loop._log_loss(0)
    assert [r.args[1] for r in caplog.records] == [1, 14, 16]


def test_consumer_lag_is_raised_to_the_handler(db, gate):
    errors = []
    lag(db, gate, on_lag="raise", on_error=lambda error, _: errors.append(error.count))
    assert errors == [4]


def test_consumer_lag_is_skipped_if_so_chosen_and_counted(db, gate, caplog):
    lag(db, gate, on_lag="skip")
    assert not caplog.records


def test_consumer_lag_function_that_raises_is_reported(db, gate):
    errors = []

    def broken(count):
        raise ValueError(count)

    lag(db, gate, on_lag=broken, on_error=lambda error, of: errors.append((error.args, of)))
    assert errors == [((4,), broken)]


@pytest.mark.parametrize("on_lag", ["Raise", None, 5, "log "])
def test_consumer_with_a_wrong_on_lag_is_refused(db, on_lag):
    with pytest.raises(aimdb.ArgumentError, match="on_lag"):
        db.register("a").consumer(print, on_lag=on_lag)


def test_consumer_thread_ends_with_its_subscription(db):
    record = db.register("a")
    before = threading.active_count()
    consumers = [record.consumer(print) for _ in range(5)]
    assert threading.active_count() == before + 5
    threads = [t for t in threading.enumerate() if t.name.startswith("aimdb ")]
    for consumer in consumers:
        consumer.unsubscribe()
    for thread in threads:
        thread.join(TIMEOUT)
    assert threading.active_count() == before


def test_consumer_without_a_thread_to_be_had_is_refused(db, monkeypatch):
    def start(_thread):
        raise RuntimeError("can't start new thread")

    record = db.register("a")
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(aimdb.NoThreadsError, match="can't start"):
        record.consumer(print)
    assert record.stats().readers == 0


def test_consumer_can_call_everything_from_its_function(db):
    record, other, results, end = db.register("a"), db.register("b"), [], threading.Event()

    @record.consumer
    def everything(value):
        reader = other.subscribe()
        other.produce(value)
        results.append(reader.get(TIMEOUT))
        results.append(everything.stats().delivered)
        results.append(db.open("b").stats().produced)
        reader.close()
        end.set()

    db.start()
    record.produce(b"v")
    assert end.wait(TIMEOUT)
    assert results == [b"v", 1, 1]


def test_consumer_turns_are_asked_for_only_where_they_may_be(monkeypatch):
    asked = []
    monkeypatch.setattr(_turns, "_syscall", lambda *call: asked.append(call) or -1)
    monkeypatch.setattr(_turns, "_NUMBERS", {platform.machine(): (1, 2)})

    def is_asked(setting, filtered):
        asked.clear()
        status = f"Name:\tx\nSeccomp:\t{filtered}\n"
        with monkeypatch.context() as m:
            m.setenv("AIMDB_TIME_SLICE", setting)
            m.setattr("builtins.open", lambda *_, **__: io.StringIO(status))
            _turns.ask_for_brief()
        return bool(asked)

    assert is_asked("", 0)
    assert not is_asked("", 2)
    assert not is_asked("off", 0)


def test_consumer_turns_change_no_policy_and_never_fail(monkeypatch):
    before = os.sched_getscheduler(0)
    _turns.ask_for_brief()
    assert os.sched_getscheduler(0) == before
    monkeypatch.setattr(_turns, "_NUMBERS", {})  # a machine that is not known
    _turns.ask_for_brief()
    monkeypatch.setattr(_turns, "_NUMBERS", {platform.machine(): (-1, -1)})  # refused
    _turns.ask_for_brief()
