"""SenML packs become rows, each exactly once however often it comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from orchestrator.models import DeviceShadow, Telemetry
from orchestrator.policy.acknowledgement import Kept, Position, Reached, acknowledged
from orchestrator.protocol.messages import Acknowledgement, TelemetryPack
from orchestrator.protocol.topics import TopicKind
from orchestrator.services import arena_use
from orchestrator.services.presence import shadows_of
from orchestrator.services.traffic_drops import Drop, DropReason, count_drop
from registry.models import Device, DeviceStatus, Variant
from registry.services.row_sets import update_rows

log = structlog.get_logger(__name__)

_ACKED = ("acked_boot", "acked_sequence")
LOOK_AHEAD = 1000
"""How many packs beyond the acknowledged one are looked at in one go."""


def ingest(
    batch: Sequence[tuple[str, TelemetryPack]], now: datetime
) -> list[tuple[str, Acknowledgement]]:
    """Store packs; answer, for each device in the batch, how far its telemetry is kept.

    A pack that is there already, by device, boot and sequence, changes nothing. Packs of a device
    that the inventory does not know are left out.
    """
    named = Device.objects.filter(device_id__in={device_id for device_id, _ in batch})
    devices = {device.device_id: device for device in named.select_related("installed")}
    packs = [(devices[device_id], pack) for device_id, pack in batch if device_id in devices]
    with transaction.atomic():
        variants = _variants(pack.digest for _, pack in packs)
        rows = [_row(device, pack, _variant(device, pack, variants), now) for device, pack in packs]
        Telemetry.objects.bulk_create(rows, ignore_conflicts=True, batch_size=200)
        arena_use.note(packs, now)
        return _acknowledge(devices.values(), _held_from(packs), now)


def acknowledgements() -> Iterable[tuple[str, Acknowledgement]]:
    """Every member's last acknowledgement, for a broker that has forgotten them."""
    members = DeviceShadow.objects.filter(device__status=DeviceStatus.ACCEPTED)
    heard = members.exclude(acked_boot=0, acked_sequence=0)
    columns = heard.values_list("device__device_id", "acked_boot", "acked_sequence")
    for device_id, boot, sequence in columns.iterator():
        yield device_id, Acknowledgement(boot, sequence)


def _row(device: Device, pack: TelemetryPack, variant: Variant | None, now: datetime) -> Telemetry:
    return Telemetry(
        device=device,
        variant=variant,
        boot=pack.boot,
        sequence=pack.sequence,
        at=_time(pack.at, now),
        received_at=now,
        samples=pack.samples,
        labelled=pack.labelled,
        accuracy=pack.accuracy,
        latency_ms=pack.latency_ms,
        arena_used_bytes=pack.arena_used_bytes,
        free_heap_bytes=pack.free_heap_bytes,
        adapted_samples=pack.adapted_samples,
        records=list(pack.records),
    )


def _time(seconds: float | None, now: datetime) -> datetime:
    """The device's time where it has a clock that shows a date, else the time of receipt."""
    if seconds is None:
        return now
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return now


def _variants(digests: Iterable[str | None]) -> dict[str, Variant]:
    """The newest variant of each artifact; variants of several releases may share their bytes."""
    known = Variant.objects.filter(artifact__in={d for d in digests if d}).order_by("pk")
    return {variant.artifact_id: variant for variant in known if variant.artifact_id}


def _variant(device: Device, pack: TelemetryPack, variants: dict[str, Variant]) -> Variant | None:
    installed = device.installed
    if installed is not None and installed.artifact_id == pack.digest:
        return installed
    return variants.get(pack.digest or "")


def _held_from(packs: Iterable[tuple[Device, TelemetryPack]]) -> dict[int, Position]:
    """The oldest pack that each device has by its newest word, where it gives one."""
    held: dict[int, Position] = {}
    for device, pack in packs:
        if pack.held_from is not None:
            said = Position(pack.boot, pack.held_from)
            held[device.pk] = max(said, held.get(device.pk, said))
    return held


def _acknowledge(
    devices: Iterable[Device], held_from: Mapping[int, Position], now: datetime
) -> list[tuple[str, Acknowledgement]]:
    shadows = shadows_of(devices, *_ACKED)
    positions: dict[Device, Position] = {}
    for device in devices:
        before = Position(*shadows[device.pk])
        reached = _reached(device, before, held_from.get(device.pk), now)
        _count_lost(device, reached, now)
        positions[device] = reached.position
    rows = [(device.pk, each.boot, each.sequence) for device, each in positions.items()]
    update_rows(DeviceShadow, ("device",), _ACKED, rows)
    return [
        (device.device_id, Acknowledgement(each.boot, each.sequence))
        for device, each in positions.items()
    ]


def _count_lost(device: Device, reached: Reached, now: datetime) -> None:
    """What a device's ring had to drop is gone, but not without a word."""
    if not reached.lost:
        return
    position = reached.position
    place = f"{position.boot}/{position.sequence}"
    detail = f"{reached.lost} packs of {device.device_id} before {place}"
    log.warning("telemetry_lost", device=device.device_id, packs=reached.lost, before=place)
    drop = Drop(DropReason.LOST, TopicKind.TELEMETRY.value, detail, device.device_id)
    count_drop(drop, now, reached.lost)


def _reached(
    device: Device, before: Position, held_from: Position | None, now: datetime
) -> Reached:
    beyond = Q(boot__gt=before.boot) | Q(boot=before.boot, sequence__gt=before.sequence)
    rows = Telemetry.objects.filter(beyond, device=device).order_by("boot", "sequence")
    columns = rows.values_list("boot", "sequence", "received_at")[:LOOK_AHEAD]
    kept = [Kept(Position(b, s), (now - received).total_seconds()) for b, s, received in columns]
    return acknowledged(before, kept, settings.TELEMETRY_GAP_S, held_from)
