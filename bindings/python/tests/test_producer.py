# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

import aimdb


def test_producer_function_accepts_rejects_or_replaces(db):
    record = db.register("a", codec="<q")
    reader = record.subscribe()

    @record.producer
    def judge(value):
        if value < 0:
            return aimdb.REJECT
        return value * 2 if value > 100 else None

    assert judge(5) is None  # it stays the function
    db.start()
    record.produce(5)
    record.produce(101)
    with pytest.raises(aimdb.Rejected, match="'a': its producer function rejected the value$"):
        record.produce(-1)
    assert reader.get_many() == [5, 202]
    assert record.stats().rejected == 1


def test_producer_function_runs_on_the_thread_that_produces(db):
    record, threads = db.register("a"), []
    record.producer(lambda _: threads.append(threading.get_ident()))
    db.start()
    record.produce(b"v")
    assert threads == [threading.get_ident()]


def test_producer_function_that_raises_rejects_and_the_caller_hears_why(db):
    record = db.register("a")

    @record.producer
    def judge(value):
        raise ValueError(f"{value!r} is no good")

    db.start()
    for value in (b"v", bytearray(b"v")):
        with pytest.raises(aimdb.Rejected, match="no good") as caught:
            record.produce(value)
        assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(aimdb.Rejected) as caught:
        record.produce_many([b"v"])
    assert isinstance(caught.value.__cause__, ValueError)


def test_producer_function_that_is_interrupted_interrupts_the_caller(db):
    record = db.register("a")

    @record.producer
    def judge(value):
        raise KeyboardInterrupt

    db.start()
    with pytest.raises(KeyboardInterrupt):
        record.produce(b"v")
    assert record.stats().produced == 0


def test_producer_function_of_another_thread_leaves_no_exception_here(db):
    record, other = db.register("a"), db.register("b")
    record.producer(lambda value: 1 // 0 if value == b"bad" else None)
    other.producer(lambda value: aimdb.REJECT)
    db.start()
    with pytest.raises(aimdb.Rejected) as caught:
        record.produce(b"bad")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(aimdb.Rejected) as caught:
        other.produce(b"v")
    assert caught.value.__cause__ is None


def test_producer_function_is_held_to_size_and_codec_with_its_replacement(db):
    raw, coded = db.register("a", payload_max=4), db.register("b", codec="<q")
    raw.producer(lambda value: value * 2)
    coded.producer(lambda value: "text")
    db.start()
    raw.produce(b"12")
    with pytest.raises(aimdb.SizeError, match="size: is 6, the record takes at most 4"):
        raw.produce(b"123")
    with pytest.raises(aimdb.Rejected, match="text") as caught:
        coded.produce(1)
    assert isinstance(caught.value.__cause__, aimdb.CodecError)
    assert raw.stats().rejected == coded.stats().rejected == 1


def test_producer_function_is_set_once_and_before_start(db):
    record, late = db.register("a"), db.register("b")
    record.producer(lambda value: None)
    with pytest.raises(aimdb.ExistsError, match="'a'"):
        record.producer(lambda value: None)
    db.start()
    with pytest.raises(aimdb.StateError, match="'b'"):
        late.producer(lambda value: None)


def test_producer_functions_of_several_threads_run_at_once(db):
    """No lock is held while user code runs."""
    record, both = db.register("a"), threading.Barrier(2)
    record.producer(lambda _: both.wait(60) and None)
    db.start()
    threads = [threading.Thread(target=record.produce, args=(b"v",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert record.stats().produced == 2


@pytest.mark.parametrize("function", [None, 7, lambda: None, lambda a, b, c: None])
def test_producer_that_is_no_function_of_a_value_is_refused(db, function):
    record = db.register("a")
    if function is None:
        assert callable(record.producer())  # as a decorator with arguments
        return
    with pytest.raises(aimdb.ArgumentError, match="function"):
        record.producer(function)
