"""docs/how-to/keys.md, carried out command by command with real signers and a simulated device."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from device_firmware_sim.trust import load_trust
from orchestrator.gateways.signing import SigningClient, SigningRefused, TwoSigners
from orchestrator.protocol import cose
from orchestrator.protocol.messages import DeploymentStatus, ResultCode
from tests.device.bench import Bench
from tests.device.peer import Peer
from tests.device.server import ROOT

PAGE = (ROOT / "docs" / "how-to" / "keys.md").read_text()
BOARD = "bluepill-f103c8"
TIMEOUT_S = 60


def commands(heading: str) -> list[str]:
    """The shell blocks of a section of the page, as they stand there."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^( *)```sh\n(.*?)```", section, re.DOTALL | re.MULTILINE)
    return [block.replace(f"\n{indent}", "\n").strip() for indent, block in blocks]


@dataclass
class Site:
    """An installation's folder, and the signers that run in it."""

    root: Path
    network: bytes
    peer: Peer = field(default_factory=Peer)

    def follow(self, block: str) -> None:
        """What the page says, in a shell that stops at the first failure."""
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, (block, done.stderr)

    @contextlib.contextmanager
    def up(self, role: str = "operator") -> Iterator[SigningClient]:
        """The operator's signer as `up` starts it, or the author's as the page does."""
        options = "--socket var/run/signer.sock --directory var/signer --trust var/keys/trust"
        if role == "author":
            command = commands("Two signatures")[0].split()
            assert command[:2] == ["python", "-m"]
            options = " ".join(command[3:])
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.signer", *options.split()],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        socket = options.split()[options.split().index("--socket") + 1]
        try:
            assert process.stdout.readline() == "signer ready\n"
            yield SigningClient(self.root / socket, TIMEOUT_S)
        finally:
            process.terminate()
            process.communicate(timeout=TIMEOUT_S)

    def give_firmware(self, bench: Bench) -> None:
        """An image with the trust folder as it is now; flash keeps its records and slots."""
        trust = load_trust(self.root / "var" / "keys" / "trust")
        bench.set_up(keys=trust.keys, authors=trust.authors)
        bench.power_on()
        bench.connect()

    def order(self, bench: Bench, signer: SigningClient | TwoSigners) -> bytes:
        now = int(time.time())
        order = self.peer.manifest(
            bench.device_id, bench.build, self.network, issued_at=now, expires_at=now + 3600
        )
        return signer.sign_manifest(order)

    def key_id(self, folder: str) -> str:
        pem = (self.root / folder / "signing-key.pem").read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        return cose.key_id(key.public_key()).hex()

    def device(self) -> Bench:
        """A new member with firmware of today."""
        bench = Bench(self.root / "flash", BOARD, {})
        bench.now = time.time()
        trust = load_trust(self.root / "var" / "keys" / "trust")
        bench.set_up(keys=trust.keys, authors=trust.authors)
        bench.join()
        bench.retained |= self.peer.blocks(self.network)
        return bench


@pytest.fixture(scope="module")
def begun(tmp_path_factory, small_network: bytes) -> Path:
    """An installation after its first start, with spares of both roles; each test gets a copy."""
    site = Site(tmp_path_factory.mktemp("begun"), small_network)
    with site.up(), site.up("author"):
        pass
    (spare,) = commands("Before the first device: a spare")
    site.follow(spare)
    author = spare.replace("operator-spare", "author-spare")
    site.follow(author.replace("var/keys/trust", "author/trust"))
    (site.root / "network.tflite").write_bytes(small_network)
    return site.root


@pytest.fixture
def site(begun: Path, tmp_path: Path, small_network: bytes) -> Site:
    shutil.copytree(begun, tmp_path / "site")
    return Site(tmp_path / "site", small_network)


@pytest.fixture
def bench(site: Site) -> Bench:
    return site.device()


@pytest.fixture
def with_author(site: Site) -> Bench:
    """A device that asks for two signatures."""
    trust = "var/keys/trust/author"
    site.follow(f"mkdir {trust} && cp author/trust/*.pem {trust}/")
    return site.device()


def outcome(bench: Bench, envelope: bytes) -> ResultCode:
    bench.order(envelope)
    report = bench.reports[-1]
    installed = report.status is DeploymentStatus.INSTALLED
    assert installed == (report.code is ResultCode.OK)
    return report.code


def test_planned_rotation_with_a_device_that_was_away(site, bench):
    with site.up() as signer:
        from_before, never_seen = site.order(bench, signer), site.order(bench, signer)
    old = site.key_id("var/signer")
    rotate, clean_up = commands("Planned rotation")
    site.follow(rotate)
    assert site.key_id("var/signer") != old
    with site.up() as signer:
        assert outcome(bench, from_before) is ResultCode.OK
        assert outcome(bench, site.order(bench, signer)) is ResultCode.OK
        site.follow(clean_up.replace("KEYID", old))
        site.give_firmware(bench)
        assert outcome(bench, never_seen) is ResultCode.UNKNOWN_KEY
        assert outcome(bench, site.order(bench, signer)) is ResultCode.OK
    site.follow(rotate)
    with site.up() as signer:
        assert outcome(bench, site.order(bench, signer)) is ResultCode.OK


def test_each_procedure_after_another_brings_a_key_that_was_never_in_use(site):
    with site.up():
        used = [site.key_id("var/signer")]
    rotate, _ = commands("Planned rotation")
    (lost,) = commands("The operator's key is lost")
    (stolen,) = commands("The operator's key is stolen")
    for block in (rotate, stolen, rotate, "rm -rf var/signer", lost, stolen):
        site.follow(block.replace("KEYID", used[-1]))
        if block.startswith("rm -rf"):
            continue
        assert site.key_id("var/signer") not in used
        used.append(site.key_id("var/signer"))


def test_the_operators_key_is_lost(site, bench):
    with site.up() as signer:
        assert outcome(bench, site.order(bench, signer)) is ResultCode.OK
    site.follow("rm -rf var/signer")
    (restore,) = commands("The operator's key is lost")
    site.follow(restore)
    with site.up() as signer:
        assert outcome(bench, site.order(bench, signer)) is ResultCode.OK


def test_two_signatures_and_the_authors_key_is_lost(site, with_author):
    approve = commands("Two signatures")[1]
    site.follow(approve)
    with site.up() as operator, site.up("author") as author:
        both = TwoSigners(author, operator)
        assert outcome(with_author, site.order(with_author, both)) is ResultCode.OK
    site.follow("rm -rf author")
    (restore,) = commands("The author's key is lost")
    with site.up() as operator:
        alone = outcome(with_author, site.order(with_author, operator))
        assert alone is ResultCode.MISSING_SIGNATURE
        site.follow(restore)
        with site.up("author") as author:
            both = TwoSigners(author, operator)
            assert outcome(with_author, site.order(with_author, both)) is ResultCode.OK
            site.follow("rm author/approved.sha256")
            with pytest.raises(SigningRefused, match="not approved"):
                site.order(with_author, both)


def test_the_operators_key_is_stolen(site, bench):
    site.follow("cp -rp var/signer loot")
    stolen = site.key_id("var/signer")
    with site.up() as thief:
        orders = [site.order(bench, thief) for _ in range(2)]
    assert outcome(bench, orders[0]) is ResultCode.OK
    (change,) = commands("The operator's key is stolen")
    site.follow(change.replace("KEYID", stolen))
    site.give_firmware(bench)
    runs = bench.said_state
    assert outcome(bench, orders[1]) is ResultCode.UNKNOWN_KEY
    assert bench.said_state == runs
    with site.up() as signer:
        assert outcome(bench, site.order(bench, signer)) is ResultCode.OK


def test_a_stolen_operators_key_orders_nothing_where_two_must_sign(site, with_author):
    with site.up() as thief:
        code = outcome(with_author, site.order(with_author, thief))
    assert code is ResultCode.MISSING_SIGNATURE
    assert with_author.said_state.digest is None


def test_all_keys_are_lost(site, bench):
    with site.up() as signer:
        assert outcome(bench, site.order(bench, signer)) is ResultCode.OK
    (begin_anew,) = commands("All keys are lost")
    site.follow(begin_anew)
    with site.up() as signer:
        assert outcome(bench, site.order(bench, signer)) is ResultCode.UNKNOWN_KEY
        assert bench.said_state.digest == hashlib.sha256(site.network).hexdigest()
        floor = bench.said_state.sequence
        site.give_firmware(bench)
        assert bench.said_state.digest == hashlib.sha256(site.network).hexdigest()
        assert outcome(bench, site.order(bench, signer)) is ResultCode.OK
        assert bench.said_state.sequence > floor
