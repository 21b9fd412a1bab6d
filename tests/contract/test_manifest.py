"""Manifests: they come back whole, stay under 1 KiB, obey the draft's CDDL, and refuse the rest."""

from __future__ import annotations

from pathlib import Path

import cbor2
import pycddl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol import cbor, cose, manifest_layout, operators, suit, topics
from orchestrator.protocol.manifest import (
    MAX_ENVELOPE_BYTES,
    Manifest,
    ManifestError,
    SelfTest,
    class_id,
    decode,
    device_uuid,
    encode,
    envelope,
    open_envelope,
)
from orchestrator.protocol.messages import ResultCode
from tests.contract.draft_schema import DraftSchema
from tests.contract.samples import (
    AUTHOR,
    DIGEST,
    OPERATOR,
    STRANGER,
    a_manifest,
    fixed,
    trusted,
)

KEYS = trusted(AUTHOR)
ten_operators = st.dictionaries(
    st.sampled_from(operators.NAMES) | st.from_regex(r"CUSTOM:[a-z]{1,16}", fullmatch=True),
    st.integers(1, 40),
    min_size=10,
    max_size=10,
)
shapes = st.lists(st.integers(1, 1024), max_size=4).map(tuple)
self_tests = st.builds(
    SelfTest,
    generator=st.just("xorshift32"),
    seed=st.integers(1, 2**32 - 1),
    expected=st.binary(min_size=1, max_size=64),
    tolerance=st.integers(0, 255),
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    issued = draw(st.integers(0, 2**40))
    return Manifest(
        vendor_id=draw(st.uuids()),
        class_id=draw(st.uuids()),
        device_id=draw(st.from_regex(r"d[a-z0-9-]{0,62}", fullmatch=True)),
        deployment=draw(st.uuids()),
        sequence=draw(st.integers(0, 2**53 - 1)),
        issued_at=issued,
        expires_at=issued + draw(st.integers(1, 2**40)),
        digest=draw(st.binary(min_size=32, max_size=32)),
        size=draw(st.integers(1, 2**32 - 1)),
        block_exponents=tuple(
            draw(st.lists(st.sampled_from([0, 8, 10, 12, 20]), min_size=1, max_size=5))
        ),
        arena_bytes=draw(st.none() | st.integers(0, 2**31)),
        operators=draw(ten_operators),
        runtime=draw(st.sampled_from(["tflite-micro", ""])),
        input_shape=draw(shapes),
        output_shape=draw(shapes),
        self_test=draw(st.none() | self_tests),
    )


@fixed
@given(manifests())
def test_manifests_come_back_in_less_than_one_kib_with_two_signatures(manifest):
    sealed = envelope(encode(manifest), AUTHOR, OPERATOR)
    assert len(sealed) < 1024
    assert open_envelope(sealed, KEYS) == manifest


def test_encoding_is_deterministic():
    shuffled = a_manifest(operators=dict(reversed(a_manifest().operators.items())))
    assert encode(shuffled) == encode(a_manifest())


@pytest.fixture(scope="module")
def cddl(data_dir: Path) -> DraftSchema:
    return DraftSchema((data_dir / "suit" / "draft-ietf-suit-manifest.cddl").read_text())


@pytest.mark.parametrize("number", range(6))
def test_the_schema_that_we_check_with_accepts_the_drafts_examples(cddl, data_dir, number):
    cddl.check((data_dir / "suit" / f"example{number}.cbor").read_bytes())


@pytest.mark.parametrize("keys", [(AUTHOR,), (OPERATOR,), (AUTHOR, OPERATOR)])
@pytest.mark.parametrize("changes", [{}, {"arena_bytes": None, "self_test": None}])
def test_our_envelopes_satisfy_the_drafts_cddl(cddl, keys, changes):
    cddl.check(envelope(encode(a_manifest(**changes)), *keys))


def refused(data: bytes, keys=KEYS) -> ManifestError:
    with pytest.raises(ManifestError) as error:
        open_envelope(data, keys)
    return error.value


def test_no_changed_byte_opens():
    data = envelope(encode(a_manifest()), AUTHOR)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        refused(bytes(changed))


def test_no_part_of_an_envelope_opens():
    data = envelope(encode(a_manifest()), AUTHOR)
    for end in range(len(data)):
        assert refused(data[:end]).code == ResultCode.MALFORMED


def test_a_key_that_is_not_trusted():
    error = refused(envelope(encode(a_manifest()), STRANGER))
    assert error.code == ResultCode.UNKNOWN_KEY
    assert cose.key_id(STRANGER.public_key()).hex() in error.detail


def test_a_manifest_under_another_signature():
    other = suit.read_envelope(envelope(encode(a_manifest(sequence=99)), AUTHOR), 4096)
    members = {2: cbor.dumps([other.digest, *other.signatures]), 3: encode(a_manifest())}
    error = refused(cbor.dumps(cbor2.CBORTag(107, members)))
    assert error.code == ResultCode.BAD_SIGNATURE


def test_one_trusted_signature_suffices_beside_an_unknown_one():
    assert open_envelope(envelope(encode(a_manifest()), STRANGER, AUTHOR), KEYS) == a_manifest()


def test_a_bad_signature_in_a_trusted_name_spoils_a_good_one():
    claimed = KEYS | {cose.key_id(STRANGER.public_key()): OPERATOR.public_key()}
    error = refused(envelope(encode(a_manifest()), AUTHOR, STRANGER), claimed)
    assert error.code == ResultCode.BAD_SIGNATURE


def test_an_unsigned_envelope():
    assert refused(suit.seal(encode(a_manifest()))).code == ResultCode.BAD_SIGNATURE


def test_more_than_one_kib_is_neither_written_nor_read():
    names = {f"CUSTOM:operator_number_{i:02}": 1 for i in range(20)}
    encoded = encode(a_manifest(operators=names))
    with pytest.raises(ManifestError, match=f"more than {MAX_ENVELOPE_BYTES}"):
        envelope(encoded, AUTHOR)
    error = refused(suit.seal(encoded, AUTHOR))
    assert (error.code, "more than" in error.detail) == (ResultCode.MALFORMED, True)


def test_an_envelope_with_a_payload_inside():
    parsed = suit.read_envelope(envelope(encode(a_manifest()), AUTHOR), 4096)
    members = {2: cbor.dumps([parsed.digest, *parsed.signatures]), 3: parsed.manifest, "#x": b"x"}
    error = refused(cbor.dumps(cbor2.CBORTag(107, members)))
    assert (error.code, "more than a manifest" in error.detail) == (ResultCode.MALFORMED, True)


def parts() -> dict:
    root = cbor2.loads(encode(a_manifest()))
    return root | {3: cbor2.loads(root[3]), 7: cbor2.loads(root[7]), 20: cbor2.loads(root[20])}


def rebuilt(root: dict) -> bytes:
    common = root[3] if isinstance(root[3], bytes) else cbor.dumps(root[3])
    sequences = {key: cbor.dumps(root[key]) for key in (7, 20) if key in root}
    return cbor.dumps(root | {3: common} | sequences)


def with_parameters(changes: dict, remove: tuple[int, ...] = ()) -> bytes:
    root = parts()
    shared = cbor2.loads(root[3][4])
    kept = {key: value for key, value in shared[1].items() if key not in remove}
    shared[1] = kept | changes
    root[3] = root[3] | {4: cbor.dumps(shared)}
    return rebuilt(root)


def test_the_parts_make_the_manifest():
    assert rebuilt(parts()) == encode(a_manifest())


def test_a_custom_parameter_of_a_later_version_is_ignored():
    assert decode(with_parameters({-99: "later"})) == a_manifest()


P = manifest_layout.PARAMETERS


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({P["vendor_id"]: b"short"}, "/parameters/1"),
        ({P["class_id"]: 7}, "/parameters/2"),
        ({P["image_digest"]: cbor.dumps([-16, b"short"])}, "image digest"),
        ({P["image_digest"]: cbor.dumps([-43, DIGEST])}, "image digest"),
        ({P["image_digest"]: cbor.dumps([-16, bytes(32)])}, "/parameters/21"),
        ({P["image_size"]: 0}, "/parameters/14"),
        ({P["image_size"]: 2**32}, "/parameters/14"),
        ({P["device_uuid"]: bytes(16)}, "/parameters/24"),
        ({P["device_id"]: "another"}, "/parameters/24"),
        ({P["device_id"]: "enrol"}, "reserved"),
        ({P["deployment"]: b""}, "/parameters/-2"),
        ({P["issued_at"]: -1}, "/parameters/-3"),
        ({P["issued_at"]: True}, "/parameters/-3"),
        ({P["expires_at"]: 5}, "/parameters/-4"),
        ({P["block_exponents"]: b""}, "/parameters/-5"),
        ({P["block_exponents"]: b"\x07"}, "exponent 7"),
        ({P["block_exponents"]: bytes(9)}, "/parameters/-5"),
        ({P["arena_bytes"]: "much"}, "/parameters/-6"),
        ({P["operators"]: cbor.dumps({3: 0})}, "/parameters/-7/3"),
        ({P["operators"]: cbor.dumps({3: 1, "CONV_2D": 1})}, "/parameters/-7"),
        ({P["operators"]: cbor.dumps({"x" * 61: 1})}, "/parameters/-7"),
        ({P["operators"]: cbor.dumps(dict.fromkeys(range(65), 1))}, "/parameters/-7"),
        ({P["operators"]: cbor.dumps([3])}, "/parameters/-7"),
        ({P["operators"]: b"\xa1"}, "/parameters/-7"),
        ({P["runtime"]: "x" * 61}, "/parameters/-8"),
        ({P["input_shape"]: cbor.dumps([0])}, "/parameters/-9/0"),
        ({P["input_shape"]: cbor.dumps([1] * 9)}, "/parameters/-9"),
        ({P["output_shape"]: cbor.dumps({})}, "/parameters/-10"),
        ({P["self_test"]: cbor.dumps(["xorshift32", 0, b"x", 1])}, "/parameters/-11/1"),
        ({P["self_test"]: cbor.dumps(["xorshift32", 1, bytes(65), 1])}, "/parameters/-11/2"),
        ({P["self_test"]: cbor.dumps(["xorshift32", 1, b"x"])}, "/parameters/-11"),
    ],
)
def test_bad_parameters_are_refused_and_pointed_at(changes, where):
    with pytest.raises(ManifestError) as error:
        decode(with_parameters(changes))
    assert error.value.code == ResultCode.MALFORMED
    assert where in error.value.detail


@pytest.mark.parametrize(
    "encoded",
    [
        with_parameters({P["runtime"]: [1]}),
        with_parameters({P["runtime"]: 1.5}),
        with_parameters({P["vendor_id"]: bytes(15)}),
        with_parameters({P["image_size"]: -1}),
        with_parameters({P["image_digest"]: cbor.dumps([-99, DIGEST])}),
        with_parameters({99: 1}),
        rebuilt(parts() | {1: 2}),
        rebuilt(parts() | {99: b""}),
        rebuilt(parts() | {7: [3, 16]}),
        rebuilt(parts() | {7: [99, 15]}),
        rebuilt(parts() | {7: [3]}),
        rebuilt(parts() | {20: [20, {21: b"no text"}]}),
    ],
)
def test_the_schema_notices_what_is_wrong(cddl, encoded):
    cddl.check(suit.seal(encode(a_manifest()), AUTHOR))
    with pytest.raises(pycddl.ValidationError):
        cddl.check(suit.seal(encoded, AUTHOR))


@pytest.mark.parametrize("name", [n for n in P if n not in ("uri", "arena_bytes", "self_test")])
def test_no_needed_parameter_may_be_missing(name):
    with pytest.raises(ManifestError, match="missing|digest"):
        decode(with_parameters({}, (P[name],)))


def changed_root(**changes) -> bytes:
    return rebuilt(parts() | {int(key[1:]): value for key, value in changes.items()})


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x80",
        changed_root(_1=2),
        changed_root(_2="x"),
        changed_root(_2=-1),
        changed_root(_9=b"\x82\x17\x02"),
        changed_root(_7=[3, 15, 14, 15]),
        changed_root(_7=[]),
        changed_root(_7=[3]),
        changed_root(_3={2: [[b"\x00"]]}),
        changed_root(_3={2: [[b"\x01"]], 4: b""}),
        changed_root(_3=b"\xff"),
        changed_root(_20=[20, {21: topics.artifact(DIGEST.hex())}, 3, 15]),
        changed_root(_20=[20, {21: "http://example.com/x"}, 21, 2, 3, 15]),
        changed_root(_20=[20, {21: topics.artifact(DIGEST.hex()), 3: b""}, 21, 2, 3, 15]),
        changed_root(_20=[20, 5, 21, 2, 3, 15]),
        changed_root(_20=[23, 2, 21, 2, 3, 15]),
    ],
)
def test_a_manifest_with_another_frame_is_refused(encoded):
    with pytest.raises(ManifestError) as error:
        decode(encoded)
    assert error.value.code == ResultCode.MALFORMED


@pytest.mark.parametrize(
    "changes",
    [
        {"device_id": "UPPER"},
        {"digest": b"short"},
        {"size": 0},
        {"expires_at": 0},
        {"block_exponents": (3,)},
        {"block_exponents": (999,)},
        {"operators": {"CONV_2D": 0}},
        {"input_shape": [1, 8, 8, 1]},
        {"self_test": SelfTest("xorshift32", 0, b"x", 0)},
    ],
)
def test_what_could_not_be_read_is_not_written(changes):
    with pytest.raises(ValueError, match="."):
        encode(a_manifest(**changes))


def test_classes_and_devices_are_stable_names():
    assert str(class_id("nano33ble")) == "f118f93c-f892-52ef-bad1-74357679ced5"
    assert device_uuid("x") != class_id("x")


def test_an_operator_that_is_newer_than_the_table_has_a_name_that_nobody_offers():
    encoded = with_parameters({P["operators"]: cbor.dumps({700: 1})})
    assert decode(encoded).operators == {"BUILTIN_700": 1}
