"""The client in C, held to the golden bytes and to bytes that nobody would send."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.protocol import operators
from orchestrator.protocol.enrolment import SALT_BYTES
from tests.contract.make_vectors import FOLDER
from tests.device.c_client import missing_tools

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "can be built")

VALUES = json.loads((FOLDER / "values.json").read_text())
REFUSED = json.loads((FOLDER / "refused.json").read_text())
REFUSED_BY_TWO_ROLES = json.loads((FOLDER / "refused-two-roles.json").read_text())
ENROLMENT = json.loads((FOLDER / "enrolment.json").read_text())
GOOD = [(FOLDER / f"{n}.cbor").read_bytes() for n in ("envelope", "envelope-two-signatures")]
ARTIFACT = (FOLDER / "artifact.bin").read_bytes()
SEED, FLIPS = 20261, 4_000


@pytest.fixture(scope="module")
def two_roles(device, tmp_path_factory) -> list[str]:
    """The same device, which asks for the author's signature too."""
    trust = tmp_path_factory.mktemp("roles")
    (trust / "author").mkdir()
    shutil.copy(FOLDER / "operator-public.pem", trust)
    shutil.copy(FOLDER / "author-public.pem", trust / "author")
    return [str(trust), *device[1:]]


def run(check: Path, *words: object, given: str = "") -> list[str]:
    """Lines that a check prints; it must end well."""
    command = [str(check), *map(str, words)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def judged(check: Path, device: list[str], envelopes: Iterable[bytes]) -> list[str]:
    lines = "".join(f"{envelope.hex()}\n" for envelope in envelopes)
    return run(check, "envelopes", *device, given=lines)


def test_good_envelopes_are_read_as_they_were_meant(check, device):
    meant = VALUES["manifest"]
    for line in judged(check, device, GOOD):
        code, *pairs = line.split()
        found = dict(pair.split("=") for pair in pairs)
        named = dict(entry.split("/") for entry in found.pop("operators").split(","))
        assert code == "ok"
        assert {name: int(version) for name, version in named.items()} == meant["operators"]
        assert found == _as_printed(meant)


def _as_printed(meant: dict[str, Any]) -> dict[str, str]:
    """The values of the manifest in the words of the check, without its operators."""
    test = meant["self_test"]
    plain = ("sequence", "issued_at", "expires_at", "size", "digest", "device_id", "runtime")
    shapes = {name: ",".join(map(str, meant[name])) for name in ("input_shape", "output_shape")}
    uuids = ("vendor_id", "class_id", "deployment")
    return (
        {name: str(meant[name]) for name in (*plain, "arena_bytes")}
        | {name: meant[name].replace("-", "") for name in uuids}
        | {"block_exponents": bytes(meant["block_exponents"]).hex()}
        | {name: str(value) for name, value in test.items()}
        | shapes
    )


def test_every_bad_envelope_is_refused_with_its_code(check, device):
    codes = judged(check, device, (bytes.fromhex(row["envelope"]) for row in REFUSED))
    assert codes == [row["code"] for row in REFUSED]


def test_where_two_signatures_are_asked_for_both_must_be_there(check, two_roles):
    codes = [line.split()[0] for line in judged(check, two_roles, GOOD)]
    assert codes == ["missing_signature", "ok"]
    refused = (bytes.fromhex(row["envelope"]) for row in REFUSED_BY_TWO_ROLES)
    assert judged(check, two_roles, refused) == [row["code"] for row in REFUSED_BY_TWO_ROLES]


def test_no_changed_byte_of_two_signatures_is_accepted(check, two_roles):
    good = GOOD[1]
    places = range(len(good))
    bad = [good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :] for at in places]
    bad += [good[:end] for end in places]
    assert "ok" not in {line.split()[0] for line in judged(check, two_roles, bad)}


@pytest.mark.parametrize("stored", ["empty author", "one key in both roles", "no operator"])
def test_a_store_of_nobody_or_of_one_key_for_both_is_none(check, device, tmp_path, stored):
    (tmp_path / "author").mkdir()
    if stored != "no operator":
        shutil.copy(FOLDER / "operator-public.pem", tmp_path)
    if stored != "empty author":
        shutil.copy(FOLDER / "operator-public.pem", tmp_path / "author")
    command = [str(check), "envelopes", str(tmp_path), *device[1:]]
    ended = subprocess.run(command, input="", capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert ended.stderr.startswith("trust: ")


def test_no_changed_byte_is_accepted_and_none_ends_the_client(check, device):
    chance = random.Random(SEED)
    changed = [_changed(chance, chance.choice(GOOD)) for _ in range(FLIPS)]
    codes = judged(check, device, changed)
    assert len(codes) == FLIPS
    signed_by_both, signed_by_one = (len(GOOD[n]) for n in (1, 0))
    assert signed_by_both > signed_by_one
    accepted = [envelope for envelope, code in zip(changed, codes, strict=True) if code[:2] == "ok"]
    # A signature under a key id that a flip has made a stranger's is ignored; the other one holds.
    assert all(len(envelope) == signed_by_both for envelope in accepted)
    assert {"malformed", "bad_signature", "unknown_key"} <= set(codes)


def _changed(chance: random.Random, envelope: bytes) -> bytes:
    """With one to four bits flipped, cut short, or with some bytes twice."""
    changed = bytearray(envelope)
    match chance.randrange(4):
        case 0:
            return bytes(changed[: chance.randrange(len(changed))])
        case 1:
            place = chance.randrange(len(changed))
            return bytes(changed[:place] + changed[place : place + 9] + changed[place:])
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize(
    ("exponent", "number", "part"),
    [(8, 0, ARTIFACT[:256]), (8, 1, ARTIFACT[256:]), (0, 0, ARTIFACT)],
)
def test_blocks_are_taken_whole_or_not_at_all(check, exponent, number, part):
    payload = (FOLDER / f"block-{exponent}-{number}.bin").read_bytes()
    bad = [payload[:-1], payload + b"\0", b"", payload[:-1] + bytes([payload[-1] ^ 1])]
    lines = "".join(f"{one.hex()}\n" for one in (payload, *bad))
    said = run(check, "block", len(ARTIFACT), exponent, number, given=lines)
    assert said == [f"ok {part.hex()}", *["bad_block"] * len(bad)]


def test_a_block_beyond_the_artifact_is_none(check):
    payload = (FOLDER / "block-8-1.bin").read_bytes()
    assert run(check, "block", len(ARTIFACT), 8, 2, given=payload.hex() + "\n") == ["bad_block"]


def test_the_enrolment_is_made_as_published(check):
    proof = (FOLDER / "enrolment-proof.bin").read_bytes()
    words = [VALUES["device"]["device_id"], ENROLMENT["token"], ENROLMENT["verifier"]]
    assert run(check, "proof", *words, given=ENROLMENT["public_key"]) == [proof.hex()]
    salt = "twelve bytes"
    assert len(salt) == SALT_BYTES
    assert run(check, "verifier", VALUES["secret"], salt) == [ENROLMENT["verifier"]]


def test_the_self_test_s_input_is_the_generator_s(check):
    wanted = (FOLDER / "self-test-input.bin").read_bytes()
    seed = VALUES["manifest"]["self_test"]["seed"]
    assert run(check, "self-test-input", seed, len(wanted), "int8") == [wanted.hex()]


def test_messages_are_written_as_published(check):
    meant = json.loads((FOLDER / "report.json").read_text())
    words = [meant["boot"], meant["sequence"], meant["deployment"].replace("-", "")]
    said = run(check, "messages", *words, VALUES["manifest"]["digest"])
    assert said == [(FOLDER / f"{n}.json").read_text() for n in ("report", "online", "state")]


def test_every_operator_code_has_its_name(check):
    assert run(check, "operators") == list(operators.NAMES)
