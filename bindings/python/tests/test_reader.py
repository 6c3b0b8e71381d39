# SPDX-License-Identifier: Apache-2.0
import queue
import threading
import time

import pytest

import aimdb
from conftest import TIMEOUT, balanced, number


def in_thread(call):
    """Runs a call on another thread; a function that waits for its result."""
    result = []

    def run():
        try:
            result.append(call())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def wait():
        thread.join(TIMEOUT)
        return result[0]

    return wait


@pytest.fixture
def record(db):
    return db.register("a")


@pytest.fixture(params=["main thread", "another thread"])
def get(request):
    """Calls get there: both wait in another way."""
    if request.param == "main thread":
        return lambda call: call()
    return lambda call: raise_or_return(in_thread(call)())


def raise_or_return(result):
    if isinstance(result, BaseException):
        raise result
    return result


def test_reader_get_waits_until_a_value_comes(db, record, get):
    reader = record.subscribe()
    db.start()
    for i in range(50):
        timer = threading.Timer(0.001, record.produce, [number(i)])
        timer.start()
        assert get(lambda: reader.get(TIMEOUT) if i % 2 else reader.get()) == number(i)


def test_reader_get_many_waits_for_a_first_value_and_takes_what_is_there(db, record, get):
    reader = record.subscribe()
    db.start()
    timer = threading.Timer(0.01, record.produce_many, [[number(i) for i in range(5)]])
    timer.start()
    taken = []
    while len(taken) < 5:
        taken += get(lambda: reader.get_many(timeout=TIMEOUT))
    assert taken == [number(i) for i in range(5)]
    record.produce_many(taken)
    assert get(lambda: reader.get_many(2)) == taken[:2]
    assert get(lambda: reader.get_many(3000)) == taken[2:]


def test_reader_timeout_raises_empty_not_before_it_is_over(db, record, get):
    reader = record.subscribe()
    db.start()
    begun = time.monotonic()
    with pytest.raises(queue.Empty, match="'a': nothing there"):
        get(lambda: reader.get(0.05))
    with pytest.raises(aimdb.Empty):
        get(lambda: reader.get_many(timeout=0.05))
    assert time.monotonic() - begun >= 0.1
    for call in (reader.get_nowait, lambda: reader.get(0), lambda: reader.get_many(timeout=0)):
        with pytest.raises(aimdb.Empty):
            get(call)


def test_reader_used_by_several_threads_gives_each_value_to_one(db, record):
    reader, total, taken = record.subscribe(), 3_000, []
    wide = db.register("b", aimdb.Ring(total))
    reader = wide.subscribe()

    def take(step):
        while True:
            try:
                taken.extend(reader.get_many(step) if step > 1 else [reader.get()])
            except aimdb.Closed:
                return

    threads = [threading.Thread(target=take, args=(step,)) for step in (1, 1, 7, 1000)]
    for thread in threads:
        thread.start()
    db.start()
    for i in range(total):
        wide.produce(number(i))
    db.close(TIMEOUT)
    for thread in threads:
        thread.join(TIMEOUT)
    assert sorted(taken) == sorted(number(i) for i in range(total))
    assert reader.stats().delivered == total


def test_reader_iteration_ends_when_the_database_is_closed_and_everything_read(db, record, get):
    reader = record.subscribe()
    db.start()
    record.produce_many([b"1", b"2"])
    db.close(0)
    assert get(lambda: list(reader)) == [b"1", b"2"]
    assert get(lambda: list(reader)) == []
    with pytest.raises(aimdb.Closed, match="'a': is closed"):
        get(reader.get)


def test_reader_that_waits_is_told_when_the_database_closes(db, record, get):
    reader = record.subscribe()
    db.start()
    threading.Timer(0.02, db.close).start()
    with pytest.raises(aimdb.Closed):
        get(reader.get)


def test_reader_that_waits_is_told_when_it_is_closed(db, record, get):
    db.start()
    for i in range(20):
        reader = record.subscribe()
        threading.Timer(0.0005 * i, reader.close).start()
        with pytest.raises(aimdb.Closed):
            get(reader.get)


def test_reader_close_gives_the_last_account_and_again_too(db, record):
    with record.subscribe() as reader:
        db.start()
        record.produce_many([b"v"] * 5)
        reader.get_many(2)
        last = reader.close()
    assert (last.delivered, last.pending, last.abandoned) == (2, 0, 3)
    assert reader.close() == reader.stats() == last
    assert "closed" in repr(reader)
    for call in (reader.get, reader.get_nowait, reader.get_many, lambda: reader.get(1)):
        with pytest.raises(aimdb.Closed):
            call()
    assert record.stats().readers == 0


def test_reader_that_is_garbage_ends(db, record):
    reader = record.subscribe()
    assert record.stats().readers == 1
    del reader
    assert record.stats().readers == 0


def test_reader_get_many_that_can_not_decode_one_gives_the_others(db):
    raw = db.register("b")
    reader = db.open("b", aimdb.Json(), type_name="").subscribe()
    db.start()
    raw.produce_many([b"1", b"{", b"3", b"oops"])
    with pytest.raises(aimdb.CodecError, match="1 more of 4") as caught:
        reader.get_many()
    assert caught.value.values == [1, 3]
    raw.produce(b"nope")
    with pytest.raises(aimdb.CodecError, match="4 bytes can't be decoded: JSONDecodeError"):
        reader.get()
    assert balanced(reader.stats())


def test_reader_lag_function_that_raises_reaches_the_caller(db):
    def broken(count):
        raise LookupError(count)

    record = db.register("b", aimdb.Ring(1))
    reader = record.subscribe(on_lag=broken)
    db.start()
    record.produce_many([b"1", b"2"])
    with pytest.raises(LookupError):
        reader.get()
    assert reader.get() == b"2"


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1", -0.5, [1], -float("inf")], ids=str)
def test_reader_timeout_that_is_no_time_is_refused(db, record, timeout):
    reader = record.subscribe()
    for call in (reader.get, lambda timeout: reader.get_many(timeout=timeout)):
        with pytest.raises(aimdb.ArgumentError, match="timeout"):
            call(timeout)


@pytest.mark.parametrize("most", [0, -1, 1.5, None, "2"])
def test_reader_get_many_of_a_wrong_max_is_refused(db, record, most):
    with pytest.raises(aimdb.ArgumentError, match="max"):
        record.subscribe().get_many(most)


@pytest.mark.parametrize("on_lag", ["log", None, 3])
def test_reader_with_a_wrong_on_lag_is_refused(record, on_lag):
    with pytest.raises(aimdb.ArgumentError, match="on_lag"):
        record.subscribe(on_lag=on_lag)


@pytest.mark.parametrize("sizes", [[0], [0] * 100, [1, 2, 3] * 50, [7] * 33, [8] * 32, [9] * 65])
def test_reader_cuts_batches_of_all_sizes(db, sizes):
    record = db.register("b", payload_max=9)
    reader = record.subscribe()
    db.start()
    values = [bytes([i % 251]) * size for i, size in enumerate(sizes)]
    record.produce_many(values)
    assert reader.get_many() == values
