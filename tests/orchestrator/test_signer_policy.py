"""What the signer refuses to sign, each with a sentence, and what it remembers."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from deploy.signing_policy import Approvals, Ledger, Limits, Signer
from orchestrator.gateways.signing import MAX_TOGETHER
from orchestrator.protocol import cbor, learning, manifest
from tests.contract.samples import AUTHOR, DEVICE, DIGEST, NOW, a_manifest, a_task, trusted

KEYS = trusted(AUTHOR)
LIMITS = Limits()


@pytest.fixture
def signer(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    yield Signer(AUTHOR, ledger, LIMITS, clock=lambda: NOW)
    ledger.close()


def ask_manifest(signer: Signer, **changes) -> dict:
    encoded = manifest.encode(a_manifest(**changes))
    return signer.answer({"op": "sign_manifest", "manifest": encoded})


def test_what_policy_allows_is_signed(signer):
    answer = ask_manifest(signer)
    assert manifest.open_envelope(answer["done"], KEYS) == a_manifest()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"vendor_id": uuid4()}, "is not ours"),
        ({"size": LIMITS.max_artifact_bytes + 1}, "is larger than 16777216"),
        ({"issued_at": NOW - 9, "expires_at": NOW}, "has expired already"),
        ({"expires_at": NOW + LIMITS.max_lifetime_s + 1}, "would expire later than"),
        ({"issued_at": NOW + LIMITS.max_clock_skew_s + 1}, "lies in the future"),
        ({"operators": {f"CUSTOM:{'x' * 30}{i}": 1 for i in range(20)}}, "more than 1023"),
    ],
)
def test_what_policy_forbids_is_refused_and_not_remembered(signer, changes, sentence):
    assert sentence in ask_manifest(signer, **changes)["refused"]
    assert "done" in ask_manifest(signer)


def test_limits_themselves_are_allowed(signer):
    edge = {
        "size": LIMITS.max_artifact_bytes,
        "expires_at": NOW + LIMITS.max_lifetime_s,
        "issued_at": NOW + LIMITS.max_clock_skew_s,
    }
    assert "done" in ask_manifest(signer, **edge)


def test_a_sequence_number_cannot_leap_to_the_end_of_the_range(signer):
    assert "done" in ask_manifest(signer, sequence=41)
    answer = ask_manifest(signer, sequence=42 + LIMITS.max_sequence_lead, device_id="another")
    assert f"more than {LIMITS.max_sequence_lead} above 41" in answer["refused"]
    assert "done" in ask_manifest(signer, sequence=41 + LIMITS.max_sequence_lead)


@pytest.mark.parametrize("sequence", [0, 40, 41])
def test_a_sequence_that_is_not_higher_is_refused(signer, sequence):
    assert "done" in ask_manifest(signer, sequence=41)
    answer = ask_manifest(signer, sequence=sequence, size=5)
    assert f"sequence {sequence} is not higher than 41" in answer["refused"]


def test_devices_count_by_themselves(signer):
    assert "done" in ask_manifest(signer, sequence=41)
    assert "done" in ask_manifest(signer, sequence=3, device_id="another")
    assert "done" in ask_manifest(signer, sequence=42)


def test_the_very_same_manifest_is_signed_again_because_an_answer_may_be_lost(signer):
    assert ask_manifest(signer) == ask_manifest(signer)


def test_the_ledger_outlives_the_process(tmp_path, signer):
    ask_manifest(signer, sequence=41)
    again = Ledger(tmp_path / "ledger.sqlite3")
    later = Signer(AUTHOR, again, LIMITS, clock=lambda: NOW)
    assert "refused" in ask_manifest(later, sequence=41, size=7)
    assert again.last(DEVICE)[0] == 41
    again.close()


def ask_task(signer: Signer, **changes) -> dict:
    return signer.answer({"op": "sign_task", "task": learning.encode_task(a_task(**changes))})


def test_tasks_are_signed(signer):
    assert learning.open_task(ask_task(signer)["done"], KEYS) == a_task()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"issued_at": NOW - 9, "expires_at": NOW}, "has expired already"),
        ({"expires_at": NOW + LIMITS.max_lifetime_s + 1}, "would expire later than"),
        ({"issued_at": NOW + 301}, "lies in the future"),
        ({"samples": LIMITS.max_samples + 1}, "samples are more than"),
    ],
)
def test_tasks_that_policy_forbids(signer, changes, sentence):
    assert sentence in ask_task(signer, **changes)["refused"]


@pytest.fixture
def author(tmp_path: Path):
    ledger = Ledger(tmp_path / "author.sqlite3")
    approvals = Approvals(tmp_path / "approved.sha256")
    yield Signer(AUTHOR, ledger, LIMITS, clock=lambda: NOW, approvals=approvals)
    ledger.close()


@pytest.mark.parametrize(
    "lines",
    [
        DIGEST.hex(),
        f"\n{'0' * 64}  other.tflite\n{DIGEST.hex().upper()} *a network.tflite\n\n",
    ],
)
def test_an_author_signs_what_is_approved(author, tmp_path, lines):
    (tmp_path / "approved.sha256").write_text(lines)
    answer = ask_manifest(author)
    assert manifest.open_envelope(answer["done"], KEYS) == a_manifest()


def test_a_files_name_in_any_encoding_spoils_no_line(author, tmp_path):
    lines = [
        b"1" * 64 + "  r\u00e9seau.tflite".encode("latin-1"),
        b"\\" + DIGEST.hex().encode() + b"  a\\\\b.tflite",
    ]
    (tmp_path / "approved.sha256").write_bytes(b"\n".join(lines))
    assert "done" in ask_manifest(author)


@pytest.mark.parametrize(
    "lines", [None, "", "\n", "0" * 64, DIGEST.hex()[:-1], f"# {DIGEST.hex()}"]
)
def test_an_author_signs_nothing_else(author, tmp_path, lines):
    if lines is not None:
        (tmp_path / "approved.sha256").write_text(lines)
    assert f"{DIGEST.hex()} is not approved" in ask_manifest(author)["refused"]


def test_an_author_signs_no_learning_tasks(author):
    assert "signs no learning tasks" in ask_task(author)["refused"]


def test_an_author_never_goes_back_either(author, tmp_path):
    (tmp_path / "approved.sha256").write_text(DIGEST.hex())
    assert "done" in ask_manifest(author, sequence=41)
    assert "not higher than 41" in ask_manifest(author, sequence=40)["refused"]


@pytest.mark.parametrize(
    "request_",
    [
        None,
        [],
        {},
        {"op": "sign"},
        {"op": [1]},
        {"op": {}},
        {"op": "sign_manifest"},
        {"op": "sign_manifest", "manifest": "text"},
        {"op": "sign_manifest", "manifest": b""},
        {"op": "sign_manifest", "manifest": cbor.dumps({1: 1})},
        {"op": "sign_manifest", "manifest": learning.encode_task(a_task())},
        {"op": "sign_task", "task": manifest.encode(a_manifest())},
    ],
)
def test_what_is_no_request_is_refused(signer, request_):
    assert signer.answer(request_)["refused"]


def test_arbitrary_bytes_are_never_signed(signer):
    """Else the key would sign a digest of the asker's choice."""
    for payload in (b"\x82\x2f\x58\x20" + bytes(32), b"x" * 100):
        for op, member in (("sign_manifest", "manifest"), ("sign_task", "task")):
            assert "refused" in signer.answer({"op": op, member: payload})


def test_several_manifests_get_an_answer_each(signer):
    orders = [a_manifest(sequence=41), a_manifest(sequence=40), a_manifest(sequence=42)]
    several = [manifest.encode(order) for order in orders]
    answers = signer.answer({"op": "sign_manifests", "manifests": [*several, "text"]})["done"]
    opened = [manifest.open_envelope(answers[place]["done"], KEYS) for place in (0, 2)]
    assert opened == [orders[0], orders[2]]
    assert "sequence 40 is not higher than 41" in answers[1]["refused"]
    assert "refused" in answers[3]
    assert "not higher than 42" in ask_manifest(signer, sequence=42, size=1)["refused"]


def test_more_manifests_than_a_frame_holds_are_refused_together(signer):
    several = [manifest.encode(a_manifest(sequence=n)) for n in range(1, MAX_TOGETHER + 2)]
    refused = signer.answer({"op": "sign_manifests", "manifests": several})["refused"]
    assert f"more than {MAX_TOGETHER}" in refused
    assert "done" in ask_manifest(signer, sequence=1), "nothing of it was remembered"


def test_what_a_batch_records_is_all_on_disk_or_nothing_of_it(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite3")
    with pytest.raises(RuntimeError), ledger.together():
        ledger.record("pump-1", 7, b"x")
        raise RuntimeError("the disk is full")
    assert ledger.last("pump-1") is None
    with ledger.together():
        ledger.record("pump-1", 7, b"x")
    ledger.close()
    assert Ledger(tmp_path / "ledger.sqlite3").last("pump-1") == (7, b"x")
