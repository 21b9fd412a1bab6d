"""Learning tasks are signed like manifests; updates carry weights that fit their shape."""

from __future__ import annotations

import struct

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol import cbor, cose, learning
from orchestrator.protocol.encoding import MessageError, decode_learn_update, encode_learn_update
from orchestrator.protocol.manifest import ManifestError, encode, envelope, open_envelope
from orchestrator.protocol.messages import LearnStatus, LearnTask, LearnUpdate, ResultCode
from orchestrator.protocol.refusal import TaskError
from tests.contract.samples import AUTHOR, STRANGER, a_manifest, a_task, fixed, trusted

KEYS = trusted(AUTHOR)
tasks = st.builds(
    LearnTask,
    task=st.uuids(),
    device_id=st.from_regex(r"d[a-z0-9-]{0,62}", fullmatch=True),
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    method=st.from_regex(r"[a-z_]{1,40}", fullmatch=True),
    learning_rate=st.floats(0, 1e6),
    samples=st.integers(1, 2**31 - 1),
    issued_at=st.integers(0, 2**40),
    expires_at=st.integers(2**40 + 1, 2**50),
)


@fixed
@given(tasks)
def test_tasks_come_back(task):
    assert learning.open_task(learning.sign_task(task, AUTHOR), KEYS) == task


def code_of(data: bytes) -> ResultCode:
    with pytest.raises(TaskError) as refused:
        learning.open_task(data, KEYS)
    return refused.value.code


def test_no_changed_byte_opens():
    data = learning.sign_task(a_task(), AUTHOR)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        code_of(bytes(changed))


def test_a_stranger_s_task():
    assert code_of(learning.sign_task(a_task(), STRANGER)) == ResultCode.UNKNOWN_KEY


def test_a_manifest_is_no_task_and_a_task_no_manifest():
    assert code_of(envelope(encode(a_manifest()), AUTHOR)) == ResultCode.MALFORMED
    digest_as_task = cose.sign1(cbor.dumps([-16, bytes(32)]), AUTHOR)
    assert code_of(digest_as_task) == ResultCode.MALFORMED
    with pytest.raises(ManifestError):
        open_envelope(learning.sign_task(a_task(), AUTHOR), KEYS)


MEMBERS = cbor2.loads(learning.encode_task(a_task()))


@pytest.mark.parametrize(
    "changes",
    [
        {1: b"x"},
        {2: "UPPER"},
        {3: b"x"},
        {4: ""},
        {5: -0.1},
        {5: float("inf")},
        {5: True},
        {6: 0},
        {7: -1},
        {8: MEMBERS[7]},
    ],
)
def test_bad_tasks_are_refused(changes):
    assert code_of(cose.sign1(cbor.dumps(MEMBERS | changes), AUTHOR)) == ResultCode.MALFORMED


def test_what_could_not_be_read_is_not_written():
    with pytest.raises(TaskError):
        learning.encode_task(a_task(samples=0))


@st.composite
def updates(draw: st.DrawFn) -> LearnUpdate:
    shape = draw(st.none() | st.tuples(st.integers(1, 20), st.integers(1, 20)))
    count = 0 if shape is None else shape[0] * shape[1]
    weights = draw(
        st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False),
            min_size=count,
            max_size=count,
        )
    )
    return LearnUpdate(
        task=draw(st.uuids()),
        status=draw(st.sampled_from(LearnStatus)),
        samples=draw(st.integers(0, 2**31 - 1)),
        accuracy_before=draw(st.none() | st.floats(0, 1)),
        accuracy_after=draw(st.none() | st.floats(0, 1)),
        training_bytes=draw(st.none() | st.integers(0, 2**40)),
        shape=shape,
        weights=struct.pack(f"<{count}f", *weights),
        detail=draw(st.text("abc äß", max_size=300)),
    )


@fixed
@given(updates())
def test_updates_come_back(update):
    assert decode_learn_update(encode_learn_update(update)) == update


UPDATE = cbor2.loads(
    encode_learn_update(
        LearnUpdate(a_task().task, LearnStatus.FINISHED, shape=(2, 1), weights=bytes(8))
    )
)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({1: b"short"}, "/1"),
        ({2: "bored"}, "/2"),
        ({3: -1}, "/3"),
        ({4: 1.5}, "/4"),
        ({5: float("nan")}, "/5"),
        ({7: [2]}, "/7"),
        ({7: [2, 0]}, "/7"),
        ({7: [True, 1]}, "/7"),
        ({7: [2**40, 2**40]}, "/8"),
        ({7: [3, 1]}, "/8"),
        ({7: None}, "/8"),
        ({8: struct.pack("<2f", float("nan"), 0)}, "/8"),
        ({8: bytes(8), 9: "x" * 301}, "/9"),
    ],
)
def test_bad_updates_are_refused_and_pointed_at(changes, where):
    with pytest.raises(MessageError) as refused:
        decode_learn_update(cbor2.dumps(UPDATE | changes))
    assert refused.value.where == where
