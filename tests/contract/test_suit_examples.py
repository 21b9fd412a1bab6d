"""The six signed examples of the SUIT draft verify, parse, and do not with any byte changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from orchestrator.protocol import cbor, cose, suit
from orchestrator.protocol.messages import ResultCode
from orchestrator.protocol.refusal import ManifestError

NUMBERS = range(6)
# The examples name no key, so the verifier takes the one it has for the empty key id.
UNNAMED = b""


@pytest.fixture
def keys(data_dir: Path) -> dict[bytes, cose.PublicKey]:
    pem = (data_dir / "suit" / "public_key.pem").read_bytes()
    return {UNNAMED: serialization.load_pem_public_key(pem)}


def example(data_dir: Path, number: int) -> bytes:
    return (data_dir / "suit" / f"example{number}.cbor").read_bytes()


def verify(data: bytes, keys: dict[bytes, cose.PublicKey]) -> suit.Envelope:
    envelope = suit.read_envelope(data, 4096)
    suit.check_digest_algorithm(envelope)
    suit.check_signatures(envelope, keys)
    suit.check_digests(envelope)
    return envelope


@pytest.mark.parametrize("number", NUMBERS)
def test_it_verifies_and_parses(number, data_dir, keys):
    manifest = suit.read_map(verify(example(data_dir, number), keys).manifest, "manifest")
    assert manifest[suit.VERSION] == 1
    assert manifest[suit.SEQUENCE_NUMBER] == number
    common = suit.read_map(manifest[suit.COMMON], "common")
    assert common[suit.COMPONENTS][0] == [b"\x00"]
    commands = suit.read_commands(common[suit.SHARED_SEQUENCE], "shared sequence")
    assert (suit.CONDITION_VENDOR, 15) in commands
    assert (suit.CONDITION_CLASS, 15) in commands


def test_the_image_of_the_first_example_is_the_one_in_its_text(data_dir, keys):
    manifest = suit.read_map(verify(example(data_dir, 0), keys).manifest, "manifest")
    common = suit.read_map(manifest[suit.COMMON], "common")
    (code, parameters), *_ = suit.read_commands(common[suit.SHARED_SEQUENCE], "shared")
    assert code == suit.OVERRIDE_PARAMETERS
    expected = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"
    assert suit.image_digest(parameters[3]).hex() == expected
    assert parameters[14] == 34768


def test_severed_members_are_checked_by_their_digests(data_dir, keys):
    envelope = verify(example(data_dir, 2), keys)
    assert set(envelope.severed) == {suit.INSTALL, suit.TEXT}


@pytest.mark.parametrize("number", NUMBERS)
def test_no_changed_byte_verifies(number, data_dir, keys):
    data = example(data_dir, number)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        with pytest.raises(ManifestError):
            verify(bytes(changed), keys)


@pytest.mark.parametrize("number", NUMBERS)
def test_no_truncation_verifies(number, data_dir, keys):
    data = example(data_dir, number)
    for end in range(len(data)):
        with pytest.raises(ManifestError) as refused:
            verify(data[:end], keys)
        assert refused.value.code == ResultCode.MALFORMED


@pytest.mark.parametrize("number", NUMBERS)
def test_our_encoder_writes_the_same_bytes(number, data_dir):
    data = example(data_dir, number)
    assert cbor.dumps(cbor.loads(data, 4096, {suit.ENVELOPE_TAG})) == data
