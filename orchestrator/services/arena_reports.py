"""Devices that refuse a variant for its memory: their word is kept, and corrects the registry.

At once a report keeps the variant from the device that made it. The figure by which all devices of
its board and runtime are judged changes when enough of them say so (ARENA_REPORTS_QUORUM, or all
where they are fewer), or when an operator confirms a report: one lying device must not keep a
model from a fleet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet

from ontology.facts import Constraint, Figure, Metric, Reason, Status, Verdict
from ontology.matching.rules import combine
from orchestrator.models import ArenaReport
from orchestrator.policy.arena import believed_need, quorum_of
from orchestrator.protocol.messages import Shortage
from registry.models import BoardType, CapabilityProfile, Device, DeviceStatus, Runtime, Variant
from registry.projection.facts import runtime_id
from registry.services import measurements
from registry.services.pieces import CHUNK, chunks

log = structlog.get_logger(__name__)

SOURCE = "reported by devices"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One device that would not take one variant."""

    device: Device
    variant: Variant
    shortage: Shortage


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a figure holds: this board with this runtime."""

    board: BoardType
    runtime: Runtime | None

    @classmethod
    def of(cls, profile: CapabilityProfile) -> _Target:
        """What a figure of a device with this profile holds for."""
        return cls(profile.board, profile.firmware.runtime if profile.firmware else None)

    def figure(self, need_bytes: int) -> Figure:
        """The figure as a measurement of it."""
        runtime = runtime_id(self.runtime) if self.runtime else None
        return Figure(
            metric=Metric.ARENA_BYTES,
            value=need_bytes,
            status=Status.MEASURED,
            source=SOURCE,
            runtime=runtime,
            board=self.board.slug,
        )


@transaction.atomic
def note(refusals: Sequence[Refusal], now: datetime) -> None:
    """Keep what devices found, and correct the figures that enough of them contradict."""
    if not refusals:
        return
    profiles = _profiles(refusal.device for refusal in refusals)
    rows = [_row(refusal, profiles.get(refusal.device.pk), now) for refusal in refusals]
    found = [row for row in rows if row is not None]
    _keep(found)
    targets = {(row.variant_id, _Target.of(row.profile)): row.variant for row in found}
    for (_, target), variant in targets.items():
        _correct(variant, target)


@transaction.atomic
def confirm(report: ArenaReport, now: datetime) -> None:
    """An operator takes one device's word for true of all with its board and runtime."""
    ArenaReport.objects.filter(pk=report.pk).update(confirmed_at=now)
    _correct(report.variant, _Target.of(report.profile))


def own_verdicts(
    devices: Sequence[Device],
    variants: Iterable[str],
    verdicts: Mapping[int, Sequence[Verdict]],
) -> dict[int, tuple[Verdict, ...]]:
    """The verdicts of those devices that have refused one of these variants, by primary key.

    What fits the profile by its figures does not fit the device that found it too large. Variants
    go by their primary keys as text.
    """
    refused: dict[int, dict[str, ArenaReport]] = {}
    profiles = {device.pk: device.profile_id for device in devices}
    for report in ArenaReport.objects.filter(variant_id__in=[int(key) for key in variants]):
        if profiles.get(report.device_id) == report.profile_id:
            refused.setdefault(report.device_id, {})[str(report.variant_id)] = report
    return {
        device: tuple(_corrected(each, reports.get(each.variant)) for each in verdicts[device])
        for device, reports in refused.items()
        if device in verdicts
    }


def _profiles(devices: Iterable[Device]) -> dict[int, CapabilityProfile]:
    found: dict[int, CapabilityProfile] = {}
    for chunk in chunks(sorted({device.pk for device in devices})):
        rows = Device.objects.filter(pk__in=chunk).only("profile")
        rows = rows.select_related("profile__board", "profile__firmware__runtime")
        found |= {row.pk: row.profile for row in rows if row.profile is not None}
    return found


def _row(refusal: Refusal, profile: CapabilityProfile | None, now: datetime) -> ArenaReport | None:
    shortage = refusal.shortage
    if profile is None or shortage.need_bytes <= shortage.have_bytes:
        log.warning("arena_report_means_nothing", device=refusal.device.device_id)
        return None
    return ArenaReport(
        device=refusal.device,
        variant=refusal.variant,
        profile=profile,
        need_bytes=shortage.need_bytes,
        have_bytes=shortage.have_bytes,
        reported_at=now,
    )


def _keep(rows: Iterable[ArenaReport]) -> None:
    """One row a device and variant; what an operator confirmed was what it said before."""
    newest = {(row.device_id, row.variant_id): row for row in rows}
    ArenaReport.objects.bulk_create(
        newest.values(),
        update_conflicts=True,
        unique_fields=["device", "variant"],
        update_fields=["profile", "need_bytes", "have_bytes", "reported_at", "confirmed_at"],
        batch_size=CHUNK,
    )


def _correct(variant: Variant, target: _Target) -> None:
    """Record the need that is believed; nothing where too few devices have spoken."""
    reports = list(_reports(variant, target))
    quorum = quorum_of(settings.ARENA_REPORTS_QUORUM, _members(target).count())
    confirmed = (report.need_bytes for report in reports if report.confirmed_at)
    need = believed_need((report.need_bytes for report in reports), confirmed, quorum)
    if need is None:
        log.warning("arena_reports_too_few", variant=variant.pk, reports=len(reports))
        return
    measurements.record(variant, [target.figure(need)])
    log.info("arena_corrected", variant=variant.pk, board=target.board.slug, need_bytes=need)


def _reports(variant: Variant, target: _Target) -> QuerySet[ArenaReport]:
    """By members that are still what they were when they spoke."""
    return ArenaReport.objects.filter(
        variant=variant, device__in=_members(target), profile=F("device__profile")
    )


def _members(target: _Target) -> QuerySet[Device]:
    accepted = Device.objects.filter(status=DeviceStatus.ACCEPTED, profile__board=target.board)
    if target.runtime is None:
        return accepted.filter(profile__firmware__runtime__isnull=True)
    return accepted.filter(profile__firmware__runtime=target.runtime)


def _corrected(verdict: Verdict, report: ArenaReport | None) -> Verdict:
    if report is None:
        return verdict
    need, have = report.need_bytes, report.have_bytes
    found = Reason(Constraint.RAM, need, have, "B", have - need, False)
    reasons = tuple(found if r.constraint is Constraint.RAM else r for r in verdict.reasons)
    return replace(verdict, reasons=reasons, answer=combine(r.holds for r in reasons))
