# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

import aimdb
from conftest import TIMEOUT, number


@pytest.fixture
def record(db):
    made = db.register("a", aimdb.Mailbox())
    assert made.buffer == aimdb.Mailbox()
    return made


def test_mailbox_new_value_overwrites_an_untaken_one_and_is_counted(db, record):
    db.start()
    record.produce_many([number(i) for i in range(3)])
    assert record.subscribe().get(0) == number(2)
    stats = record.stats()
    assert (stats.produced, stats.taken, stats.overwritten, stats.pending) == (3, 1, 2, 0)


def test_mailbox_value_is_taken_by_exactly_one_reader(db, record):
    one, other = record.subscribe(), record.subscribe()
    db.start()
    record.produce(b"v")
    assert one.get(0) == b"v"
    with pytest.raises(aimdb.Empty):
        other.get(0)


def test_mailbox_value_that_arrives_while_nobody_waits_stays_until_taken(db, record):
    db.start()
    record.produce(b"v")
    assert record.subscribe().get(TIMEOUT) == b"v"


def test_mailbox_values_are_taken_exactly_once_by_many(db, record):
    total, taken, readers = 5_000, [], [record.subscribe() for _ in range(3)]
    consumer = record.consumer(taken.append)

    def take(reader):
        for value in reader:
            taken.append(value)

    threads = [threading.Thread(target=take, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    db.start()
    for i in range(total):
        record.produce(number(i))
    db.close(TIMEOUT)
    for thread in threads:
        thread.join(TIMEOUT)
    stats = record.stats()
    assert len(taken) == len(set(taken)) == stats.taken
    assert stats.produced == total == stats.taken + stats.overwritten + stats.pending
    assert consumer.stats().abandoned == 0


def test_mailbox_one_value_wakes_a_waiter_also_if_another_left(db, record):
    """A waiter that leaves by its timeout passes the wake on."""
    leaver, stayer, got = record.subscribe(), record.subscribe(), []
    thread = threading.Thread(target=lambda: got.append(stayer.get(TIMEOUT)))
    thread.start()
    db.start()
    for i in range(100):
        with pytest.raises(aimdb.Empty):
            leaver.get(0.0001)
        if i == 50:
            leaver.close()
            record.produce(b"v")
            break
    thread.join(TIMEOUT)
    assert got == [b"v"]
