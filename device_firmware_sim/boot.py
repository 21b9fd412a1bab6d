"""What survives a reboot: the boot record and the journal of blocks already written.

The boot record is the one place that says which slot runs. Storing it is the commit point of an
update, because a `flash.Record` is replaced as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

import cbor2

from device_firmware_sim.flash import Flash, Record, Region
from orchestrator.protocol.messages import DeploymentStatus, ResultCode, Shortage

_WRITTEN = b"\x00"
_JOURNAL_HEADER_BYTES = 41


@dataclass(frozen=True, slots=True)
class Image:
    """What a slot holds: the artifact's SHA-256 and size."""

    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the newest deployment ended here, so that a repeated manifest gets the same answer."""

    deployment: UUID
    status: DeploymentStatus
    code: ResultCode
    detail: str = ""
    shortage: Shortage | None = None


@dataclass(frozen=True, slots=True)
class BootRecord:
    """The device's memory of itself.

    `sequence` is that of the newest manifest that was accepted, `pending` its deployment until that
    has ended, `settled` the sequence of the newest one that has. `time_floor` is the newest signed
    issue time that was accepted (UNIX seconds), which stands in for a clock. `trial_crashes`
    counts the crashes since the commit of a network that has not proved itself yet; None: none is
    on trial.
    """

    boot: int = 0
    active: int | None = None
    images: tuple[Image | None, Image | None] = (None, None)
    sequence: int = 0
    settled: int = 0
    pending: UUID | None = None
    time_floor: int = 0
    outcome: Outcome | None = None
    trial_crashes: int | None = None

    @property
    def running(self) -> Image | None:
        """The image of the active slot."""
        return None if self.active is None else self.images[self.active]

    @property
    def inactive(self) -> int:
        """The slot that an update may overwrite."""
        return 0 if self.active is None else 1 - self.active

    def with_image(self, slot: int, image: Image | None) -> BootRecord:
        """The record with another image in one slot."""
        first, second = self.images
        return replace(self, images=(image, second) if slot == 0 else (first, image))


def load_boot_record(record: Record) -> BootRecord:
    """The newest whole boot record; a blank one on a device that never booted."""
    stored = record.load()
    if stored is None:
        return BootRecord()
    fields = cbor2.loads(stored)
    first, second = (None if each is None else Image(**each) for each in fields["images"])
    pending, outcome = fields["pending"], fields["outcome"]
    fields["images"] = (first, second)
    fields["pending"] = None if pending is None else UUID(bytes=pending)
    fields["outcome"] = None if outcome is None else _outcome(outcome)
    return BootRecord(**fields)


def store_boot_record(record: Record, boot: BootRecord) -> None:
    """Replace the boot record as a whole."""
    fields = asdict(boot)
    if boot.pending is not None:
        fields["pending"] = boot.pending.bytes
    if boot.outcome is not None:
        fields["outcome"] |= {
            "deployment": boot.outcome.deployment.bytes,
            "status": boot.outcome.status.value,
            "code": boot.outcome.code.value,
        }
    record.store(cbor2.dumps(fields))


def read_image(flash: Flash, slot: int, image: Image) -> bytes | None:
    """The slot's content where it is whole: its digest is the image's. None otherwise."""
    data = flash.slots[slot].read(0, image.size)
    return data if hashlib.sha256(data).digest() == image.digest else None


class BlockJournal:
    """Which blocks of which artifact stand in the inactive slot.

    A header (digest, block exponent, size, CRC-32), then one byte a block that is programmed after
    the block itself, so that a block which a power cut tore is fetched again.
    """

    def __init__(self, region: Region) -> None:
        self._region = region

    def begin(self, slot: Region, image: Image, exponent: int) -> None:
        """Forget what was there, erase the slot, then name the new artifact; in that order."""
        self._region.erase()
        slot.erase()
        self._region.program(0, _journal_header(image, exponent))

    def forget(self) -> None:
        """What is in the slot is not to be built upon."""
        self._region.erase()

    def continues(self, image: Image, exponent: int) -> bool:
        """Whether the journal is about this artifact in these blocks."""
        return self._region.read(0, _JOURNAL_HEADER_BYTES) == _journal_header(image, exponent)

    def mark(self, block: int) -> None:
        """Note that a block is in the slot."""
        self._region.program(_JOURNAL_HEADER_BYTES + block, _WRITTEN)

    def missing(self, count: int) -> set[int]:
        """The blocks of `count` that are not in the slot yet."""
        marks = self._region.read(_JOURNAL_HEADER_BYTES, count)
        return {block for block in range(count) if marks[block : block + 1] != _WRITTEN}


def _journal_header(image: Image, exponent: int) -> bytes:
    header = image.digest + bytes([exponent]) + image.size.to_bytes(4, "big")
    return header + zlib.crc32(header).to_bytes(4, "big")


def _outcome(fields: dict[str, Any]) -> Outcome:
    shortage = fields.get("shortage")  # not in the records of older builds
    return Outcome(
        UUID(bytes=fields["deployment"]),
        DeploymentStatus(fields["status"]),
        ResultCode(fields["code"]),
        fields["detail"],
        None if shortage is None else Shortage(**shortage),
    )
