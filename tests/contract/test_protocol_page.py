"""docs/mqtt-protocol.md, from which clients are written, says what the code does."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from orchestrator.protocol import (
    blocks,
    cose,
    encoding,
    learning,
    manifest,
    operators,
    senml,
    senml_records,
    strict_json,
    topics,
)
from orchestrator.protocol.manifest_layout import PARAMETERS
from orchestrator.protocol.messages import (
    DeploymentStatus,
    EnrolmentAnswer,
    LearnStatus,
    ResultCode,
)
from orchestrator.protocol.topics import TopicKind
from registry.services.things import parse
from tests.contract.make_vectors import FOLDER
from tests.contract.samples import AUTHOR

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mqtt-protocol.md").read_text()
SHA = "0" * 64


def rows() -> dict[str, str]:
    """First cell of every table row to the whole row."""
    return {
        line.split("|")[1].strip(" `"): line for line in PAGE.splitlines() if line.startswith("|")
    }


@pytest.mark.parametrize("kind", TopicKind)
def test_every_kind_of_topic_has_a_row_with_its_form(kind):
    build = getattr(topics, kind.value)
    if kind is TopicKind.ARTIFACT_BLOCK:
        form = "artifacts/{sha256}/{n}/{block}"
        assert build(SHA, 10, 3).endswith(form.format(sha256=SHA, n=10, block=3))
    else:
        form = build("d-1").removeprefix("tinyfleet/v1/").replace("d-1", "{device}")
    assert f"`{form}`" in rows()[kind.value]


@pytest.mark.parametrize("word", [*ResultCode, *DeploymentStatus])
def test_every_code_and_status_has_a_row(word):
    assert word.value in rows()


@pytest.mark.parametrize("word", [*EnrolmentAnswer, *LearnStatus])
def test_every_answer_is_named(word):
    assert f"`{word.value}`" in PAGE


@pytest.mark.parametrize("number", PARAMETERS.values())
def test_every_parameter_has_a_row(number):
    assert str(number) in rows()


@pytest.mark.parametrize("keys", [learning.TASK_KEYS, encoding.LEARN_UPDATE_KEYS])
def test_every_key_of_a_task_and_an_update_has_a_row(keys):
    for name, number in keys.items():
        assert f"| {number} | {name} |" in PAGE


@pytest.mark.parametrize("name", senml.KNOWN_NAMES)
def test_every_record_has_a_row(name):
    assert name in rows()


@pytest.mark.parametrize("name", operators.NAMES)
def test_every_operator_code_is_listed(name):
    listed = " ".join(PAGE.split("## Operator codes")[1].split())
    assert re.search(rf"\b{operators.CODES[name]} {name}[,.]", listed)


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (manifest.MAX_ENVELOPE_BYTES, "**at most {} bytes**, with one or two signatures"),
        (encoding.MAX_JSON_BYTES, "one object, at most {} bytes"),
        (strict_json.MAX_DEPTH, "nested at most {} deep"),
        (blocks.WINDOW, "**at most {} at a time**"),
        (topics.MAX_TOPIC_CHARS, "topic of up to {}"),
        (senml.MAX_TELEMETRY_BYTES, "at most {} bytes and 64 records"),
        (senml_records.MAX_RECORDS, "bytes and {} records"),
        (learning.MAX_TASK_BYTES, "payload, at most {} bytes"),
        (encoding.MAX_LEARN_UPDATE_BYTES, "CBOR of at most {} bytes"),
        (encoding.MAX_WEIGHTS_BYTES, "bstr, at most {}"),
        (encoding.MAX_DETAIL_CHARS, "text, at most {} characters"),
        (encoding.MAX_TOKEN_CHARS, "1 to {} characters"),
        (manifest.MAX_OPERATORS, "to version (1 to 1,000); at most {}"),
        (cose.KEY_ID_BYTES, "is the first {} bytes of SHA-256"),
    ],
)
def test_every_limit_is_the_code_s(limit, sentence):
    assert sentence.format(f"{limit:,}") in " ".join(PAGE.split())


def test_the_least_description_says_what_matching_needs():
    example = re.search(r"```json\n(\{.*?\})\n```", PAGE, re.DOTALL)
    meant = json.loads(example.group(1))
    said = parse(example.group(1).encode()).capacity
    assert said.board == meant["tf:board"]
    assert said.firmware.name == meant["tf:firmware"]["tf:name"]
    assert said.sensors == ()


def test_identifiers_are_the_code_s():
    assert PAGE.count(str(manifest.VENDOR_ID)) == 2


def test_a_client_written_from_the_page_verifies_the_golden_envelope():
    """Each step as the page says it, with nothing of ours but the public key."""
    pem = (FOLDER / "author-public.pem").read_bytes()
    key = serialization.load_pem_public_key(pem)
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    envelope = cbor2.loads((FOLDER / "envelope.cbor").read_bytes())
    digest, block = cbor2.loads(envelope.value[2])
    protected, _, payload, signature = cbor2.loads(block).value
    assert cbor2.loads(protected) == {1: -7, 4: hashlib.sha256(der).digest()[:8]}
    assert payload is None
    assert digest[:4].hex() == "822f5820"
    signed = b"\x84\x6aSignature1" + cbor2.dumps(protected) + b"\x40" + cbor2.dumps(digest)
    halves = (int.from_bytes(signature[start : start + 32]) for start in (0, 32))
    der_signature = utils.encode_dss_signature(*halves)
    key.verify(der_signature, signed, ec.ECDSA(hashes.SHA256()))
    manifest_bytes = envelope.value[3]
    head = b"\x59" + len(manifest_bytes).to_bytes(2)
    assert head.hex(" ") in PAGE
    assert hashlib.sha256(head + manifest_bytes).digest() == digest[4:]
    assert cose.public_pem(AUTHOR.public_key()) == pem
