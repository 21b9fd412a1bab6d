"""What running devices say of their arena, in their telemetry: a word on the variant that runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import structlog

from orchestrator.models import ArenaFinding, ArenaReport
from orchestrator.protocol.messages import TelemetryPack
from orchestrator.services import arena_reports
from registry.models import CapabilityProfile, Device, DeviceStatus

log = structlog.get_logger(__name__)


def note(batch: Sequence[tuple[Device, TelemetryPack]], now: datetime) -> None:
    """Keep the most that each device is seen to use, and correct figures that enough contradict.

    Devices come with what they have `installed`. A word that says nothing new costs one query a
    batch; one row a device and variant is all that is kept, whatever is sent and in what order.
    """
    said = _most(batch)
    known = _known(said) if said else {}
    news = {device: use for device, use in said.items() if _is_news(device, use, known)}
    rows = list(filter(_is_possible, _rows(news, now)))
    if rows:
        arena_reports.settle(rows)


def _most(batch: Iterable[tuple[Device, TelemetryPack]]) -> dict[Device, int]:
    """The most bytes that each device says the network takes which it has installed."""
    said: dict[Device, int] = {}
    for device, use in _words(batch):
        said[device] = max(use, said.get(device, use))
    return said


def _words(batch: Iterable[tuple[Device, TelemetryPack]]) -> Iterator[tuple[Device, int]]:
    """A pack of a layer that learns may count the learning's memory too, and is left out."""
    for device, pack in batch:
        installed = device.installed
        speaks = device.status == DeviceStatus.ACCEPTED and device.profile_id is not None
        if installed is None or not speaks or pack.digest != installed.artifact_id:
            continue
        if pack.arena_used_bytes and pack.digest and not pack.adapted_samples:
            yield device, pack.arena_used_bytes


def _known(said: Iterable[Device]) -> dict[int, ArenaReport]:
    """What each of these devices has said of what it has installed, by its primary key."""
    rows = ArenaReport.objects.filter(device__in=[device.pk for device in said])
    installed = {device.pk: device.installed_id for device in said}
    return {row.device_id: row for row in rows if installed[row.device_id] == row.variant_id}


def _is_news(device: Device, use: int, known: Mapping[int, ArenaReport]) -> bool:
    before = known.get(device.pk)
    if before is None or before.profile_id != device.profile_id:
        return True
    return before.finding == ArenaFinding.REFUSED or use > before.need_bytes


def _rows(news: Mapping[Device, int], now: datetime) -> Iterator[ArenaReport]:
    profiles = arena_reports.profiles_of(device.pk for device in news)
    for device, use in news.items():
        profile = profiles.get(device.pk)
        if profile is not None:
            yield _row(device, use, profile, now)


def _row(device: Device, use: int, profile: CapabilityProfile, now: datetime) -> ArenaReport:
    firmware = profile.firmware
    return ArenaReport(
        device=device,
        variant=device.installed,
        profile=profile,
        finding=ArenaFinding.IN_USE,
        need_bytes=use,
        have_bytes=firmware.arena_budget_bytes if firmware else None,
        reported_at=now,
    )


def _is_possible(row: ArenaReport) -> bool:
    """Nothing takes more of an arena than there is."""
    if row.have_bytes is None or row.need_bytes <= row.have_bytes:
        return True
    log.warning("arena_use_means_nothing", device=row.device.device_id, need=row.need_bytes)
    return False
