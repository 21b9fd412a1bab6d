"""Telemetry: SenML of RFC 8428 resolved as its sections say, in JSON and CBOR."""

from __future__ import annotations

import dataclasses
import json

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol.fields import MessageError
from orchestrator.protocol.messages import TelemetryPack
from orchestrator.protocol.senml import decode_telemetry, encode_telemetry
from tests.contract.samples import DEVICE, DIGEST, NOW, fixed

BASE = f"urn:tinyfleet:device:{DEVICE}:"
counts = st.integers(0, 2**53 - 1)
packs = st.builds(
    TelemetryPack,
    boot=counts,
    sequence=counts,
    at=st.none() | st.floats(2**28, 4e9),
    digest=st.none() | st.just(DIGEST.hex()),
    samples=st.integers(500, 2**31 - 1),
    labelled=st.integers(1, 500),
    accuracy=st.none() | st.floats(0, 1),
    latency_ms=st.none() | st.floats(0, 1e6),
    arena_used_bytes=st.none() | counts,
    free_heap_bytes=st.none() | counts,
    adapted_samples=st.none() | counts,
)


@fixed
@given(packs, st.booleans())
def test_packs_come_back(pack, in_cbor):
    decoded = decode_telemetry(encode_telemetry(DEVICE, pack, cbor=in_cbor), DEVICE)
    assert dataclasses.replace(decoded, records=()) == pack


def test_both_forms_resolve_to_the_same_records():
    pack = TelemetryPack(
        2, 9, at=NOW, samples=64, labelled=60, accuracy=0.95, latency_ms=2.5, free_heap_bytes=5120
    )
    forms = [
        decode_telemetry(encode_telemetry(DEVICE, pack, cbor=c), DEVICE) for c in (False, True)
    ]
    assert forms[0] == forms[1]
    assert {"n": f"{BASE}latency", "u": "ms", "v": 2.5, "t": NOW} in forms[0].records


def test_records_of_the_device_s_own_travel_too():
    own = ({"n": "urn:dev:mac:0024befffe804ff1:temp", "u": "Cel", "v": 21.5, "t": NOW},)
    own += ({"n": "urn:x:image", "vd": "3q2-7w"}, {"n": "urn:x:door", "vb": False})
    pack = TelemetryPack(1, 1, records=own)
    for in_cbor in (False, True):
        decoded = decode_telemetry(encode_telemetry(DEVICE, pack, cbor=in_cbor), DEVICE)
        assert decoded.records[:3] == own


def pack_of(*records: dict) -> bytes:
    head = [{"bn": BASE, "n": "boot", "v": 1}, {"n": "seq", "v": 2}]
    return json.dumps([*head, *records]).encode()


def test_base_fields_hold_from_their_record_on():
    """RFC 8428, sections 4.1, 4.5 and 4.6."""
    payload = json.dumps(
        [
            {"bn": BASE, "n": "boot", "v": 1},
            {"n": "seq", "v": 2},
            {"bt": 1.7e9, "bu": "Cel", "bv": 20, "bs": 100, "n": "one", "v": 1.5},
            {"n": "two", "u": "K", "v": 0, "t": 5, "s": 3, "ut": 60},
            {"bn": "urn:dev:other", "n": "", "v": -20, "t": -0.5},
        ]
    )
    assert decode_telemetry(payload.encode()).records[2:] == (
        {"n": f"{BASE}one", "u": "Cel", "v": 21.5, "t": 1_700_000_000},
        {"n": f"{BASE}two", "u": "K", "v": 20, "t": 1_700_000_005, "s": 103, "ut": 60},
        {"n": "urn:dev:other", "u": "Cel", "v": 0, "t": 1_699_999_999.5},
    )


def test_a_relative_time_is_no_clock():
    """Section 4.5.3: below 2^28 a time is relative to now."""
    assert decode_telemetry(pack_of({"n": "heap", "v": 1, "t": -30})).at is None
    assert decode_telemetry(pack_of({"n": "heap", "v": 1, "t": 2**28})).at == 2**28


def test_a_cbor_pack_may_use_any_float_and_text_labels_of_extensions():
    """Section 6; a half-precision float and an unknown text label."""
    records = [
        {-2: BASE, 0: "boot", 2: 1},
        {0: "seq", 2: 2.0, "x": 1},
        {0: "latency", 1: "ms", 2: 1.5},
    ]
    assert decode_telemetry(cbor2.dumps(records, canonical=True)).latency_ms == 1.5


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ([{"n": "accuracy", "v": 0.5, "u": "%"}], "unit of 'accuracy' is /"),
        ([{"n": "latency", "v": 1, "u": "s"}], "unit of 'latency' is ms"),
        ([{"n": "samples", "v": 1, "u": "B"}], "unit of 'samples' is none"),
        ([{"n": "samples", "v": 1.5}], "whole number"),
        ([{"n": "samples", "v": -1}], "between 0 and"),
        ([{"n": "samples", "vb": True}], "needs a number in v"),
        ([{"n": "samples", "s": 4}], "needs a number in v"),
        ([{"n": "labelled", "v": 1}], "1 labelled of 0 samples"),
        ([{"n": "accuracy", "v": 1, "u": "/"}], "over no labelled"),
        ([{"n": "accuracy", "v": 1.5, "u": "/"}], "between 0 and 1"),
        ([{"n": "model", "vs": "ab"}], "SHA-256"),
        ([{"n": "model", "v": 3}], "SHA-256"),
        ([{"n": "boot", "v": 1}], "stands twice"),
        ([{"bn": "urn:tinyfleet:device:other:", "n": "heap", "v": 1}], "speaks for 'other'"),
        ([{"n": "x"}], "exactly one of v"),
        ([{"n": "x", "v": 1, "vb": True}], "exactly one of v"),
        ([{"n": "x", "v": "1"}], "must be a number"),
        ([{"n": "x", "v": True}], "must be a number"),
        ([{"n": "x", "vs": 1}], "must be a text"),
        ([{"n": "x", "vd": 1}], "must be a text"),
        ([{"n": "x", "v": 10**400}], "must be a number between"),
        ([{"n": "x", "v": 1, "t": 1e15}], "beyond the year 9999"),
        ([{"n": "x y", "v": 1}], "no SenML name"),
        ([{"bn": "", "n": ":x", "v": 1}], "no SenML name"),
        ([{"bn": "", "n": "", "v": 1}], "no SenML name"),
        ([{"n": "x", "v": 1, "y_": 2}], "must be understood"),
        ([{"bver": 11, "n": "x", "v": 1}], "only SenML version 10"),
        (["x"], "must be a map"),
        ([{"n": f"x{i}", "v": 1} for i in range(63)], "1 to 64 records"),
    ],
)
def test_bad_records_are_refused(records, what):
    with pytest.raises(MessageError, match=what):
        decode_telemetry(pack_of(*records))


def test_a_bad_record_is_pointed_at():
    with pytest.raises(MessageError) as refused:
        decode_telemetry(pack_of({"n": "x", "v": 1}, {"n": "y", "v": "hot"}))
    assert refused.value.where == "/3/v"


@pytest.mark.parametrize("missing", ["boot", "seq"])
def test_a_pack_without_boot_or_sequence_cannot_be_acknowledged(missing):
    records = [{"bn": BASE, "n": n, "v": 1} for n in ("boot", "seq") if n != missing]
    with pytest.raises(MessageError, match=missing):
        decode_telemetry(json.dumps(records).encode())


def test_a_device_speaks_for_itself_only():
    payload = encode_telemetry("another", TelemetryPack(1, 1))
    assert decode_telemetry(payload).boot == 1
    with pytest.raises(MessageError, match="speaks for 'another'"):
        decode_telemetry(payload, DEVICE)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[",
        b"[]",
        b"\x80",
        b"{}",
        b"\xa0",
        b"[" + b" " * 16384 + b"]",
        b"\x9f\xff",
        b"\x81\xa1\x20\x18\x0a",
        b"\x81\xc1\x01",
        b"\xd8\x23\x61\x61",
    ],
)
def test_what_is_no_pack_is_refused(payload):
    with pytest.raises(MessageError):
        decode_telemetry(payload)


def test_white_space_before_json_is_json():
    assert decode_telemetry(b" \n" + pack_of()).sequence == 2
