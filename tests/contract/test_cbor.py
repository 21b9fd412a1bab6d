"""CBOR: deterministic going out, strict coming in."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol import cbor
from orchestrator.protocol.fields import MessageError
from tests.contract.samples import fixed

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=40)
    | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.integers(-300, 300) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)


@fixed
@given(values)
def test_values_come_back(value):
    assert cbor.loads(cbor.dumps(value), 10_000) == value


@fixed
@given(values)
def test_cbor2_reads_the_same(value):
    assert cbor2.loads(cbor.dumps(value)) == value


def test_keys_are_sorted_by_their_encoded_bytes():
    """RFC 8949, 4.2.1: 1, 24, -1, "a"; RFC 7049 would put -1 before 24."""
    assert cbor.dumps({-1: 0, "a": 0, 24: 0, 1: 0}).hex() == "a40100181800200061" + "6100"


@fixed
@given(st.binary(max_size=60))
def test_any_bytes_decode_or_are_refused(data):
    try:
        value = cbor.loads(data, 100)
    except MessageError:
        return
    again = cbor.dumps(value)
    assert len(again) <= len(data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("", "truncated at byte 0"),
        ("0101", "1 bytes after its end"),
        ("a201000100", "key at byte 3 stands twice"),
        ("a1f500", "no number or string"),
        ("a1820102" + "00", "no number or string"),
        ("9f01ff", "indefinite"),
        ("5f4101ff", "indefinite"),
        ("bfff", "indefinite"),
        ("1c", "reserved"),
        ("1801", "longer than it needs"),
        ("190001", "longer than it needs"),
        ("1a00000001", "longer than it needs"),
        ("1b0000000000000001", "longer than it needs"),
        ("580101", "longer than it needs"),
        ("f7", "simple value 23"),
        ("f814", "reserved"),
        ("e0", "simple value 0"),
        ("c074323031332d30332d32315432303a30343a30305a", "tag 0"),
        ("d82363612b29", "tag 35"),
        ("62c328", "not UTF-8"),
        ("9affffffff", "truncated"),
        ("5bffffffffffffffff00", "truncated"),
        ("bb7fffffffffffffff00", "truncated"),
        ("81" * 14 + "00", "nested deeper"),
        ("58ff" + "00" * 255, "more than 100"),
    ],
)
def test_what_others_accept_is_refused(data, what):
    with pytest.raises(MessageError, match=what):
        cbor.loads(bytes.fromhex(data), 100)


def test_a_tag_that_is_asked_for_is_read():
    assert cbor.loads(bytes.fromhex("d26100"), 10, {18}) == cbor2.CBORTag(18, "\0")
