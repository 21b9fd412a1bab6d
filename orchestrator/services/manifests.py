"""From a deployment row to the manifest that the signer signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ontology.facts import Metric
from ontology.matching import best_figure
from orchestrator.models import Deployment, DeviceShadow, SequenceCounter
from orchestrator.protocol.blocks import WHOLE_FILE
from orchestrator.protocol.manifest import VENDOR_ID, Manifest, class_id
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.protocol.self_test import SelfTest
from orchestrator.services.self_tests import self_test_of
from registry.models import CapabilityProfile, NoArtifact, Variant
from registry.projection.facts import need_of
from registry.services.profiles import capacity_of
from registry.services.row_sets import update_rows

log = structlog.get_logger(__name__)

BLOCK_EXPONENTS = (10, 12)
_COUNTER = "manifest"
# A device's word lifts the counter of all, so it may not lift it to the end of the number range.
_PLAUSIBLE_LEAD = 2**24


class ManifestImpossible(Exception):
    """A deployment that no manifest can be made for; the message is a sentence."""


def desired_manifest(deployment: Deployment, now: datetime | None = None) -> Manifest:
    """The order that this deployment stands for, with a sequence number never used before.

    Raises ManifestImpossible where the device or the variant lacks a fact that the device will
    check.
    """
    number([deployment])
    return Orders(now or timezone.now()).order(deployment)


def number(deployments: Sequence[Deployment]) -> None:
    """Give each a sequence number never used before, greater than what its device has accepted.

    The numbers are kept on the rows before anything is signed: a crash wastes numbers, it never
    signs one twice.
    """
    accepted = _accepted_sequences(deployments)
    with transaction.atomic():
        floors = [accepted.get(deployment.device_id, 0) for deployment in deployments]
        for deployment, sequence in zip(deployments, next_sequences(floors), strict=True):
            deployment.sequence = sequence
        pending = DeploymentStatus.PENDING.value
        numbers = [(each.pk, pending, each.sequence) for each in deployments]
        update_rows(Deployment, ("id", "status"), ("sequence",), numbers)


class Orders:
    """Makes manifests; what the devices of one profile share is worked out once for all."""

    def __init__(self, now: datetime) -> None:
        self._issued_at = int(now.timestamp())
        self._shared: dict[tuple[int, int], _Shared] = {}

    def order(self, deployment: Deployment) -> Manifest:
        """The order of a numbered deployment; ManifestImpossible as in `desired_manifest`."""
        shared = self._of(deployment)
        return Manifest(
            vendor_id=VENDOR_ID,
            class_id=shared.class_id,
            device_id=deployment.device.device_id,
            deployment=deployment.pk,
            sequence=deployment.sequence or 0,
            issued_at=self._issued_at,
            expires_at=int(deployment.expires_at.timestamp()),
            digest=shared.digest,
            size=shared.size,
            block_exponents=shared.block_exponents,
            arena_bytes=shared.arena_bytes,
            operators=shared.operators,
            runtime=shared.runtime,
            input_shape=shared.input_shape,
            output_shape=shared.output_shape,
            self_test=shared.self_test,
        )

    def _of(self, deployment: Deployment) -> _Shared:
        variant, profile = deployment.variant, deployment.device.profile
        if variant is None or profile is None:
            raise ManifestImpossible(f"{deployment.device} or its variant is not described.")
        key = (variant.pk, profile.pk)
        if key not in self._shared:
            self._shared[key] = _shared(variant, profile)
        return self._shared[key]


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the manifests of one variant say to every device of one profile."""

    class_id: UUID
    digest: bytes
    size: int
    block_exponents: tuple[int, ...]
    arena_bytes: int | None
    operators: dict[str, int]
    runtime: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    self_test: SelfTest | None


def _shared(variant: Variant, profile: CapabilityProfile) -> _Shared:
    try:
        artifact = variant.delivered
    except NoArtifact as error:
        raise ManifestImpossible(f"{error}.") from error
    return _Shared(
        class_id=class_id(profile.board.slug),
        digest=bytes.fromhex(artifact.sha256),
        size=artifact.size_bytes,
        block_exponents=block_exponents(artifact.size_bytes),
        arena_bytes=_arena_bytes(variant, profile),
        operators=dict(variant.operators or {}),
        runtime=_runtime_name(profile),
        input_shape=_shape(variant, "inputs"),
        output_shape=_shape(variant, "outputs"),
        self_test=self_test_of(variant),
    )


def block_exponents(size: int) -> tuple[int, ...]:
    """The block sizes on offer for an artifact of `size` bytes; 0 is the whole file in one."""
    whole = (WHOLE_FILE,) if size <= settings.WHOLE_FILE_BLOCK_MAX_BYTES else ()
    return BLOCK_EXPONENTS + whole


def next_sequence(above: int = 0) -> int:
    """One number as of `next_sequences`."""
    return next_sequences([above])[0]


def next_sequences(floors: Sequence[int]) -> list[int]:
    """Rising numbers greater than every one given out before, and each than its floor.

    A database that was restored from a backup may be behind its devices; a floor is what a device
    says it has accepted, and counts where that is plausible.
    """
    with transaction.atomic():
        SequenceCounter.objects.get_or_create(name=_COUNTER)
        # The update takes the row, so what is read after it is this transaction's own.
        row = SequenceCounter.objects.filter(name=_COUNTER)
        row.update(value=F("value") + len(floors))
        reserved = row.values_list("value", flat=True).get()
        numbers = _rising(reserved - len(floors), floors)
        if numbers and numbers[-1] > reserved:
            row.update(value=numbers[-1])
    return numbers


def _rising(value: int, floors: Sequence[int]) -> list[int]:
    numbers = []
    for floor in floors:
        value += 1
        if value <= floor < value + _PLAUSIBLE_LEAD:
            value = floor + 1
        elif floor >= value:
            log.warning("sequence_claim_refused", claimed=floor, counter=value)
        numbers.append(value)
    return numbers


def _accepted_sequences(deployments: Sequence[Deployment]) -> dict[int, int]:
    """By device key, what each device says that it has accepted."""
    devices = {deployment.device_id for deployment in deployments}
    shadows = DeviceShadow.objects.filter(device__pk__one_of=devices)
    return dict(shadows.values_list("device_id", "sequence"))


def _runtime_name(profile: CapabilityProfile) -> str:
    """Empty where it is not known: then the device does not check it."""
    runtime = profile.firmware.runtime if profile.firmware else None
    return runtime.name if runtime else ""


def _arena_bytes(variant: Variant, profile: CapabilityProfile) -> int | None:
    """What the interpreter will take on this device, as far as matching knows it.

    Reads what `pending_manifests` has fetched with the variant, if it has.
    """
    capacity = capacity_of(profile)
    figure = best_figure(
        need_of(variant).figures, Metric.ARENA_BYTES, capacity.runtime, capacity.board
    )
    return int(figure.value) if figure is not None else None


def _shape(variant: Variant, which: str) -> tuple[int, ...]:
    tensors: list[dict[str, Any]] = variant.description.get(which, [])
    if not tensors:
        raise ManifestImpossible(f"{variant} has no {which} in its description.")
    shape = tensors[0]["shape"]
    if shape is None or None in shape:
        raise ManifestImpossible(f"{variant} leaves a length of its first {which[:-1]} open.")
    return tuple(int(size) for size in shape)
