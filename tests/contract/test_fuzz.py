"""Whatever bytes arrive, a decoder gives a valid message or its own error, never anything else.

TINYFLEET_FUZZ_EXAMPLES sets how many examples each test tries.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.signing_policy import Ledger, Limits, Signer
from orchestrator.protocol import blocks, cbor, cose, encoding, learning, manifest, senml, suit
from orchestrator.protocol.blocks import BlockError
from orchestrator.protocol.encoding import MessageError
from orchestrator.protocol.manifest import ManifestError
from orchestrator.protocol.refusal import SignatureError, TaskError
from tests.contract.make_vectors import FOLDER
from tests.contract.samples import AUTHOR, DEVICE, NOW, a_manifest, a_task, trusted

KEYS = trusted(AUTHOR)
EXAMPLES = int(os.environ.get("TINYFLEET_FUZZ_EXAMPLES", "60"))
FUZZ = settings(derandomize=True, deadline=None, max_examples=EXAMPLES)

# Decoder, its error, an example of what it reads.
DECODERS: dict[str, tuple[Callable[[bytes], object], type[Exception], bytes]] = {
    "enrolment": (
        lambda data: encoding.decode_enrolment(DEVICE, data),
        MessageError,
        (FOLDER / "enrolment.json").read_bytes(),
    ),
    "enrolment_result": (
        encoding.decode_enrolment_result,
        MessageError,
        (FOLDER / "enrolment-result.json").read_bytes(),
    ),
    "online": (encoding.decode_online, MessageError, (FOLDER / "online.json").read_bytes()),
    "state": (encoding.decode_state, MessageError, (FOLDER / "state.json").read_bytes()),
    "report": (encoding.decode_report, MessageError, (FOLDER / "report.json").read_bytes()),
    "acked": (encoding.decode_acknowledgement, MessageError, b'{"boot":3,"sequence":17}'),
    "telemetry_json": (
        senml.decode_telemetry,
        MessageError,
        (FOLDER / "telemetry.json").read_bytes(),
    ),
    "telemetry_cbor": (
        senml.decode_telemetry,
        MessageError,
        (FOLDER / "telemetry.cbor").read_bytes(),
    ),
    "learn_update": (
        encoding.decode_learn_update,
        MessageError,
        (FOLDER / "learn-update.cbor").read_bytes(),
    ),
    "envelope": (
        lambda data: manifest.open_envelope(data, KEYS),
        ManifestError,
        (FOLDER / "envelope.cbor").read_bytes(),
    ),
    "manifest": (manifest.decode, ManifestError, manifest.encode(a_manifest())),
    "task": (
        lambda data: learning.open_task(data, KEYS),
        TaskError,
        (FOLDER / "task.cbor").read_bytes(),
    ),
    "unsigned_task": (learning.decode_task, TaskError, learning.encode_task(a_task())),
    "sign1": (cose.parse1, SignatureError, cose.sign1(b"payload", AUTHOR)),
    "suit": (
        lambda data: suit.check_digests(suit.read_envelope(data, 4096)),
        ManifestError,
        (FOLDER / "envelope-two-signatures.cbor").read_bytes(),
    ),
    "block": (blocks.unframe, BlockError, blocks.frame(b"a block")),
}


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """`good` with a few pieces overwritten, cut out or put in."""
    data = good
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        data = data[:start] + draw(st.binary(max_size=8)) + data[end:]
    return data


@pytest.mark.parametrize("name", DECODERS)
@FUZZ
@given(data=st.data())
def test_damaged_messages(name, data):
    decode, expected, good = DECODERS[name]
    decode(good)
    try:
        decode(data.draw(damaged(good)))
    except expected:
        return


@pytest.mark.parametrize("name", DECODERS)
@FUZZ
@given(payload=st.binary(max_size=300))
def test_arbitrary_bytes(name, payload):
    decode, expected, _ = DECODERS[name]
    try:
        decode(payload)
    except expected:
        return


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
cbor_values = json_values | st.binary(max_size=70)
RENAMED = {"telemetry_cbor": list(range(-6, 9)), "learn_update": list(range(1, 10))}
RENAMED |= {"unsigned_task": list(range(1, 9))}


@pytest.mark.parametrize("name", RENAMED)
@FUZZ
@given(data=st.data())
def test_well_formed_cbor_with_any_values(name, data):
    decode, expected, _ = DECODERS[name]
    maps = st.dictionaries(st.sampled_from(RENAMED[name]), cbor_values, max_size=9)
    value = data.draw(st.lists(maps, max_size=4) if name == "telemetry_cbor" else maps)
    try:
        decode(cbor2.dumps(value))
    except expected:
        return


PARAMETERS = [1, 2, 3, 14, 24, *range(-11, 0)]


@FUZZ
@given(st.dictionaries(st.sampled_from(PARAMETERS), cbor_values, max_size=5))
def test_well_signed_manifests_with_any_parameters(changes):
    """A server that has gone wrong can sign nonsense; it must not crash a device."""
    root = cbor2.loads(manifest.encode(a_manifest()))
    common = cbor2.loads(root[3])
    shared = cbor2.loads(common[4])
    shared[1] |= changes
    sealed = suit.seal(
        cbor2.dumps(root | {3: cbor2.dumps(common | {4: cbor2.dumps(shared)})}), AUTHOR
    )
    try:
        manifest.open_envelope(sealed, KEYS)
    except ManifestError:
        return


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    path: Path = tmp_path_factory.mktemp("signer") / "ledger.sqlite3"
    ledger = Ledger(path)
    yield Signer(AUTHOR, ledger, Limits(), clock=lambda: NOW)
    ledger.close()


@FUZZ
@given(op=st.sampled_from(["sign_manifest", "sign_task"]), data=st.data())
def test_the_signer_answers_anything(signer, op, data):
    good = (
        manifest.encode(a_manifest()) if op == "sign_manifest" else learning.encode_task(a_task())
    )
    request = {"op": op, op.removeprefix("sign_"): data.draw(damaged(good))}
    assert set(signer.answer(cbor.loads(cbor.dumps(request), 10_000))) <= {"done", "refused"}
