# SPDX-License-Identifier: Apache-2.0
"""Whatever is passed, an exception of Python's comes, never a crash."""

import ctypes
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aimdb
from aimdb import _library
from conftest import TREE

ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.sampled_from([object(), print, int, ctypes.c_void_p(1), ctypes.c_char_p(b"x"), Exception]),
)


@pytest.fixture(scope="module")
def things():
    with aimdb.Database() as db:
        record = db.register("a")
        coded = db.register("b", aimdb.Latest(), "<q")
        reader = record.subscribe()
        db.start()
        yield db, record, coded, reader


CALLS = {
    "produce": lambda db, record, coded, reader, x: record.produce(x),
    "produce coded": lambda db, record, coded, reader, x: coded.produce(x),
    "produce_many": lambda db, record, coded, reader, x: record.produce_many([x]),
    "produce_many of it": lambda db, record, coded, reader, x: record.produce_many(x),
    "get": lambda db, record, coded, reader, x: reader.get(x if x is not None else 0),
    "get_many": lambda db, record, coded, reader, x: reader.get_many(x, 0),
    "open": lambda db, record, coded, reader, x: db.open(x),
    "open with": lambda db, record, coded, reader, x: db.open("a", x),
    "open type": lambda db, record, coded, reader, x: db.open("a", type_name=x),
    "getitem": lambda db, record, coded, reader, x: db[x],
    "register": lambda db, record, coded, reader, x: db.register(x),
    "register buffer": lambda db, record, coded, reader, x: db.register("c", x),
    "register capacity": lambda db, record, coded, reader, x: db.register("c", aimdb.Ring(x)),
    "register size": lambda db, record, coded, reader, x: db.register("c", payload_max=x),
    "register exact": lambda db, record, coded, reader, x: db.register("c", exact_size=x),
    "register type": lambda db, record, coded, reader, x: db.register("c", type_name=x),
    "subscribe": lambda db, record, coded, reader, x: record.subscribe(on_lag=x),
    "from_handle": lambda db, record, coded, reader, x: aimdb.Database.from_handle(x),
    "database": lambda db, record, coded, reader, x: aimdb.Database(log=x, log_level=x),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@settings(deadline=None, max_examples=60)
@given(x=ANYTHING)
def test_badinput_raises_an_exception_or_works(things, call, x):
    if call is CALLS["get"] and isinstance(x, (int, float)) and x > 0:
        x = 0  # it would wait
    try:
        call(*things, x)
    except (aimdb.Error, TypeError) as error:
        assert str(error)


@given(st.integers(-(2**70), 2**70))
def test_badinput_handles_that_are_made_up_are_refused(handle):
    with pytest.raises(aimdb.Error, match="handle"):
        aimdb.Database.from_handle(handle)


def test_badinput_handle_of_another_type_is_refused(db):
    with pytest.raises(aimdb.HandleError):
        aimdb.Database.from_handle(db.register("a")._handle)


def test_badinput_memory_that_is_not_to_be_had_is_an_exception(db):
    with pytest.raises((aimdb.NoMemoryError, aimdb.ArgumentError)) as caught:
        db.register("a", aimdb.Ring(2**40), payload_max=2**40)
    assert "'a'" in str(caught.value)


def test_every_function_of_the_header_is_declared():
    with open(os.path.join(TREE, "capi", "symbols.txt")) as symbols:
        listed = set(symbols.read().split())
    assert listed == set(_library._SIGNATURES)
    for library in (_library.held, _library.released):
        for name in listed:
            assert getattr(library, name).argtypes is not None
            assert getattr(library, name).restype is not None


def test_every_status_of_the_header_has_an_exception():
    with open(os.path.join(TREE, "capi", "aimdb.h")) as header:
        text = header.read()
    errors = text.count("\n    AIMDB_ERR_")
    from aimdb import _errors

    assert sorted(_errors.BY_STATUS)[:errors] == list(range(-errors, 0))
    for kind in _errors.BY_STATUS.values():
        assert issubclass(kind, aimdb.Error)
        assert kind.__name__ in aimdb.__all__
