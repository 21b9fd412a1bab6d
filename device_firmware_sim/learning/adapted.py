"""The adapted last layer in flash: bound to one artifact's digest, dropped with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from uuid import UUID

import cbor2
import numpy as np
from numpy.typing import NDArray

from device_firmware_sim.flash import Record
from orchestrator.protocol.messages import LearnStatus, LearnUpdate

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of the newest task on an artifact, and the layer that runs since.

    `layer` is little-endian float32 of `shape` (features + 1, classes), biases in the last row;
    empty where nothing was adapted. `samples` counts all that the layer has learnt from.
    """

    digest: bytes
    task: UUID
    issued_at: int
    status: LearnStatus
    detail: str
    task_samples: int
    samples: int
    accuracy_before: float | None
    accuracy_after: float | None
    training_bytes: int
    shape: tuple[int, int]
    layer: bytes

    def weights(self) -> Floats | None:
        """The layer to run, where there is one."""
        if not self.layer:
            return None
        return np.frombuffer(self.layer, "<f4").reshape(self.shape).astype(np.float32)

    def update(self) -> LearnUpdate:
        """The final word on the task, the same each time it is asked for."""
        finished = self.status is LearnStatus.FINISHED
        return LearnUpdate(
            task=self.task,
            status=self.status,
            samples=self.task_samples,
            accuracy_before=self.accuracy_before,
            accuracy_after=self.accuracy_after,
            training_bytes=self.training_bytes,
            shape=self.shape if finished else None,
            weights=self.layer if finished else b"",
            detail=self.detail,
        )


def load_adapted(record: Record, digest: bytes) -> Adapted | None:
    """What flash holds for this artifact; another artifact's is dropped."""
    stored = record.load()
    if not stored:
        return None
    fields = cbor2.loads(stored)
    if fields["digest"] != digest:
        record.store(b"")
        return None
    fields["task"] = UUID(bytes=fields["task"])
    fields["status"] = LearnStatus(fields["status"])
    fields["shape"] = tuple(fields["shape"])
    return Adapted(**fields)


def store_adapted(record: Record, adapted: Adapted) -> None:
    """Replace the adapted state as a whole, or FlashError where the page is too small."""
    fields = asdict(adapted) | {"task": adapted.task.bytes, "status": adapted.status.value}
    record.store(cbor2.dumps(fields))


ADAPTED_OVERHEAD_BYTES = 700
"""What an Adapted takes in flash beside its layer, at most: field names, figures, the detail."""
