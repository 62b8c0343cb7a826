"""Values as plain JSON, as canonical bytes and as digests: each kind has one form, and what has none is refused."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from opslib.canonical import canonical, digest, to_json
from opslib.model import Verdict


@dataclass(frozen=True)
class Value:
    name: str
    size: Decimal
    hidden: str = field(default="", repr=False)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (1.5, 1.5),
        ("text", "text"),
        (Verdict.OK, "OK"),
        (Value("a", Decimal(2), "never shown"), {"name": "a", "size": 2}),
        ({3: Decimal("0.5")}, {"3": 0.5}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        ([1, (2,), {3}, frozenset({4})], [1, [2], [3], [4]]),
        (datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=1))), "2026-11-23T13:00:00Z"),
        (datetime(2026, 11, 23, 13, 0, 0, 5, tzinfo=UTC), "2026-11-23T13:00:00.000005Z"),
        (date(2026, 11, 23), "2026-11-23"),
        (timedelta(minutes=1, milliseconds=5), 60.005),
        (Decimal("1E+2"), 100),
        (Decimal("-0.25"), -0.25),
        (Decimal("-Infinity"), "-Infinity"),
    ],
)
def test_each_kind_of_value_has_one_form(value, said):
    found = to_json(value)
    assert (found, type(found)) == (said, type(said))


@pytest.mark.parametrize("value", [b"raw", Value, object(), 1j])
def test_what_has_no_form_is_refused_by_its_kind(value):
    with pytest.raises(TypeError, match=f"^{type(value).__name__} has no JSON form"):
        to_json([value])


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({"b": 1, "a": [True, None, "ü"]}, '{"a":[true,null,"ü"],"b":1}'),
        (2**53 - 1, "9007199254740991"),
        (2**53, '"9007199254740992"'),
        (-(2**53) + 1, "-9007199254740991"),
        (-(2**53), '"-9007199254740992"'),
        (2**52 + 1, "4503599627370497"),
        ([float("nan"), {"a": float("inf")}, float("-inf")], '["nan",{"a":"inf"},"-inf"]'),
        ([1.0, 1.5, True, False], "[1,1.5,true,false]"),
        ({"a": {"b": [2**60]}}, '{"a":{"b":["1152921504606846976"]}}'),
    ],
)
def test_canonical_bytes_are_sorted_and_numbers_beyond_what_json_can_hold_are_text(value, data):
    assert canonical(value) == data.encode()
    assert digest(value) == hashlib.sha256(data.encode()).hexdigest()


def test_a_mapping_of_any_kind_has_the_digest_of_its_content():
    class Own(Mapping):
        def __getitem__(self, key):
            return {"a": 1}[key]

        def __iter__(self):
            return iter("a")

        def __len__(self):
            return 1

    assert digest(Own()) == digest({"a": 1})


NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.floats(1e-7, 1e-3),
    st.integers(0, 2**54).map(float),
    st.integers(-(10**21), 10**21).map(float),
)
TEXTS = st.one_of(st.text(), st.text(st.characters(codec=None)))
TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)),
    max_leaves=12,
)


def without_digits(value):
    """The value with the numbers that JSON cannot say as texts, as the canonical form has them."""
    if isinstance(value, dict):
        return {name: without_digits(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_digits(item) for item in value]
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53
    return str(value) if whole or (isinstance(value, float) and value - value != 0) else value


@given(TREES)
def test_every_tree_has_the_bytes_of_the_standards_own_encoder(tree):
    try:
        said = rfc8785.dumps(without_digits(tree))
    except rfc8785.CanonicalizationError as error:
        with pytest.raises(type(error)):
            canonical(tree)
    else:
        assert canonical(tree) == said


@pytest.mark.parametrize("number", [1.5e-7, -2.5e-300, 0.1, 1e-4, 123.25, -0.0])
def test_a_fraction_of_any_size_has_the_standards_bytes(number):
    assert canonical({"a": [number]}) == rfc8785.dumps({"a": [number]})


def test_a_number_beyond_json_is_text_also_beside_a_name_that_is_sorted_by_utf_16():
    assert canonical({"ä": 2**60, "b": True}) == rfc8785.dumps({"ä": str(2**60), "b": True})


def test_a_kind_of_text_is_that_text():
    class Word(str):
        pass

    assert canonical({"a": [Word("b")]}) == b'{"a":["b"]}'
