"""From a deployment row to the manifest that the signer signs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from ontology.facts import Metric
from ontology.matching import best_figure
from orchestrator.models import Deployment, DeviceShadow, SequenceCounter
from orchestrator.protocol.blocks import WHOLE_FILE
from orchestrator.protocol.manifest import VENDOR_ID, Manifest, class_id
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services.self_tests import self_test_of
from registry.models import Artifact, CapabilityProfile, NoArtifact, Variant
from registry.projection.facts import need_of
from registry.services.profiles import capacity_of

log = structlog.get_logger(__name__)

BLOCK_EXPONENTS = (10, 12)
_COUNTER = "manifest"
# A device's word lifts the counter of all, so it may not lift it to the end of the number range.
_PLAUSIBLE_LEAD = 2**24


class ManifestImpossible(Exception):
    """A deployment that no manifest can be made for; the message is a sentence."""


def desired_manifest(deployment: Deployment, now: datetime | None = None) -> Manifest:
    """The order that this deployment stands for, with a sequence number never used before.

    The number is kept on the row before anything is signed: a crash wastes a number, it never
    signs one twice. Raises ManifestImpossible where the device or the variant lacks a fact that
    the device will check.
    """
    variant, artifact, profile = _parts(deployment)
    self_test = self_test_of(variant)
    with transaction.atomic():
        deployment.sequence = next_sequence(_accepted_sequence(deployment))
        pending = Deployment.objects.filter(pk=deployment.pk, status=DeploymentStatus.PENDING)
        pending.update(sequence=deployment.sequence)
    return Manifest(
        vendor_id=VENDOR_ID,
        class_id=class_id(profile.board.slug),
        device_id=deployment.device.device_id,
        deployment=deployment.pk,
        sequence=deployment.sequence,
        issued_at=int((now or timezone.now()).timestamp()),
        expires_at=int(deployment.expires_at.timestamp()),
        digest=bytes.fromhex(artifact.sha256),
        size=artifact.size_bytes,
        block_exponents=block_exponents(artifact.size_bytes),
        arena_bytes=_arena_bytes(variant, profile),
        operators=dict(variant.operators or {}),
        runtime=_runtime_name(profile),
        input_shape=_shape(variant, "inputs"),
        output_shape=_shape(variant, "outputs"),
        self_test=self_test,
    )


def block_exponents(size: int) -> tuple[int, ...]:
    """The block sizes on offer for an artifact of `size` bytes; 0 is the whole file in one."""
    whole = (WHOLE_FILE,) if size <= settings.WHOLE_FILE_BLOCK_MAX_BYTES else ()
    return BLOCK_EXPONENTS + whole


def next_sequence(above: int = 0) -> int:
    """A number greater than every one given out before, and than `above` where that is plausible.

    A database that was restored from a backup may be behind its devices; `above` is what the
    device says it has accepted.
    """
    with transaction.atomic():
        SequenceCounter.objects.get_or_create(name=_COUNTER)
        # The update takes the row, so what is read after it is this transaction's own.
        row = SequenceCounter.objects.filter(name=_COUNTER)
        row.update(value=F("value") + 1)
        value = row.values_list("value", flat=True).get()
        if value <= above < value + _PLAUSIBLE_LEAD:
            row.update(value=Greatest(F("value"), above + 1))
            return above + 1
    if above >= value:
        log.warning("sequence_claim_refused", claimed=above, counter=value)
    return value


def _accepted_sequence(deployment: Deployment) -> int:
    shadow = DeviceShadow.objects.filter(device_id=deployment.device_id)
    return shadow.values_list("sequence", flat=True).first() or 0


def _parts(deployment: Deployment) -> tuple[Variant, Artifact, CapabilityProfile]:
    variant, profile = deployment.variant, deployment.device.profile
    if variant is None or profile is None:
        raise ManifestImpossible(f"{deployment.device} or its variant is not described.")
    try:
        return variant, variant.delivered, profile
    except NoArtifact as error:
        raise ManifestImpossible(f"{error}.") from error


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
