"""The signer: its own process, the only one that holds the signing key, signs what policy allows.

    python -m deploy.signer --socket PATH --directory DIR --trust DIR

It imports no Django and reads no database: whoever takes over the web server still has to pass the
policy below, and cannot read the key. docs/threat-model.md says what that is worth.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import hashlib
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from orchestrator.gateways.signing import (
    LENGTH_BYTES,
    frame_length,
    pack_frame,
    short_address,
    unpack_frame,
)
from orchestrator.protocol import cose, learning, manifest
from orchestrator.protocol.fields import MessageError
from orchestrator.protocol.messages import LearnTask
from orchestrator.protocol.refusal import Refusal

log = structlog.get_logger(__name__)

KEY_FILE = "signing-key.pem"
LEDGER_FILE = "ledger.sqlite3"


class Refused(Exception):
    """A request that policy does not allow; the message is the sentence for the asker."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy allows. Times in seconds, sizes in bytes."""

    max_lifetime_s: int = 31 * 24 * 3600
    max_artifact_bytes: int = 16 * 1024 * 1024
    max_clock_skew_s: int = 300
    max_samples: int = 1_000_000


class Ledger:
    """The highest sequence number ever signed for each device, on disk before a signature leaves."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS signed "
            "(device TEXT PRIMARY KEY, sequence INTEGER NOT NULL, sha256 BLOB NOT NULL)"
        )

    def last(self, device: str) -> tuple[int, bytes] | None:
        """(sequence, SHA-256 of the manifest) signed last for a device."""
        row: tuple[int, bytes] | None = self._database.execute(
            "SELECT sequence, sha256 FROM signed WHERE device = ?", [device]
        ).fetchone()
        return row

    def record(self, device: str, sequence: int, sha256: bytes) -> None:
        """Durable when it returns."""
        self._database.execute(
            "INSERT INTO signed VALUES (?, ?, ?) ON CONFLICT (device) "
            "DO UPDATE SET sequence = excluded.sequence, sha256 = excluded.sha256",
            [device, sequence, sha256],
        )

    def close(self) -> None:
        """Fold the log into the file."""
        self._database.close()


class Signer:
    """Policy, ledger and key together; `clock` gives UNIX seconds."""

    def __init__(
        self,
        key: cose.PrivateKey,
        ledger: Ledger,
        limits: Limits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._ledger = ledger
        self._limits = limits
        self._clock = clock

    def answer(self, request: object) -> dict[str, object]:
        """One request's answer, never an exception for what a client may send."""
        try:
            return {"done": self._done(request)}
        except (Refused, Refusal) as error:
            log.warning("signing_refused", reason=str(error))
            return {"refused": str(error)}

    def _done(self, request: object) -> object:
        match request:
            case {"op": "sign_manifest", "manifest": bytes() as encoded}:
                return self._sign_manifest(encoded)
            case {"op": "sign_task", "task": bytes() as encoded}:
                return self._sign_task(encoded)
            case {"op": "public_keys"}:
                key = self._key.public_key()
                return {cose.key_id(key): cose.public_pem(key)}
        raise Refused("the request is none of sign_manifest, sign_task and public_keys")

    def _sign_manifest(self, encoded: bytes) -> bytes:
        order = manifest.decode(encoded)
        self._check_manifest(order)
        digest = hashlib.sha256(encoded).digest()
        self._check_sequence(order, digest)
        envelope = manifest.envelope(encoded, self._key)
        self._ledger.record(order.device_id, order.sequence, digest)
        log.info("manifest_signed", device=order.device_id, sequence=order.sequence)
        return envelope

    def _sign_task(self, encoded: bytes) -> bytes:
        task = learning.decode_task(encoded)
        self._check_times(task)
        if task.samples > self._limits.max_samples:
            raise Refused(f"{task.samples} samples are more than {self._limits.max_samples}")
        log.info("task_signed", device=task.device_id, task=str(task.task))
        return learning.sign_task(task, self._key)

    def _check_manifest(self, order: manifest.Manifest) -> None:
        if order.vendor_id != manifest.VENDOR_ID:
            raise Refused(f"vendor {order.vendor_id} is not ours")
        if order.size > self._limits.max_artifact_bytes:
            limit = self._limits.max_artifact_bytes
            raise Refused(f"an artifact of {order.size} bytes is larger than {limit}")
        self._check_times(order)

    def _check_times(self, order: manifest.Manifest | LearnTask) -> None:
        now = self._clock()
        if order.expires_at <= now:
            raise Refused(f"it has expired already, at {order.expires_at}")
        if order.expires_at > now + self._limits.max_lifetime_s:
            raise Refused(f"it would expire later than {self._limits.max_lifetime_s} s from now")
        # Devices without a clock take the newest issue time as theirs: one from the future would
        # make them refuse everything until then.
        if order.issued_at > now + self._limits.max_clock_skew_s:
            raise Refused(f"its issue time {order.issued_at} lies in the future")

    def _check_sequence(self, order: manifest.Manifest, digest: bytes) -> None:
        last = self._ledger.last(order.device_id)
        if last is None or order.sequence > last[0]:
            return
        # The very same bytes again: an asker that died before it could keep the first answer.
        if last != (order.sequence, digest):
            raise Refused(
                f"sequence {order.sequence} is not higher than {last[0]}, "
                f"signed before for {order.device_id}"
            )


def load_or_make_key(directory: Path) -> cose.PrivateKey:
    """The signing key; made at first use (ES256), readable by its owner alone."""
    path = directory / KEY_FILE
    if not path.exists():
        _write_key(path, ec.generate_private_key(ec.SECP256R1()))
    if path.stat().st_mode & 0o077:
        raise SystemExit(f"{path} can be read by others: chmod 600 it, or replace the key")
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise SystemExit(f"{path} holds neither a P-256 nor an Ed25519 key")
    return key


def publish_key(trust: Path, key: cose.PrivateKey) -> Path:
    """Write the public key where verifiers look, under its key id."""
    trust.mkdir(parents=True, exist_ok=True)
    path = trust / f"{cose.key_id(key.public_key()).hex()}.pem"
    _write_whole(path, cose.public_pem(key.public_key()), 0o644)
    return path


async def serve(signer: Signer, socket_path: Path, timeout_s: float) -> None:
    """Answer until SIGTERM or SIGINT."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _converse(signer, reader, writer, timeout_s)

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    socket_path.unlink(missing_ok=True)
    with short_address(socket_path) as address:
        server = await asyncio.start_unix_server(connected, address)
    socket_path.chmod(0o600)
    print("signer ready", flush=True)
    await stop.wait()
    server.close()
    socket_path.unlink(missing_ok=True)


async def _converse(
    signer: Signer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout_s: float
) -> None:
    """Requests of one connection, each within `timeout_s`; whatever goes wrong ends only it."""
    try:
        while not reader.at_eof():
            async with asyncio.timeout(timeout_s):
                head = await reader.readexactly(LENGTH_BYTES)
                request = unpack_frame(await reader.readexactly(frame_length(head)))
                writer.write(pack_frame(signer.answer(request)))
                await writer.drain()
    except asyncio.IncompleteReadError as error:
        if error.partial:
            log.warning("client_left_mid_request", bytes=len(error.partial))
    except (OSError, MessageError, TimeoutError) as error:
        log.warning("client_dropped", reason=str(error) or "time-out")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Two signers with one ledger would each sign a sequence number once."""
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SystemExit(f"another signer uses {directory}: stop it first") from error
        yield


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_whole(path, pem, 0o600)


def _write_whole(path: Path, content: bytes, mode: int) -> None:
    """Never seen half-written; on disk when it returns."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.signer", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="unix socket to listen on")
    parser.add_argument("--directory", type=Path, required=True, help="key and ledger, private")
    parser.add_argument("--trust", type=Path, required=True, help="where public keys are put")
    parser.add_argument("--timeout-s", type=float, default=5.0, help="for one request")
    for name in Limits.__slots__:
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=getattr(Limits(), name))
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    """Run until told to stop."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    options = _arguments(given)
    options.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    options.socket.parent.mkdir(parents=True, exist_ok=True)
    limits = Limits(**{name: getattr(options, name) for name in Limits.__slots__})
    with _alone_in(options.directory):
        key = load_or_make_key(options.directory)
        publish_key(options.trust, key)
        ledger = Ledger(options.directory / LEDGER_FILE)
        try:
            asyncio.run(serve(Signer(key, ledger, limits), options.socket, options.timeout_s))
        finally:
            ledger.close()


if __name__ == "__main__":
    main()
