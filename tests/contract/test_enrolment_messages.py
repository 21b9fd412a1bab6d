"""Enrolment: the device proves that it holds its key; its secret never travels."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.protocol import cose, encoding
from orchestrator.protocol.encoding import MessageError
from orchestrator.protocol.topics import TopicError
from tests.contract.samples import DEVICE, DEVICE_KEY, STRANGER, fixed

VERIFIER = encoding.make_verifier("a secret of the device's own", b"twelve bytes")
ENROLMENT = encoding.sign_enrolment(DEVICE_KEY, DEVICE, "token-1", VERIFIER)


def test_an_enrolment_comes_back_and_verifies():
    decoded = encoding.decode_enrolment(DEVICE, encoding.encode_enrolment(ENROLMENT))
    assert decoded == ENROLMENT
    assert encoding.verify_enrolment(decoded)


@pytest.mark.parametrize(
    "changes",
    [
        {"device_id": "pilot-08"},
        {"token": "token-2"},
        {"verifier": encoding.make_verifier("another", b"twelve bytes")},
        {"public_key": cose.public_pem(STRANGER.public_key()).decode()},
        {"public_key": "no key"},
        {"signature": ENROLMENT.signature[:-4] + "AAA="},
        {"signature": "not base64!"},
        {"signature": ""},
    ],
)
def test_no_part_of_it_can_be_exchanged(changes):
    assert not encoding.verify_enrolment(dataclasses.replace(ENROLMENT, **changes))


@fixed
@given(st.lists(st.text("ab\n", max_size=4), min_size=8, max_size=8))
def test_different_enrolments_have_different_proofs(texts):
    one, other = texts[:4], texts[4:]
    same = encoding.enrolment_proof(*one) == encoding.enrolment_proof(*other)
    assert same == (one == other)


MEMBERS = json.loads(encoding.encode_enrolment(ENROLMENT))


def pem(key) -> str:
    return cose.public_pem(key.public_key()).decode()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"token": ""}, "/token"),
        ({"token": "x" * 129}, "/token"),
        ({"token": 5}, "/token"),
        ({"public_key": "-----BEGIN"}, "/public_key"),
        ({"public_key": pem(ec.derive_private_key(5, ec.SECP384R1()))}, "/public_key"),
        (
            {"public_key": pem(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))},
            "/public_key",
        ),
        ({"verifier": "$6$abc$def"}, "/verifier"),
        ({"verifier": VERIFIER + "\nroot:x"}, "/verifier"),
        ({"verifier": VERIFIER.replace("$101$", "$1000001$")}, "/verifier"),
        ({"verifier": VERIFIER.replace("$101$", "$0$")}, "/verifier"),
        ({"verifier": VERIFIER[:-4]}, "/verifier"),
        ({"verifier": VERIFIER.replace("$101$", "$101$AAAA")}, "/verifier"),
        ({"signature": None}, "/signature"),
    ],
)
def test_bad_enrolments_are_pointed_at(changes, where):
    with pytest.raises(MessageError) as refused:
        encoding.decode_enrolment(DEVICE, json.dumps(MEMBERS | changes).encode())
    assert refused.value.where == where


def test_the_device_id_is_the_topic_s():
    with pytest.raises(TopicError):
        encoding.decode_enrolment("enrol", encoding.encode_enrolment(ENROLMENT))


@fixed
@given(st.text("abc:$ü", min_size=1, max_size=40), st.binary(min_size=12, max_size=12))
def test_a_verifier_knows_its_secret_only(secret, salt):
    verifier = encoding.make_verifier(secret, salt)
    assert encoding.check_verifier(secret, verifier)
    assert not encoding.check_verifier(secret + "x", verifier)
    assert ":" not in verifier


@pytest.mark.parametrize("verifier", ["", "secret", "$7$101$$", "$7$101$AAAA$AAAA", "$7$x$y$z"])
def test_another_form_matches_no_secret(verifier):
    assert not encoding.check_verifier("secret", verifier)


@pytest.mark.parametrize(
    ("salt", "iterations"), [(b"x" * 11, 101), (b"x" * 13, 101), (b"x" * 12, 0)]
)
def test_a_verifier_needs_salt_and_iterations(salt, iterations):
    with pytest.raises(ValueError, match="salt"):
        encoding.make_verifier("secret", salt, iterations)


def test_mosquitto_writes_the_same_form(tmp_path: Path):
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed")
    file = tmp_path / "passwords"
    file.touch(mode=0o600)
    subprocess.run([tool, "-b", str(file), "pilot", "a secret"], check=True, capture_output=True)
    verifier = file.read_text().strip().removeprefix("pilot:")
    assert encoding.check_verifier("a secret", verifier)
    assert not encoding.check_verifier("a Secret", verifier)
