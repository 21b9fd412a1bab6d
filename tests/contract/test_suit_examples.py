"""The six signed examples of the SUIT draft verify, parse, and do not with any byte changed."""

from __future__ import annotations

import random
from collections.abc import Iterable
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


def verifies(data: bytes, keys: dict[bytes, cose.PublicKey]) -> bool:
    try:
        verify(data, keys)
    except ManifestError:
        return False
    return True


def changed_and_verified(data: bytes, changes: Iterable[int], keys) -> list[tuple[int, int]]:
    """Where a byte can be changed by one of these differences and nobody would notice."""
    found = []
    for at in range(len(data)):
        for difference in changes:
            changed = bytearray(data)
            changed[at] ^= difference
            if verifies(bytes(changed), keys):
                found.append((at, difference))
    return found


@pytest.mark.parametrize("number", NUMBERS)
def test_no_changed_byte_verifies(number, data_dir, keys):
    changes = random.Random(number).sample(range(1, 256), 3)
    assert changed_and_verified(example(data_dir, number), changes, keys) == []


def test_a_severed_member_does_not_escape_its_digest_under_an_empty_name(data_dir, keys):
    data = example(data_dir, 2)
    for label in (suit.INSTALL, suit.TEXT):
        escaped = data.replace(bytes([label, 0x58]), b"\x60\x58").replace(
            bytes([label, 0x59]), b"\x60\x59"
        )
        assert escaped != data
        with pytest.raises(ManifestError) as refused:
            verify(escaped, keys)
        assert refused.value.code == ResultCode.MALFORMED


@pytest.mark.soak
@pytest.mark.parametrize("number", NUMBERS)
def test_no_byte_verifies_changed_to_any_other(number, data_dir, keys):
    assert changed_and_verified(example(data_dir, number), range(1, 256), keys) == []


@pytest.mark.parametrize("number", NUMBERS)
def test_no_byte_may_be_missing_twice_or_too_many(number, data_dir, keys):
    data = example(data_dir, number)
    for at in range(len(data)):
        for changed in (data[:at] + data[at + 1 :], data[:at] + data[at : at + 1] + data[at:]):
            assert changed == data or not verifies(changed, keys)
    for trailing in (b"\0", b"\xf6", b"\xff", data):
        with pytest.raises(ManifestError) as refused:
            verify(data + trailing, keys)
        assert refused.value.code == ResultCode.MALFORMED


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
