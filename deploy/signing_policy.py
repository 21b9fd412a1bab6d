"""What the signer signs: limits, a ledger of what it has signed before, and the key.

Pure but for the ledger's file and the log; the process around it is `deploy.signer`.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from orchestrator.gateways.signing import MAX_TOGETHER
from orchestrator.protocol import cose, learning, manifest
from orchestrator.protocol.messages import LearnTask
from orchestrator.protocol.refusal import Refusal

log = structlog.get_logger(__name__)


class Refused(Exception):
    """A request that policy does not allow; the message is the sentence for the asker."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy allows. Times in seconds, sizes in bytes."""

    max_lifetime_s: int = 31 * 24 * 3600
    max_artifact_bytes: int = 16 * 1024 * 1024
    max_clock_skew_s: int = 300
    max_samples: int = 1_000_000
    max_sequence_lead: int = 2**25


class Approvals:
    """The networks that the author vouches for: a file as `sha256sum` writes it, a line of each.

    It is read for each request, so that approving one needs no restart.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __contains__(self, sha256: bytes) -> bool:
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return False
        return sha256.hex().encode() in {_digest_of(line) for line in lines if line.strip()}


def _digest_of(line: bytes) -> bytes:
    """The first word of a line, whose file's name may be in any encoding.

    `sha256sum` puts a backslash in front where it had to write one within the name.
    """
    return line.split(maxsplit=1)[0].removeprefix(b"\\").lower()


class Ledger:
    """The highest sequence number signed for each device, on disk before a signature leaves."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS signed "
            "(device TEXT PRIMARY KEY, sequence INTEGER NOT NULL, sha256 BLOB NOT NULL)"
        )
        # Each order is held to the highest number of all.
        self._database.execute("CREATE INDEX IF NOT EXISTS signed_by_sequence ON signed (sequence)")

    def last(self, device: str) -> tuple[int, bytes] | None:
        """(sequence, SHA-256 of the manifest) signed last for a device."""
        row: tuple[int, bytes] | None = self._database.execute(
            "SELECT sequence, sha256 FROM signed WHERE device = ?", [device]
        ).fetchone()
        return row

    def highest(self) -> int | None:
        """The highest sequence number signed for any device."""
        row: tuple[int | None] = self._database.execute(
            "SELECT max(sequence) FROM signed"
        ).fetchone()
        return row[0]

    def record(self, device: str, sequence: int, sha256: bytes) -> None:
        """Durable when it returns, or with the end of `together`."""
        self._database.execute(
            "INSERT INTO signed VALUES (?, ?, ?) ON CONFLICT (device) "
            "DO UPDATE SET sequence = excluded.sequence, sha256 = excluded.sha256",
            [device, sequence, sha256],
        )

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is recorded within is durable when this ends, all of it or nothing."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Fold the log into the file."""
        self._database.close()


class Signer:
    """Policy, ledger and key together; `clock` gives UNIX seconds.

    With `approvals` it signs as the author: updates to networks in them, and no learning tasks.
    """

    def __init__(
        self,
        key: cose.PrivateKey,
        ledger: Ledger,
        limits: Limits,
        clock: Callable[[], float] = time.time,
        approvals: Approvals | None = None,
    ) -> None:
        self._key = key
        self._ledger = ledger
        self._limits = limits
        self._clock = clock
        self._approvals = approvals

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
            case {"op": "sign_manifests", "manifests": list() as several}:
                return self._sign_manifests(several)
            case {"op": "sign_task", "task": bytes() as encoded}:
                return self._sign_task(encoded)
            case {"op": "public_keys"}:
                key = self._key.public_key()
                return {cose.key_id(key): cose.public_pem(key)}
        raise Refused(
            "the request is none of sign_manifest, sign_manifests, sign_task and public_keys"
        )

    def _sign_manifest(self, encoded: bytes) -> bytes:
        order = manifest.decode(encoded)
        self._check_manifest(order)
        digest = hashlib.sha256(encoded).digest()
        self._check_sequence(order, digest)
        envelope = manifest.envelope(encoded, self._key)
        self._ledger.record(order.device_id, order.sequence, digest)
        log.info("manifest_signed", device=order.device_id, sequence=order.sequence)
        return envelope

    def _sign_manifests(self, several: list[object]) -> list[dict[str, object]]:
        """An answer for each; no signature leaves before all are on disk."""
        if len(several) > MAX_TOGETHER:
            raise Refused(f"{len(several)} manifests are more than {MAX_TOGETHER} in one request")
        with self._ledger.together():
            return [self.answer({"op": "sign_manifest", "manifest": each}) for each in several]

    def _sign_task(self, encoded: bytes) -> bytes:
        if self._approvals is not None:
            raise Refused("an author signs no learning tasks")
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
        if self._approvals is not None and order.digest not in self._approvals:
            raise Refused(f"the network {order.digest.hex()} is not approved")
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
        self._check_lead(order.sequence)
        last = self._ledger.last(order.device_id)
        if last is None or order.sequence > last[0]:
            return
        # The very same bytes again: an asker that died before it could keep the first answer.
        if last != (order.sequence, digest):
            raise Refused(
                f"sequence {order.sequence} is not higher than {last[0]}, "
                f"signed before for {order.device_id}"
            )

    def _check_lead(self, sequence: int) -> None:
        """A number at the end of the range would be the last one that a device ever follows."""
        highest = self._ledger.highest()
        if highest is not None and sequence > highest + self._limits.max_sequence_lead:
            lead = self._limits.max_sequence_lead
            raise Refused(f"sequence {sequence} is more than {lead} above {highest}, signed before")
