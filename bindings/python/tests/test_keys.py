# SPDX-License-Identifier: Apache-2.0
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aimdb

ALLOWED = set(string.ascii_letters + string.digits + "._:/-")


@given(st.text(max_size=300))
def test_key_of_1_to_255_allowed_characters_is_accepted_and_no_other(key):
    db = aimdb.Database()
    try:
        if 1 <= len(key) <= 255 and set(key) <= ALLOWED:
            assert db.register(key).key == key
        else:
            with pytest.raises((aimdb.KeyFormatError, aimdb.ArgumentError), match="key"):
                db.register(key)
    finally:
        db.destroy()


@pytest.mark.parametrize("length", [1, 255])
def test_key_of_the_shortest_and_longest_is_accepted(db, length):
    assert db.register("k" * length).key == "k" * length


def test_key_is_unique_in_a_database_and_free_in_another(db):
    db.register("a")
    with pytest.raises(aimdb.ExistsError, match="'a'"):
        db.register("a")
    with aimdb.Database() as other:
        other.register("a")


def test_key_opens_the_same_record_and_only_if_registered(db):
    record = db.register("a")
    assert db.open("a")._handle == record._handle == db["a"]._handle
    with pytest.raises(KeyError, match="no record is registered as b"):
        db["b"]
    with pytest.raises(aimdb.NotFoundError):
        db.open("b")


@pytest.mark.parametrize("key", [None, 1, b"a", ["a"], "a\0b", "\ud800"])
def test_key_of_another_type_is_refused(db, key):
    for call in (db.register, db.open):
        with pytest.raises(aimdb.Error, match="key"):
            call(key)
