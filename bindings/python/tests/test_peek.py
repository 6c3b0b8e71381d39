# SPDX-License-Identifier: Apache-2.0
import pytest

import aimdb


def test_peek_at_latest_gives_the_newest_value_and_consumes_nothing(db):
    record = db.register("a", aimdb.Latest(), "<i")
    reader = record.subscribe()
    assert record.peek() is None
    assert record.peek(7) == 7
    db.start()
    record.produce(1)
    record.produce(2)
    assert record.peek() == record.peek() == 2
    assert reader.get(0) == 2
    assert record.peek() == 2


def test_peek_at_a_mailbox_gives_the_value_not_yet_taken_and_leaves_it(db):
    record = db.register("a", aimdb.Mailbox(), payload_max=0)
    db.start()
    record.produce(b"")
    assert record.peek() == b""
    assert record.subscribe().get(0) == b""
    assert record.peek() is None


def test_peek_at_a_ring_is_unsupported(db):
    with pytest.raises(aimdb.UnsupportedError, match="'a': record: has a ring"):
        db.register("a").peek()
