"""The attacks of TUF and Uptane, each by a peer that sends real bytes: nothing wrong ever runs.

docs/threat-model.md says what is promised against each, and names the test here.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from device_firmware_sim.trust import load_trust
from orchestrator.protocol import cbor, cose, suit, topics
from orchestrator.protocol.blocks import frame
from orchestrator.protocol.manifest import (
    MAX_ENVELOPE_BYTES,
    Manifest,
    class_id,
    encode,
    envelope,
)
from orchestrator.protocol.messages import DeploymentStatus, ResultCode
from tests.device.bench import Bench
from tests.device.peer import DAY, NOW, Peer

BOARD = "bluepill-f103c8"
HIGHEST_SEQUENCE = 2**53 - 1


@pytest.fixture
def bench(tmp_path: Path, peer: Peer, small_network: bytes) -> Bench:
    """A member that runs the small network; the attacker wants it to run the other one."""
    bench = Bench(tmp_path / "flash", BOARD, peer.keys)
    bench.join()
    bench.retained |= peer.blocks(small_network)
    bench.order(peer.sign(an_order(bench, peer, small_network)))
    assert bench.reports[-1].status is DeploymentStatus.INSTALLED
    return bench


def an_order(bench: Bench, peer: Peer, data: bytes, **changes) -> Manifest:
    return peer.manifest(bench.device_id, bench.build, data, **changes)


def refusal(bench: Bench, order: bytes) -> ResultCode:
    """What the device says to an order that it must not follow."""
    said = len(bench.reports)
    bench.order(order)
    *_, last = bench.reports[said:]
    assert last.status in (DeploymentStatus.REJECTED, DeploymentStatus.FAILED)
    return last.code


def runs(bench: Bench, data: bytes) -> bool:
    """Whether exactly this network runs, also after a reboot."""
    wanted = hashlib.sha256(data).hexdigest()
    before = bench.device.state.digest
    bench.power_on()
    bench.connect()
    return [before, bench.device.state.digest, bench.said_state.digest] == [wanted] * 3


def test_arbitrary_model(bench, peer, small_network, other_network):
    """Bytes of the attacker's choice: unsigned, self-signed, changed, or behind a good digest."""
    order = encode(an_order(bench, peer, other_network))
    bench.retained |= peer.blocks(other_network)
    assert refusal(bench, suit.seal(order)) is ResultCode.BAD_SIGNATURE
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert refusal(bench, envelope(order, stranger)) is ResultCode.UNKNOWN_KEY
    good = peer.sign(an_order(bench, peer, small_network))
    digests = hashlib.sha256(small_network).digest(), hashlib.sha256(other_network).digest()
    assert refusal(bench, good.replace(*digests)) is ResultCode.BAD_SIGNATURE
    forged = {topic: frame(bytes(len(block) - 4)) for topic, block in bench.retained.items()}
    bench.retained |= {topic: forged[topic] for topic in peer.blocks(other_network)}
    order = an_order(bench, peer, other_network)
    assert refusal(bench, peer.sign(order)) is ResultCode.BAD_DIGEST
    assert runs(bench, small_network)


def test_rollback(bench, peer, small_network, other_network):
    """The order that once brought an older network, again, after a newer one was installed."""
    bench.retained |= peer.blocks(other_network)
    old = peer.sign(an_order(bench, peer, small_network))
    bench.order(peer.sign(an_order(bench, peer, other_network)))
    assert refusal(bench, old) is ResultCode.OLD_SEQUENCE
    assert runs(bench, other_network)
    assert refusal(bench, old) is ResultCode.OLD_SEQUENCE
    same_number = an_order(bench, peer, small_network, sequence=bench.said_state.sequence)
    assert refusal(bench, peer.sign(same_number)) is ResultCode.OLD_SEQUENCE


@pytest.mark.parametrize("has_clock", [True, False])
def test_freeze(bench, peer, small_network, other_network, has_clock):
    """An order that was held back is worth nothing after its expiry.

    A device without a clock knows the time by the newest order that it has accepted.
    """
    later = int(NOW) + 2 * DAY
    newest = an_order(bench, peer, small_network, issued_at=later, expires_at=later + DAY)
    held_back = peer.sign(an_order(bench, peer, other_network))
    bench.now = later if has_clock else 0
    if not has_clock:
        bench.order(peer.sign(newest))
    bench.retained |= peer.blocks(other_network)
    assert refusal(bench, held_back) is ResultCode.EXPIRED
    assert runs(bench, small_network)


def test_mix_and_match(bench, peer, small_network, other_network):
    """Parts of several good orders and artifacts, put together anew."""
    one, two = (an_order(bench, peer, data) for data in (small_network, other_network))
    mine, other = (suit.read_envelope(peer.sign(order), MAX_ENVELOPE_BYTES) for order in (one, two))
    for parts in (replace(mine, manifest=other.manifest), replace(other, digest=mine.digest)):
        assert refusal(bench, put_together(parts)) is ResultCode.BAD_SIGNATURE
    blocks = peer.blocks(other_network, (10,))
    swapped = dict(zip(blocks, peer.blocks(small_network, (10,)).values(), strict=False))
    bench.retained |= blocks | swapped
    mixed = an_order(bench, peer, other_network, block_exponents=(10,))
    assert refusal(bench, peer.sign(mixed)) in (ResultCode.BAD_DIGEST, ResultCode.BAD_BLOCK)
    assert runs(bench, small_network)


def put_together(parts: suit.Envelope) -> bytes:
    """The bytes of an envelope of these parts."""
    members = {
        suit.AUTHENTICATION: cbor.dumps([parts.digest, *parts.signatures]),
        suit.MANIFEST: parts.manifest,
    }
    return cbor.dumps(cbor2.CBORTag(suit.ENVELOPE_TAG, members))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"device_id": "unit-2"}, ResultCode.WRONG_DEVICE),
        ({"class_id": class_id("disco-f746ng")}, ResultCode.WRONG_CLASS),
        ({"vendor_id": class_id("another vendor")}, ResultCode.WRONG_VENDOR),
    ],
)
def test_wrong_target(bench, peer, small_network, other_network, changes, code):
    """A good order for somebody else, on this device's topic."""
    bench.retained |= peer.blocks(other_network)
    assert refusal(bench, peer.sign(an_order(bench, peer, other_network, **changes))) is code
    assert runs(bench, small_network)


def test_fast_forward(bench, peer, small_network, other_network):
    """Nobody without the key moves the floor, so that later orders would be refused as old."""
    far = an_order(bench, peer, other_network, sequence=HIGHEST_SEQUENCE)
    refusal(bench, envelope(encode(far), ec.generate_private_key(ec.SECP256R1())))
    refusal(bench, suit.seal(encode(far)))
    for_another = an_order(bench, peer, other_network, sequence=HIGHEST_SEQUENCE)
    refusal(bench, peer.sign(replace(for_another, device_id="unit-2")))
    refusal(bench, peer.sign(replace(far, size=bench.build.slot_bytes + 1)))
    assert runs(bench, small_network)
    bench.retained |= peer.blocks(other_network)
    bench.order(peer.sign(an_order(bench, peer, other_network)))
    assert runs(bench, other_network)


def test_endless_data(bench, peer, small_network, other_network):
    """Orders and blocks without end: each has a limit, and flash does not grow."""
    assert refusal(bench, peer.sign(an_order(bench, peer, small_network)) * 4096) is (
        ResultCode.MALFORMED
    )
    endless = an_order(bench, peer, other_network, size=2**32 - 1)
    assert refusal(bench, peer.sign(endless)) is ResultCode.TOO_LARGE
    grown = {t: frame(block * 999) for t, block in peer.blocks(other_network, (10,)).items()}
    bench.retained |= grown
    order = an_order(bench, peer, other_network, block_exponents=(10,))
    assert refusal(bench, peer.sign(order)) is ResultCode.BAD_BLOCK
    beyond = topics.artifact_block(order.digest.hex(), 10, topics.MAX_BLOCK)
    bench.send(beyond, frame(bytes(1024)))
    slots = [path.stat().st_size for path in bench.folder.rglob("*slot*")]
    assert slots
    assert max(slots) <= bench.build.slot_bytes
    assert runs(bench, small_network)


def test_replay(bench, peer, small_network, other_network):
    """Every order ever seen, again and in any order: the same answer, and nothing happens."""
    bench.retained |= peer.blocks(other_network)
    seen = [peer.sign(an_order(bench, peer, data)) for data in (small_network, other_network)]
    for order in seen:
        bench.order(order)
    written = bench.supply.used
    for order in (*reversed(seen), *seen):
        bench.order(order)
    assert bench.supply.used == written
    assert runs(bench, other_network)


def test_key_compromise(tmp_path, peer, small_network, other_network):
    """The operator's key is stolen: alone it moves nothing where the author must sign too."""
    author = ec.generate_private_key(ec.SECP256R1())
    for folder, key in (("trust", peer.key), ("trust/author", author)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "key.pem").write_bytes(cose.public_pem(key.public_key()))
    trust = load_trust(tmp_path / "trust")
    bench = Bench(tmp_path / "flash", BOARD, trust.keys, authors=trust.authors)
    bench.join()
    bench.retained |= peer.blocks(small_network) | peer.blocks(other_network)
    good = encode(an_order(bench, peer, small_network))
    bench.order(envelope(good, peer.key, author))
    stolen = peer.sign(an_order(bench, peer, other_network))
    assert refusal(bench, stolen) is ResultCode.MISSING_SIGNATURE
    approved = suit.read_envelope(envelope(good, author), MAX_ENVELOPE_BYTES).signatures
    parts = suit.read_envelope(stolen, MAX_ENVELOPE_BYTES)
    borrowed = replace(parts, signatures=(*parts.signatures, *approved))
    assert refusal(bench, put_together(borrowed)) is ResultCode.BAD_SIGNATURE
    assert runs(bench, small_network)


def test_revoked_key(bench, peer, small_network, other_network):
    """A key that was taken out of the store signs nothing more, not even what it signed before."""
    signed_before = peer.sign(an_order(bench, peer, other_network))
    bench.retained |= peer.blocks(other_network)
    bench.set_up(keys=Peer().keys)
    bench.power_on()
    bench.connect()
    assert refusal(bench, signed_before) is ResultCode.UNKNOWN_KEY
    assert runs(bench, small_network)


def test_partial_installation(bench, peer, small_network, large_network, other_network):
    """Blocks stop in the middle, and power fails: what ran before runs on."""
    blocks = peer.blocks(other_network, (10,))
    first, *_ = blocks
    bench.retained[first] = blocks[first]
    bench.order(peer.sign(an_order(bench, peer, other_network, block_exponents=(10,))))
    assert bench.words[-1] == "downloading"
    assert runs(bench, small_network)
    bench.retained |= blocks
    bench.connect()
    assert runs(bench, other_network)


def test_slow_retrieval(bench, peer, small_network, other_network):
    """Blocks that never come: asked for again, given up at the expiry, and the old one runs on."""
    bench.order(peer.sign(an_order(bench, peer, other_network)))
    bench.pass_time(DAY + 1)
    last = bench.reports[-1]
    assert (last.status, last.code) == (DeploymentStatus.FAILED, ResultCode.EXPIRED)
    assert runs(bench, small_network)
