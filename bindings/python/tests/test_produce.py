# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

import aimdb
from conftest import TIMEOUT, number, number_of


def test_produce_before_start_is_a_state_error(db):
    record = db.register("a")
    with pytest.raises(aimdb.StateError, match="'a': record: its database is not started"):
        record.produce(b"v")
    with pytest.raises(RuntimeError, match="not started"):
        record.produce_many([b"v"])


def test_produce_never_waits_for_a_consumer(db, gate):
    record = db.register("a", aimdb.Ring(4))
    record.consumer(gate, on_lag="skip")
    db.start()
    record.produce(b"v")
    assert gate.inside.wait(TIMEOUT)
    for _ in range(100):  # the consumer stands still meanwhile
        record.produce(b"v")
    assert record.stats().produced == 101


def test_produce_from_several_threads_gives_all_readers_one_order(db):
    total, threads = 2_000, 4
    record = db.register("a", aimdb.Ring(total * threads))
    readers, seen = [record.subscribe() for _ in range(2)], []
    record.consumer(seen.append)
    db.start()

    def run(first):
        for i in range(first, first + total):
            record.produce(number(i))

    producers = [threading.Thread(target=run, args=(i * total,)) for i in range(threads)]
    for thread in producers:
        thread.start()
    for thread in producers:
        thread.join()
    db.close(TIMEOUT)
    orders = [list(reader) for reader in readers]
    assert orders[0] == orders[1] == seen
    numbers = [number_of(value) for value in seen]
    assert sorted(numbers) == list(range(total * threads))
    for i in range(threads):
        own = [n for n in numbers if n // total == i]
        assert own == sorted(own)


def test_produce_many_takes_any_iterable_and_says_how_many(db):
    record = db.register("a", aimdb.Ring(5000))
    reader = record.subscribe()
    db.start()
    assert record.produce_many(iter([])) == 0
    assert record.produce_many(number(i) for i in range(3000)) == 3000
    assert record.produce_many((b"1", b"22", bytearray(b"333"))) == 3
    taken = []
    while len(taken) < 3003:
        taken += reader.get_many()
    assert taken == [number(i) for i in range(3000)] + [b"1", b"22", b"333"]


@pytest.mark.parametrize("at", [0, 1, 1023, 1024, 2500])
def test_produce_many_that_is_refused_says_where_and_those_before_are_in(db, at):
    record = db.register("a", payload_max=8)
    coded = db.register("b", codec="<q")
    refusing = db.register("c")

    @refusing.producer
    def judge(value):
        return aimdb.REJECT if number_of(value) == at else None

    db.start()
    values = [number(i) for i in range(3000)]
    with pytest.raises(aimdb.SizeError) as size:
        record.produce_many([*values[:at], b"123456789", *values[at:]])
    with pytest.raises(aimdb.CodecError) as kind:
        coded.produce_many([*range(at), "x", 1])
    with pytest.raises(aimdb.Rejected) as rejected:
        refusing.produce_many(values)
    assert size.value.index == kind.value.index == rejected.value.index == at
    assert [r.stats().produced for r in (record, coded, refusing)] == [at] * 3


def test_produce_many_gives_on_the_exception_of_the_iterable(db):
    record = db.register("a")
    db.start()

    def values():
        yield b"1"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        record.produce_many(values())
    with pytest.raises(TypeError):
        record.produce_many(7)


def test_produce_wakes_each_sleeper_at_every_rate(db):
    """Also where the GIL is handed over for a rare value."""
    record, turn = db.register("a"), db.register("b")
    answers = turn.subscribe()

    @record.consumer
    def answer(value):
        turn.produce(value)

    db.start()
    for i in range(300):
        record.produce(number(i))
        assert answers.get(TIMEOUT) == number(i)
