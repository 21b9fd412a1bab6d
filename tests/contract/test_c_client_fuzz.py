"""The client in C reads whatever comes, steps beyond no buffer, and believes no more than ours.

It is built with the address and undefined-behaviour sanitizers: the first error ends it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import cbor2
import pytest

from orchestrator.protocol import encoding, manifest, suit, topics
from tests.contract.make_vectors import FOLDER, judge
from tests.contract.samples import AUTHOR, a_manifest
from tests.contract.test_c_client_vectors import GOOD, judged, run
from tests.device.c_client import missing_tools

pytestmark = pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "can be built")

SAMPLED, MANY = 2_000, 40_000
counts = pytest.mark.parametrize(
    "count", [SAMPLED, pytest.param(MANY, marks=pytest.mark.soak)], ids=["sampled", "many"]
)
JSON_PIECES = [
    b"{",
    b"}",
    b"[",
    b'"',
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b"-1",
    b"null",
    b"\xff",
    b"\0",
]
JSON_PIECES += [b'"answer":', b'"boot":9007199254740993', b",", b"9" * 400, b"[" * 1200]
SCALARS: list[Callable[[random.Random], object]] = [
    lambda chance: chance.randrange(-(2**40), 2**40),
    lambda chance: chance.choice([0, 1, 23, 24, 255, 256, 2**31, 2**32, 2**53, 2**64 - 1]),
    lambda chance: chance.randbytes(chance.randrange(70)),
    lambda chance: "x" * chance.randrange(70),
    lambda chance: chance.choice([True, False, None, 1.5]),
    lambda chance: cbor2.dumps([chance.randrange(2**33) for _ in range(chance.randrange(10))]),
    lambda chance: cbor2.dumps({chance.randrange(300): chance.randrange(1200) for _ in "abc"}),
]


def damaged(chance: random.Random, good: bytes, pieces: list[bytes]) -> bytes:
    """`good` with a few places overwritten, cut out, doubled or filled with a piece."""
    data = good
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.randrange(9))
        put = chance.choice([b"", data[start:end] * 2, chance.randbytes(3), chance.choice(pieces)])
        data = data[:start] + put + data[end:]
    return data


def hexed(lines: list[bytes]) -> str:
    return "".join(f"{line.hex()}\n" for line in lines)


@counts
@pytest.mark.parametrize("name", ["enrolment-result", "acked"])
def test_json_of_a_server_is_read_as_ours_reads_it_or_not_at_all(check, name, count):
    chance = random.Random(name)
    good = (FOLDER / f"{name}.json").read_bytes()
    lines = [good, *(damaged(chance, good, JSON_PIECES) for _ in range(count))]
    said = run(check, "inbound", name, given=hexed(lines))
    assert len(said) == len(lines)
    assert said[0] == _ours(name, good)
    for line, word in zip(lines, said, strict=True):
        assert word in ("none", "other") or _ours(name, line) in (word, None)


def _ours(name: str, payload: bytes) -> str | None:
    try:
        if name == "acked":
            kept = encoding.decode_acknowledgement(payload)
            return f"{kept.boot} {kept.sequence}"
        return encoding.decode_enrolment_result(payload).answer.value
    except encoding.MessageError:
        return None


@counts
def test_topics_are_blocks_or_nothing(check, count):
    chance = random.Random("topics")
    good = topics.artifact_block("ab" * 32, 10, 7).encode()
    pieces = [b"/", b"//", b"-1", b"0", b"00", b"9" * 30, b"+", b"#", b" ", b"\xff"]
    lines = [good, *(damaged(chance, good, pieces) for _ in range(count))]
    said = run(check, "inbound", "topic", given=hexed(lines))
    assert (said[0], len(said)) == ("ok", len(lines))
    assert "none" in said


@counts
def test_blocks_are_whole_or_bad(check, count):
    chance = random.Random("blocks")
    good = (FOLDER / "block-8-0.bin").read_bytes()
    artifact = (FOLDER / "artifact.bin").read_bytes()
    lines = [good, *(damaged(chance, good, [bytes(600)]) for _ in range(count))]
    said = run(check, "block", len(artifact), 8, 0, given=hexed(lines))
    assert len(said) == len(lines)
    assert set(said) == {f"ok {artifact[:256].hex()}", "bad_block"}


@counts
def test_what_it_follows_ours_would_follow(check, device, count):
    """Well-signed nonsense too: a server that has gone wrong must not crash a device."""
    chance = random.Random("envelopes")
    lines = [
        damaged(chance, chance.choice(GOOD), [b"\x9f", b"\xff", bytes(9)]) for _ in range(count)
    ]
    lines += [_well_signed(chance) for _ in range(count // 4)]
    codes = [line.split()[0] for line in judged(check, device, lines)]
    followed = [line for line, code in zip(lines, codes, strict=True) if code == "ok"]
    assert all(judge(line).value == "ok" for line in followed)
    assert {"malformed", "bad_signature"} <= set(codes)


def _well_signed(chance: random.Random) -> bytes:
    """A manifest of any parameters, signed as it should be."""
    root = cbor2.loads(manifest.encode(a_manifest()))
    common = cbor2.loads(root[3])
    shared = cbor2.loads(common[4])
    for key in chance.sample([1, 2, 3, 14, 24, *range(-13, 0)], chance.randint(1, 3)):
        shared[1][key] = chance.choice(SCALARS)(chance)
    changed = common | {4: suit.cbor.dumps(shared)}
    return suit.seal(suit.cbor.dumps(root | {3: suit.cbor.dumps(changed)}), AUTHOR)


def test_an_object_deeper_than_any_stack_ends_nothing(check):
    deep = [b"[" * 4000, b'{"answer":' * 400, json.dumps({"answer": "x" * 5000}).encode()]
    assert run(check, "inbound", "enrolment-result", given=hexed(deep)) == ["none"] * 3
