# SPDX-License-Identifier: Apache-2.0
import ctypes
import dataclasses
import struct
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aimdb


@dataclass
class Sample:
    number: int
    volts: Annotated[float, "f"]
    good: bool
    name: Annotated[str, "6s"] = ""


class CSample(ctypes.Structure):
    _fields_ = [
        ("number", ctypes.c_int64),
        ("volts", ctypes.c_float),
        ("good", ctypes.c_bool),
        ("name", ctypes.c_char * 6),
    ]


def there_and_back(codec, values, **options):
    with aimdb.Database() as db:
        record = db.register("a", codec=codec, **options)
        reader, seen = record.subscribe(), []
        record.consumer(seen.append)
        db.start()
        for value in values[:1]:
            record.produce(value)
        record.produce_many(values[1:])
        got = reader.get_many() if values else []
    return got, seen


def same(codec, values, **options):
    got, seen = there_and_back(codec, values, **options)
    assert got == seen == values
    return True


int64, float32 = st.integers(-(2**63), 2**63 - 1), st.floats(width=32, allow_nan=False)


@given(st.lists(st.tuples(int64, float32), min_size=1, max_size=50))
def test_codec_struct_of_several_fields_gives_tuples(values):
    assert same("<qf", values)


@given(st.lists(int64, min_size=1, max_size=50))
def test_codec_struct_of_one_field_gives_its_value(values):
    assert same("<q", values)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json)
def test_codec_json(value):
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    assert same(aimdb.Json(), [value], payload_max=100_000)


names = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=6)


@given(st.lists(st.builds(Sample, int64, float32, st.booleans(), names), min_size=1, max_size=20))
def test_codec_dataclass(values):
    assert same(Sample, values)


def test_codec_dataclass_and_ctypes_structure_have_the_layout_of_c():
    dataclass_codec, structure = aimdb.Dataclass(Sample), aimdb.CStruct(CSample)
    assert dataclass_codec.size == structure.size == ctypes.sizeof(CSample) == 24
    value = Sample(-5, 1.5, True, "abc")
    other = structure.decode(dataclass_codec.encode(value))
    assert (other.number, other.volts, other.good, other.name) == (-5, 1.5, True, b"abc")
    assert dataclass_codec.decode(structure.encode(other)) == value


def test_codec_ctypes_structure_gives_each_value_as_a_copy():
    got, _ = there_and_back(CSample, [CSample(1), CSample(2)])
    assert [value.number for value in got] == [1, 2]
    got[0].number = 9
    assert got[1].number == 2


def test_codec_names_its_type():
    with aimdb.Database() as db:
        assert db.register("a", codec=Sample).type_name == "Sample"
        assert db.register("b", codec=CSample).type_name == "CSample"
        assert db.register("c", codec="<d").type_name == "float64"
        assert db.register("d", codec=aimdb.Json()).type_name == "json"
        assert (
            db.register("e", codec=aimdb.CStruct(CSample, type_name="plant")).type_name == "plant"
        )
        assert db.register("f").type_name == ""
        assert db.open("a", Sample).exact_size == 24
        with pytest.raises(aimdb.RecordTypeError):
            db.open("a", CSample)


class Upper:
    """A codec of the user's."""

    def encode(self, value):
        return value.upper().encode()

    def decode(self, data):
        return data.decode().lower()


def test_codec_of_the_users_is_any_object_with_encode_and_decode():
    assert same(Upper(), ["abc", "", "d" * 256])


def test_codec_of_the_users_that_raises_reaches_who_produces():
    with aimdb.Database() as db:
        record = db.register("a", codec=Upper())
        db.start()
        with pytest.raises(AttributeError):
            record.produce(5)


def test_codec_of_the_users_whose_size_is_a_lie_is_refused_by_the_library():
    class Liar(Upper):
        size = 8

    with aimdb.Database() as db:
        record = db.register("a", codec=Liar())
        db.start()
        with pytest.raises(aimdb.SizeError):
            record.produce("abc")
        with pytest.raises(aimdb.SizeError):
            record.produce_many(["abcdefgh", "abc"])
        assert record.stats().bytes == 8


WRONG = [
    ("<q", "text"),
    ("<q", None),
    ("<q", 2**64),
    ("<qq", (1,)),
    ("<qq", 5),
    ("<B", -1),
    (Sample, 5),
    (Sample, CSample()),
    (Sample, Sample("x", 1.0, True)),
    (Sample, Sample(1, 1.0, True, 5)),
    (CSample, 5),
    (CSample, Sample(1, 1.0, True)),
    (CSample, CSample),
    (aimdb.Json(), object()),
    (aimdb.Json(), {1, 2}),
]


@pytest.mark.parametrize(("codec", "value"), WRONG, ids=repr)
def test_codec_of_another_type_than_the_value_raises(codec, value):
    with aimdb.Database() as db:
        record = db.register("a", codec=codec)
        db.start()
        for call in (record.produce, lambda value: record.produce_many([value])):
            with pytest.raises(aimdb.CodecError, match="^value: ") as caught:
                call(value)
            assert isinstance(caught.value, (TypeError, ValueError))
        assert record.stats().produced == 0


@dataclass
class Untyped:
    field: Any


@dataclass
class Several:
    field: Annotated[int, "hh"]


@pytest.mark.parametrize(
    "codec", ["no format", "<", Untyped, Several, 5, object(), Upper, int, ctypes.c_int, b"<d"]
)
def test_codec_that_is_none_is_refused(codec):
    with aimdb.Database() as db:
        if codec == "<":  # a format without a field: empty values
            assert db.register("a", codec=codec).exact_size == 0
            return
        with pytest.raises(aimdb.ArgumentError, match="codec"):
            db.register("a", codec=codec)


def test_codec_fields_that_are_no_part_of_init_are_not_sent():
    @dataclass
    class Derived:
        a: int
        b: int = dataclasses.field(init=False, default=0)

        def __post_init__(self):
            self.b = self.a * 2

    codec = aimdb.Dataclass(Derived)
    assert codec.size == struct.calcsize("q")
    assert codec.decode(codec.encode(Derived(4))) == Derived(4)


def test_codec_formats_of_numbers_have_the_names_that_cpp_gives_them():
    names = {
        "d": "float64", "=d": "float64", "f": "float32", "?": "bool", "c": "char", "b": "int8",
        "B": "uint8", "h": "int16", "H": "uint16", "i": "int32", "I": "uint32", "q": "int64",
        "=Q": "uint64", "=l": "int32", "l": f"int{8 * struct.calcsize('l')}",
        "N": f"uint{8 * struct.calcsize('N')}", "16s": "char[16]", "s": "char[1]",
        "=4d": "float64[4]", "dd": "struct dd", "0d": "struct 0d", "": "struct ", "P": "struct P",
    }  # fmt: skip
    here, foreign = ("<", ">") if sys.byteorder == "little" else (">", "<")
    names |= {
        here + "3i": "int32[3]",
        foreign + "i": f"struct {foreign}i",
        foreign + "2b": "int8[2]",
    }
    assert {format: aimdb.Struct(format).type_name for format in names} == names
    assert aimdb.Struct("d", type_name="volts").type_name == "volts"
