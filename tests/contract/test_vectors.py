"""The golden bytes in vectors/ are what the code makes, and it reads them as they are meant."""

from __future__ import annotations

import json

import pytest

from orchestrator.protocol import blocks, encoding, learning, manifest
from orchestrator.protocol.messages import ResultCode
from orchestrator.protocol.senml import decode_telemetry
from tests.contract.make_vectors import (
    FOLDER,
    SECRET,
    judge,
    judge_by_two_roles,
    telemetry_pack,
    vectors,
)
from tests.contract.samples import AUTHOR, DEVICE, OPERATOR, a_manifest, a_task, trusted

MADE = vectors()


def golden(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", MADE)
def test_the_code_makes_these_bytes(name):
    assert MADE[name] == golden(name)


def test_every_file_is_made_and_described():
    files = {path.name for path in FOLDER.iterdir()} - {"README.md"}
    assert files == set(MADE)
    readme = (FOLDER / "README.md").read_text()
    assert [name for name in files if f"`{name}`" not in readme] == []


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("envelope.cbor", AUTHOR),
        ("envelope-two-signatures.cbor", AUTHOR),
        ("envelope-two-signatures.cbor", OPERATOR),
    ],
)
def test_envelopes_open(name, key):
    assert manifest.open_envelope(golden(name), trusted(key)) == a_manifest()
    assert judge(golden(name)) == ResultCode.OK


def cases(name: str) -> list[dict[str, str]]:
    return json.loads(golden(name))


@pytest.mark.parametrize("case", cases("refused.json"), ids=lambda case: case["what"])
def test_bad_envelopes_are_refused_for_their_reason(case):
    assert judge(bytes.fromhex(case["envelope"])) == case["code"] != ResultCode.OK


@pytest.mark.parametrize("case", cases("refused-two-roles.json"), ids=lambda case: case["what"])
def test_a_device_that_asks_for_two_signatures_takes_no_less(case):
    assert judge_by_two_roles(bytes.fromhex(case["envelope"])) == case["code"] != ResultCode.OK


def test_a_device_that_asks_for_two_signatures_takes_both():
    assert judge_by_two_roles(golden("envelope-two-signatures.cbor")) == ResultCode.OK
    assert judge_by_two_roles(golden("envelope.cbor")) == ResultCode.MISSING_SIGNATURE


def test_the_bad_envelopes_cover_every_code_before_the_download():
    after = {"wrong_shape", "bad_block", "bad_digest", "self_test_failed", "flash_error"}
    after |= {"reverted", "ok"}
    names = ("refused.json", "refused-two-roles.json")
    codes = {case["code"] for name in names for case in cases(name)}
    assert codes == set(ResultCode) - after


def test_messages_are_read():
    assert learning.open_task(golden("task.cbor"), trusted(AUTHOR)) == a_task()
    assert encoding.decode_learn_update(golden("learn-update.cbor")).shape == (3, 2)
    enrolment = encoding.decode_enrolment(DEVICE, golden("enrolment.json"))
    assert encoding.verify_enrolment(enrolment)
    assert encoding.check_verifier(SECRET, enrolment.verifier)
    for name in ("telemetry.json", "telemetry.cbor"):
        pack = decode_telemetry(golden(name), DEVICE)
        assert (pack.sequence, pack.accuracy) == (17, telemetry_pack().accuracy)


def test_blocks_make_the_artifact():
    small = [blocks.unframe(golden(f"block-8-{number}.bin")) for number in (0, 1)]
    assert b"".join(small) == blocks.unframe(golden("block-0-0.bin")) == golden("artifact.bin")
