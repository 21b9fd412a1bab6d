"""JSON messages: good ones come back whole; bad ones are refused with what and where."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol import encoding
from orchestrator.protocol.encoding import MessageError
from orchestrator.protocol.messages import (
    Acknowledgement,
    DeploymentStatus,
    EnrolmentAnswer,
    EnrolmentResult,
    Online,
    Report,
    ResultCode,
    State,
)
from tests.contract.samples import DIGEST, fixed

counts = st.integers(0, 2**53 - 1)
# A text as a store keeps it: no NUL, no half of a surrogate pair.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
reports = st.builds(
    Report,
    deployment=st.none() | st.uuids(),
    status=st.sampled_from(DeploymentStatus),
    code=st.sampled_from(ResultCode),
    boot=counts,
    sequence=st.none() | counts,
    progress=st.floats(0, 1),
    detail=texts,
)
states = st.builds(
    State,
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    slot=st.integers(0, 255),
    sequence=counts,
    boot=counts,
)


@fixed
@given(reports)
def test_reports_come_back(report):
    assert encoding.decode_report(encoding.encode_report(report)) == report


@fixed
@given(states)
def test_states_come_back(state):
    assert encoding.decode_state(encoding.encode_state(state)) == state


@fixed
@given(st.booleans(), counts, counts)
def test_presence_and_acknowledgement_come_back(online, boot, sequence):
    presence, acked = Online(online, boot), Acknowledgement(boot, sequence)
    assert encoding.decode_online(encoding.encode_online(presence)) == presence
    assert encoding.decode_acknowledgement(encoding.encode_acknowledgement(acked)) == acked


@pytest.mark.parametrize("answer", EnrolmentAnswer)
def test_enrolment_results_come_back(answer):
    result = EnrolmentResult(answer, "the token was used before")
    assert encoding.decode_enrolment_result(encoding.encode_enrolment_result(result)) == result


def test_an_empty_device_has_no_digest_and_no_slot():
    state = State(None, None, 0, 1)
    assert encoding.decode_state(encoding.encode_state(state)) == state


def test_what_is_left_out_has_its_default():
    payload = b'{"status":"downloading","code":"ok","boot":3,"deployment":null}'
    report = encoding.decode_report(payload)
    assert report == Report(None, DeploymentStatus.DOWNLOADING, ResultCode.OK, 3)


def test_members_of_later_versions_are_ignored():
    assert encoding.decode_online(b'{"online":true,"boot":2,"since":[1,{"x":null}]}').boot == 2


def test_a_long_detail_is_cut_because_the_report_must_arrive():
    report = Report(None, DeploymentStatus.FAILED, ResultCode.FLASH_ERROR, 1, detail="x" * 5000)
    assert len(encoding.decode_report(encoding.encode_report(report)).detail) == 300


def test_a_detail_from_an_undecodable_file_name_still_arrives():
    report = Report(None, DeploymentStatus.FAILED, ResultCode.FLASH_ERROR, 1, detail="\udcff.bin")
    assert encoding.decode_report(encoding.encode_report(report)).detail == "?.bin"


STATE = {"digest": DIGEST.hex(), "slot": 1, "sequence": 7, "boot": 2}


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        ({"boot": -1}, "/boot", "between 0 and"),
        ({"boot": 2**53}, "/boot", "between 0 and"),
        ({"boot": True}, "/boot", "true or false"),
        ({"boot": 1.0}, "/boot", "whole number"),
        ({"boot": "1"}, "/boot", "a text"),
        ({"boot": None}, "/boot", "null"),
        ({"slot": 256}, "/slot", "between 0 and 255"),
        ({"slot": None}, "/slot", "null exactly where digest is"),
        ({"digest": None}, "/slot", "null exactly where digest is"),
        ({"digest": DIGEST.hex().upper()}, "/digest", "lower-case hex"),
        ({"digest": DIGEST.hex()[1:]}, "/digest", "64"),
        ({"digest": 5}, "/digest", "a text"),
        ({"sequence": {}}, "/sequence", "a map"),
    ],
)
def test_bad_states_name_what_and_where(changes, where, what):
    with pytest.raises(MessageError, match=what) as refused:
        encoding.decode_state(json.dumps(STATE | changes).encode())
    assert refused.value.where == where


@pytest.mark.parametrize("member", STATE)
def test_a_missing_member_is_named(member):
    payload = json.dumps({name: value for name, value in STATE.items() if name != member}).encode()
    with pytest.raises(MessageError):
        encoding.decode_state(payload)


REPORT = {"deployment": None, "status": "failed", "code": "bad_block", "boot": 1}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"status": "exploded"}, "/status"),
        ({"code": "E42"}, "/code"),
        ({"deployment": "6F1C2B9E-8A55-4D0E-9D3B-2F54C1A0E7B1"}, "/deployment"),
        ({"deployment": "not-a-uuid-but-thirty-six-characters"}, "/deployment"),
        ({"deployment": 7}, "/deployment"),
        ({"progress": 1.01}, "/progress"),
        ({"progress": True}, "/progress"),
        ({"progress": 10**4000}, "/progress"),
        ({"sequence": -1}, "/sequence"),
        ({"detail": "x" * 301}, "/detail"),
        ({"detail": "a\0b"}, "/detail"),
    ],
)
def test_bad_reports_name_where(changes, where):
    with pytest.raises(MessageError) as refused:
        encoding.decode_report(json.dumps(REPORT | changes).encode())
    assert refused.value.where == where


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (b"", "is not JSON"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"null", "must be a map"),
        (b"[]", "must be a map"),
        (b'{"online":true,"boot":1', "is not JSON"),
        (b'{"online":true,"boot":1}{}', "is not JSON"),
        (b'{"online":true,"boot":NaN}', "NaN is not JSON"),
        (b'{"online":true,"boot":-Infinity}', "-Infinity is not JSON"),
        (b'{"online":true,"boot":1,"boot":2}', "stands twice"),
        (b'{"online":true,"boot":1,"x":{"y":1,"y":1}}', "stands twice"),
        (b'{"online":1,"boot":1}', "true or false"),
        (b'{"online":true,"boot":1,"x":"\\ud800"}', "surrogate"),
        (b'{"online":true,"boot":1,"x":' + b"[" * 9 + b"]" * 9 + b"}", "deeper than 8"),
        (b'{"online":true,"boot":' + b"9" * 4060 + b"}", "between 0 and"),
        (b'{"online":true,"boot":1,"x":"' + b"x" * 4096 + b'"}', "more than 4096"),
    ],
)
def test_what_is_no_message_is_refused(payload, what):
    with pytest.raises(MessageError, match=what):
        encoding.decode_online(payload)


def test_brackets_in_texts_are_no_nesting():
    text = json.dumps({"online": True, "boot": 1, "x": '[[[[[[[[[["\\' + "{" * 20})
    assert encoding.decode_online(text.encode()) == Online(True, 1)


def test_a_report_in_bytes_is_what_the_page_says():
    report = Report(
        UUID("6f1c2b9e-8a55-4d0e-9d3b-2f54c1a0e7b1"),
        DeploymentStatus.DOWNLOADING,
        ResultCode.OK,
        boot=3,
        sequence=41,
        progress=0.5,
    )
    assert encoding.encode_report(report) == (
        b'{"deployment":"6f1c2b9e-8a55-4d0e-9d3b-2f54c1a0e7b1","status":"downloading",'
        b'"code":"ok","boot":3,"sequence":41,"progress":0.5,"detail":""}'
    )
