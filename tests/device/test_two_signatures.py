"""A device that asks for the operator's signature and the author's runs nothing without both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from device_firmware_sim.trust import TrustError, load_trust
from orchestrator.protocol import cose, topics
from orchestrator.protocol.learning import sign_task
from orchestrator.protocol.manifest import encode, envelope, join
from orchestrator.protocol.messages import DeploymentStatus, ResultCode
from orchestrator.protocol.suit import seal
from tests.device.bench import Bench
from tests.device.peer import Peer

BOARD = "bluepill-f103c8"
OPERATOR = ec.generate_private_key(ec.SECP256R1())
NEXT_OPERATOR = ed25519.Ed25519PrivateKey.generate()
AUTHOR = ed25519.Ed25519PrivateKey.generate()
NEXT_AUTHOR = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())


def store(folder: Path, *keys: cose.PrivateKey) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for key in keys:
        public = key.public_key()
        (folder / f"{cose.key_id(public).hex()}.pem").write_bytes(cose.public_pem(public))


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    store(tmp_path / "trust", OPERATOR, NEXT_OPERATOR)
    store(tmp_path / "trust" / "author", AUTHOR, NEXT_AUTHOR)
    return tmp_path / "trust"


@pytest.fixture
def bench(tmp_path: Path, trust: Path) -> Bench:
    loaded = load_trust(trust)
    bench = Bench(tmp_path / "flash", BOARD, loaded.keys, authors=loaded.authors)
    bench.join()
    return bench


def offer(bench: Bench, peer: Peer, data: bytes, *signers: cose.PrivateKey) -> None:
    bench.retained |= peer.blocks(data)
    bench.order(seal(encode(peer.manifest(bench.device_id, bench.build, data)), *signers))


@pytest.mark.parametrize(
    "signers",
    [(AUTHOR, OPERATOR), (OPERATOR, AUTHOR), (NEXT_AUTHOR, OPERATOR), (AUTHOR, NEXT_OPERATOR)],
    ids=["author first", "operator first", "the author's next key", "the operator's next key"],
)
def test_an_order_with_both_signatures_is_followed(bench, peer, small_network, signers):
    offer(bench, peer, small_network, *signers)
    assert bench.reports[-1].status is DeploymentStatus.INSTALLED


@pytest.mark.parametrize(
    ("signers", "code"),
    [
        ((OPERATOR,), ResultCode.MISSING_SIGNATURE),
        ((AUTHOR,), ResultCode.MISSING_SIGNATURE),
        ((OPERATOR, OPERATOR), ResultCode.MISSING_SIGNATURE),
        ((AUTHOR, AUTHOR), ResultCode.MISSING_SIGNATURE),
        ((OPERATOR, NEXT_OPERATOR), ResultCode.MISSING_SIGNATURE),
        ((OPERATOR, STRANGER), ResultCode.MISSING_SIGNATURE),
        ((STRANGER, AUTHOR), ResultCode.MISSING_SIGNATURE),
        ((STRANGER,), ResultCode.UNKNOWN_KEY),
        ((), ResultCode.BAD_SIGNATURE),
    ],
)
def test_anything_less_is_refused_by_name(bench, peer, small_network, other_network, signers, code):
    offer(bench, peer, small_network, AUTHOR, OPERATOR)
    runs = bench.said_state
    offer(bench, peer, other_network, *signers)
    report = bench.reports[-1]
    assert (report.status, report.code) == (DeploymentStatus.REJECTED, code)
    assert bench.said_state == runs


def test_a_wrong_signature_beside_two_good_ones_is_refused(bench, peer, small_network):
    """Whoever names a trusted key must have it, also where nobody would miss the signature."""
    order = encode(peer.manifest(bench.device_id, bench.build, small_network))
    good = envelope(order, AUTHOR, OPERATOR, NEXT_OPERATOR)
    last = good.rindex(b"\x58\x40") + 10
    bench.order(good[:last] + bytes([good[last] ^ 1]) + good[last + 1 :])
    assert bench.reports[-1].code is ResultCode.BAD_SIGNATURE
    assert bench.said_state.digest is None


def test_a_learning_task_is_the_operators_alone(bench, peer, small_network):
    offer(bench, peer, small_network, AUTHOR, OPERATOR)
    task = peer.task(bench.device_id, small_network)
    for key in (AUTHOR, STRANGER):
        bench.send(topics.learn_task(bench.device_id), sign_task(task, key))
        assert bench.learn_updates == []
    bench.send(topics.learn_task(bench.device_id), sign_task(task, OPERATOR))
    assert bench.learn_updates[-1].task == task.task


def test_envelopes_of_two_signers_make_one(bench, peer, small_network):
    order = encode(peer.manifest(bench.device_id, bench.build, small_network))
    bench.retained |= peer.blocks(small_network)
    bench.order(join(envelope(order, AUTHOR), envelope(order, OPERATOR)))
    assert bench.reports[-1].status is DeploymentStatus.INSTALLED


def test_envelopes_of_two_orders_make_none(bench, peer, small_network):
    orders = [encode(peer.manifest(bench.device_id, bench.build, small_network)) for _ in "ab"]
    with pytest.raises(ValueError, match="not of one manifest"):
        join(envelope(orders[0], AUTHOR), envelope(orders[1], OPERATOR))


def _no_author(trust: Path) -> None:
    for path in (trust / "author").iterdir():
        path.unlink()


def _no_operator(trust: Path) -> None:
    for path in trust.glob("*.pem"):
        path.unlink()


def _one_for_both(trust: Path) -> None:
    store(trust / "author", OPERATOR)


def _no_key(trust: Path) -> None:
    (trust / "author" / "x.pem").write_text("-----BEGIN PUBLIC KEY-----\n")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_no_author, "author holds no .pem file"),
        (_no_operator, "trust holds no .pem file"),
        (_one_for_both, "is both the operator's and the author's"),
        (_no_key, "author: "),
    ],
)
def test_a_store_that_cannot_be_meant_is_refused(
    trust, damage: Callable[[Path], None], sentence: str
):
    load_trust(trust)
    damage(trust)
    with pytest.raises(TrustError, match=sentence):
        load_trust(trust)
