"""The signer as a process: ready, private, hard to stop by clients, easy by its owner."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.certificate_policy import CertificateLimits
from orchestrator.gateways.certificates import CertificateClient
from orchestrator.gateways.signing import (
    MAX_FRAME_BYTES,
    MAX_TOGETHER,
    SignerUnreachable,
    SigningClient,
    SigningRefused,
    TwoSigners,
    pack_frame,
    short_address,
)
from orchestrator.protocol import cose, learning, manifest
from tests.contract.samples import a_manifest, a_task
from tests.orchestrator.authorities import public_pem

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 20


@dataclasses.dataclass
class Installation:
    """Where one signer lives."""

    root: Path
    authority: Path | None = None

    @property
    def socket(self) -> Path:
        return self.root / "run" / "signer.sock"

    @property
    def private(self) -> Path:
        return self.root / "signer"

    @property
    def trust(self) -> Path:
        return self.root / "trust"

    def command(self, *more: str) -> list[str]:
        options = ["--socket", self.socket, "--directory", self.private, "--trust", self.trust]
        options += ["--authority", self.authority] if self.authority else []
        options += ["--timeout-s", "1", *more]
        return [sys.executable, "-m", "deploy.signer", *map(str, options)]

    @contextlib.contextmanager
    def running(self, *more: str) -> Iterator[subprocess.Popen]:
        process = subprocess.Popen(
            self.command(*more), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout.readline() == "signer ready\n"
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=TIMEOUT_S)

    def client(self) -> SigningClient:
        return SigningClient(self.socket, TIMEOUT_S)

    def keys(self) -> dict[bytes, cose.PublicKey]:
        return cose.trusted_keys(path.read_bytes() for path in self.trust.glob("*.pem"))


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def process(installation: Installation) -> Iterator[subprocess.Popen]:
    with installation.running() as process:
        yield process


def fresh_manifest(**changes) -> manifest.Manifest:
    """A manifest that is not expired by the real clock, which the process goes by."""
    now = int(time.time())
    return a_manifest(**{"issued_at": now, "expires_at": now + 3600} | changes)


def test_manifests_and_tasks_are_signed_with_the_published_key(process, installation):
    order = fresh_manifest()
    envelope = installation.client().sign_manifest(order)
    assert manifest.open_envelope(envelope, installation.keys()) == order
    task = a_task(issued_at=order.issued_at, expires_at=order.expires_at)
    assert learning.open_task(installation.client().sign_task(task), installation.keys()) == task


def test_many_manifests_are_signed_in_the_order_in_which_they_were_given(process, installation):
    orders = [fresh_manifest(sequence=number) for number in range(1, 2 * MAX_TOGETHER)]
    orders.insert(3, fresh_manifest(digest=b"short"))
    answers = installation.client().sign_manifests(orders)
    assert isinstance(answers.pop(3), SigningRefused)
    del orders[3]
    keys = installation.keys()
    assert [manifest.open_envelope(answer, keys) for answer in answers] == orders


def test_its_public_key_is_where_verifiers_look(process, installation):
    ((key_id, pem),) = installation.client().public_keys().items()
    assert (installation.trust / f"{key_id.hex()}.pem").read_bytes() == pem


def test_key_and_socket_are_private(process, installation):
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(installation.socket) == 0o600
    assert mode(installation.private / "signing-key.pem") == 0o600
    assert mode(installation.private) == 0o700


def test_a_refusal_is_a_sentence(process, installation):
    client = installation.client()
    client.sign_manifest(fresh_manifest(sequence=7))
    with pytest.raises(SigningRefused, match="sequence 7 is not higher than 7"):
        client.sign_manifest(fresh_manifest(sequence=7, size=1))
    with pytest.raises(SigningRefused, match="no manifest"):
        client.sign_manifest(fresh_manifest(digest=b"short"))
    with pytest.raises(SigningRefused, match="no learning task"):
        client.sign_task(a_task(samples=0))


def test_key_and_ledger_outlive_a_kill(installation):
    with installation.running() as process:
        first = installation.client().public_keys()
        installation.client().sign_manifest(fresh_manifest(sequence=7))
        process.kill()
        process.wait(TIMEOUT_S)
    with installation.running():
        assert installation.client().public_keys() == first
        with pytest.raises(SigningRefused, match="not higher than 7"):
            installation.client().sign_manifest(fresh_manifest(sequence=6))


def test_a_new_key_leaves_the_old_one_trusted(installation):
    """Rotation: the key file is moved away; devices trust both until the old one is removed."""
    with installation.running():
        old = installation.client().sign_manifest(fresh_manifest(sequence=1))
    (installation.private / "signing-key.pem").unlink()
    with installation.running():
        new = installation.client().sign_manifest(fresh_manifest(sequence=2))
    keys = installation.keys()
    assert len(keys) == 2
    assert [manifest.open_envelope(e, keys).sequence for e in (old, new)] == [1, 2]


def test_two_signers_make_one_envelope(process, installation, tmp_path):
    order = fresh_manifest()
    author = Installation(tmp_path / "author")
    author.private.mkdir(parents=True)
    with author.running("--role", "author"):
        both = TwoSigners(author.client(), installation.client())
        with pytest.raises(SigningRefused, match="the author's signer: .* is not approved"):
            both.sign_manifest(order)
        (author.private / "approved.sha256").write_text(f"{order.digest.hex()}  n.tflite\n")
        envelope = both.sign_manifest(order)
        task = a_task(issued_at=order.issued_at, expires_at=order.expires_at)
        assert learning.open_task(both.sign_task(task), installation.keys()) == task
    assert manifest.open_envelope(envelope, installation.keys(), author.keys()) == order
    with pytest.raises(manifest.ManifestError, match="missing_signature"):
        manifest.open_envelope(
            installation.client().sign_manifest(order), installation.keys(), author.keys()
        )


def test_without_the_author_nothing_is_signed(process, installation, tmp_path):
    both = TwoSigners(Installation(tmp_path / "author").client(), installation.client())
    with pytest.raises(SignerUnreachable, match="author"):
        both.sign_manifest(fresh_manifest())


def test_two_signatures_that_would_reach_one_kib_are_none(process, installation, tmp_path):
    """Each envelope would fit by itself."""
    order = fresh_manifest(operators={f"CUSTOM:{'x' * 30}{i}": 1 for i in range(13)})
    author = Installation(tmp_path / "author")
    author.private.mkdir(parents=True)
    (author.private / "approved.sha256").write_text(order.digest.hex())
    with author.running("--role", "author"):
        author.client().sign_manifest(order)
        with pytest.raises(SigningRefused, match="two signatures: .* more than 1023"):
            TwoSigners(author.client(), installation.client()).sign_manifest(order)


def raw(installation: Installation) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    with short_address(installation.socket) as address:
        connection.connect(address)
    return connection


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\0",
        b"\0\0\0\x05\xa1",
        b"\0\0\0\x01\xff",
        b"\xff\xff\xff\xff",
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_a_bad_client_ends_only_itself(process, installation, sent):
    with raw(installation) as bad:
        bad.sendall(sent)
        bad.shutdown(socket.SHUT_WR)
        assert bad.recv(1) == b""
    assert installation.client().public_keys()


def test_a_silent_client_is_dropped_and_delays_nobody(process, installation):
    with raw(installation) as silent:
        silent.sendall(b"\0\0")
        assert installation.client().public_keys()
        assert silent.recv(1) == b""


def test_a_client_that_reads_no_answer_is_dropped(process, installation):
    with raw(installation) as greedy:
        request = pack_frame({"op": "public_keys"})
        with pytest.raises(ConnectionError):
            while True:
                greedy.sendall(request * 1000)
    assert installation.client().public_keys()


def test_many_clients_at_once(process, installation):
    order = fresh_manifest()
    found: list[int] = []

    def sign(number: int) -> None:
        named = dataclasses.replace(order, device_id=f"device-{number}")
        found.append(len(installation.client().sign_manifest(named)))

    threads = [threading.Thread(target=sign, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert len(found) == 16


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_and_takes_its_socket_along(installation, number):
    with installation.running() as process:
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == 0
        assert not installation.socket.exists()
    with pytest.raises(SignerUnreachable):
        installation.client().public_keys()


def test_a_socket_path_longer_than_the_kernel_takes(tmp_path):
    installation = Installation(tmp_path / ("deep" * 30))
    assert len(os.fsencode(installation.socket)) > 108
    with installation.running():
        assert installation.client().public_keys()


def refusal(installation: Installation) -> str:
    ended = subprocess.run(
        installation.command(), cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert ended.returncode == 1
    return ended.stderr


def test_a_key_can_be_made_before_it_is_needed(installation):
    spare = [sys.executable, "-m", "deploy.signer", "--directory", str(installation.private)]
    spare += ["--trust", str(installation.trust), "--key-only"]
    made = [
        subprocess.run(spare, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
        for _ in "ab"
    ]
    (key_id,) = installation.keys()
    assert {each.stdout for each in made} == {f"{installation.trust / key_id.hex()}.pem\n"}
    assert not installation.socket.exists()
    with installation.running():
        assert set(installation.client().public_keys()) == {key_id}


def test_one_ledger_has_one_signer(process, installation):
    assert "another signer uses" in refusal(installation)
    assert installation.client().public_keys()


def test_a_key_that_others_can_read_is_not_used(installation):
    with installation.running():
        pass
    (installation.private / "signing-key.pem").chmod(0o644)
    assert "can be read by others" in refusal(installation)


def test_a_file_in_place_of_the_socket_is_not_deleted(installation):
    installation.socket.parent.mkdir(parents=True)
    installation.socket.write_text("precious")
    assert "is no socket" in refusal(installation)
    assert installation.socket.read_text() == "precious"


def test_without_a_record_there_is_no_signature(process, installation):
    with sqlite3.connect(installation.private / "ledger.sqlite3") as broken:
        broken.execute("DROP TABLE signed")
    broken.close()
    with pytest.raises(SignerUnreachable):
        installation.client().sign_manifest(fresh_manifest())
    assert installation.client().public_keys()


def test_it_needs_no_django():
    code = "import sys, deploy.signer; print([m for m in sys.modules if m.startswith('django')])"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"


class TestAuthority:
    """The same process as the certificate authority."""

    @pytest.fixture
    def installation(self, tmp_path: Path) -> Installation:
        return dataclasses.replace(Installation(tmp_path), authority=tmp_path / "authority.pem")

    def test_it_issues_over_the_socket_and_keeps_its_key_private(self, installation, process):
        key = public_pem(ec.generate_private_key(ec.SECP256R1()))
        made = CertificateClient(installation.client()).client_certificate("pump-1", key)
        issuer = x509.load_pem_x509_certificate(installation.authority.read_bytes())
        x509.load_pem_x509_certificate(made.encode()).verify_directly_issued_by(issuer)
        private = installation.private / "authority-key.pem"
        assert stat.S_IMODE(private.stat().st_mode) == 0o600

    def test_the_longest_list_passes(self, installation, process):
        serials = range(2**158, 2**158 + CertificateLimits().max_revoked)
        made = CertificateClient(installation.client()).revocation_list(serials)
        assert len(x509.load_pem_x509_crl(made)) == len(serials)

    def test_a_refusal_is_a_sentence_there_too(self, installation, process):
        with pytest.raises(SigningRefused, match="no P-256"):
            CertificateClient(installation.client()).client_certificate("pump-1", "no key")


def test_without_being_told_to_it_is_no_authority(process, installation):
    with pytest.raises(SigningRefused, match="give it --authority"):
        CertificateClient(installation.client()).revocation_list([])
