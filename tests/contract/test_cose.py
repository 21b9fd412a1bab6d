"""COSE_Sign1: what a trusted key signed is read, and nothing else."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from pycose.headers import KID, Algorithm
from pycose.keys import EC2Key, OKPKey
from pycose.messages import CoseMessage, Sign1Message

from orchestrator.protocol import cbor, cose
from orchestrator.protocol.messages import ResultCode
from orchestrator.protocol.refusal import SignatureError
from tests.contract.samples import AUTHOR, OPERATOR, STRANGER, fixed, trusted

KEYS = trusted(AUTHOR, OPERATOR)
PAYLOAD = b"what is signed"


@pytest.mark.parametrize("key", [AUTHOR, OPERATOR], ids=["ES256", "EdDSA"])
def test_attached_and_detached(key):
    assert cose.verify1(cose.sign1(PAYLOAD, key), KEYS) == PAYLOAD
    assert cose.verify1(cose.sign1_detached(PAYLOAD, key), KEYS, PAYLOAD) == PAYLOAD


@pytest.mark.parametrize("key", [AUTHOR, OPERATOR], ids=["ES256", "EdDSA"])
def test_another_implementation_reads_ours(key):
    message = CoseMessage.decode(cose.sign1(PAYLOAD, key))
    public = key.public_key()
    if key is AUTHOR:
        numbers = public.public_numbers()
        coordinates = (n.to_bytes(32, "big") for n in (numbers.x, numbers.y))
        message.key = EC2Key("P_256", *coordinates)
    else:
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        message.key = OKPKey("ED25519", raw)
    assert message.phdr[KID] == cose.key_id(public)
    assert message.verify_signature()


def test_ours_reads_another_implementation_s_with_the_key_id_unprotected():
    numbers = AUTHOR.private_numbers()
    message = Sign1Message(
        {Algorithm: "ES256"}, {KID: cose.key_id(AUTHOR.public_key())}, payload=PAYLOAD
    )
    message.key = EC2Key("P_256", d=numbers.private_value.to_bytes(32, "big"))
    assert cose.verify1(message.encode(), KEYS) == PAYLOAD


def code_of(message: bytes, detached: bytes | None = None, keys=KEYS) -> ResultCode:
    with pytest.raises(SignatureError) as refused:
        cose.verify1(message, keys, detached)
    return refused.value.code


@fixed
@given(st.data())
def test_no_changed_byte_verifies(data):
    message = bytearray(cose.sign1(PAYLOAD, AUTHOR))
    message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    code_of(bytes(message))


def test_a_key_that_nobody_trusts_is_named():
    message = cose.sign1(PAYLOAD, STRANGER)
    assert code_of(message) == ResultCode.UNKNOWN_KEY
    with pytest.raises(SignatureError, match=cose.key_id(STRANGER.public_key()).hex()):
        cose.verify1(message, KEYS)


def test_a_stranger_who_names_a_trusted_key_is_refused():
    kid = cose.key_id(AUTHOR.public_key())
    claimed = {kid: STRANGER.public_key()}
    assert code_of(cose.sign1(PAYLOAD, AUTHOR), keys=claimed) == ResultCode.BAD_SIGNATURE


def test_another_payload_is_refused():
    message = cose.sign1_detached(PAYLOAD, AUTHOR)
    assert code_of(message, b"something else") == ResultCode.BAD_SIGNATURE


def test_the_payload_is_attached_or_detached_but_once():
    assert code_of(cose.sign1(PAYLOAD, AUTHOR), PAYLOAD) == ResultCode.MALFORMED
    assert code_of(cose.sign1_detached(PAYLOAD, AUTHOR)) == ResultCode.MALFORMED


def tampered(protected: dict, unprotected: object = None, signature: bytes = bytes(64)) -> bytes:
    content = [cbor.dumps(protected), unprotected or {}, PAYLOAD, signature]
    return cbor.dumps(cbor2.CBORTag(18, content))


KID_BYTES = cose.key_id(AUTHOR.public_key())


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", ResultCode.MALFORMED),
        (b"\xd2\x80", ResultCode.MALFORMED),
        (cbor.dumps([b"", {}, PAYLOAD, bytes(64)]), ResultCode.MALFORMED),
        (tampered({1: -7, 4: KID_BYTES}), ResultCode.BAD_SIGNATURE),
        (tampered({1: -7, 4: KID_BYTES}, signature=b""), ResultCode.BAD_SIGNATURE),
        (tampered({1: -8, 4: KID_BYTES}), ResultCode.BAD_SIGNATURE),
        (tampered({1: -35, 4: KID_BYTES}), ResultCode.BAD_SIGNATURE),
        (tampered({4: KID_BYTES}), ResultCode.BAD_SIGNATURE),
        (tampered({1: -7, 2: [99], 99: 1, 4: KID_BYTES}), ResultCode.MALFORMED),
        (tampered({1: -7, 4: "text"}), ResultCode.MALFORMED),
        (tampered({1: -7}), ResultCode.UNKNOWN_KEY),
    ],
)
def test_messages_that_never_verify(message, code):
    assert code_of(message) == code


def test_only_two_kinds_of_key_can_be_trusted():
    others = [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)]
    for key in others:
        pem = cose.public_pem(key.public_key())
        with pytest.raises(ValueError, match="P-256 or Ed25519"):
            cose.trusted_keys([pem])


def test_a_trust_store_comes_from_pem_files():
    pems = [cose.public_pem(key.public_key()) for key in (AUTHOR, OPERATOR)]
    assert set(cose.trusted_keys(pems)) == set(KEYS)
