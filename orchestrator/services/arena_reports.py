"""Devices' own words on what a variant takes of their arena: kept, and measured figures by them.

At once a refusal keeps the variant from the device that made it. The figure by which all devices of
its board and runtime are judged changes when enough of them say so (ARENA_REPORTS_QUORUM, or all
where they are fewer), or when an operator confirms a report: one lying device must not keep a
model from a fleet, nor let it in where it does not fit.
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
from ontology.matching import best_figure
from ontology.matching.rules import combine
from orchestrator.models import ArenaFinding, ArenaReport
from orchestrator.policy.arena import Stated, believed, quorum_of
from orchestrator.protocol.messages import Shortage
from registry.models import BoardType, CapabilityProfile, Device, DeviceStatus, Runtime, Variant
from registry.projection.facts import need_of, runtime_id, variants_with_needs
from registry.services import measurements
from registry.services.pieces import CHUNK, chunks

log = structlog.get_logger(__name__)

SOURCE = "reported by devices"
_NAMED = 3  # of the devices that a figure rests on: a note that named all would never come to rest
_MAX_NOTE = 300


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
    profiles = profiles_of(refusal.device.pk for refusal in refusals)
    rows = [_row(refusal, profiles.get(refusal.device.pk), now) for refusal in refusals]
    settle(row for row in rows if row is not None)


@transaction.atomic
def settle(reports: Iterable[ArenaReport]) -> None:
    """Keep these words, the newest of each device and variant, and the figures that they make."""
    found = list(reports)
    _keep(found)
    targets = {(row.variant_id, _Target.of(row.profile)): row.variant for row in found}
    # One order, so that two processes do not wait for each other's rows.
    for key in sorted(targets, key=lambda each: (each[0], each[1].board.pk)):
        _correct(targets[key], key[1])


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
    refusals = ArenaReport.objects.filter(finding=ArenaFinding.REFUSED)
    for report in refusals.filter(variant_id__in=[int(key) for key in variants]):
        if profiles.get(report.device_id) == report.profile_id:
            refused.setdefault(report.device_id, {})[str(report.variant_id)] = report
    return {
        device: tuple(_corrected(each, reports.get(each.variant)) for each in verdicts[device])
        for device, reports in refused.items()
        if device in verdicts
    }


def profiles_of(devices: Iterable[int]) -> dict[int, CapabilityProfile]:
    """The profile of each of these devices, by primary key; none of one without a description."""
    found: dict[int, CapabilityProfile] = {}
    for chunk in chunks(sorted(set(devices))):
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
        finding=ArenaFinding.REFUSED,
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
        update_fields=[
            "profile",
            "finding",
            "need_bytes",
            "have_bytes",
            "reported_at",
            "confirmed_at",
        ],
        batch_size=CHUNK,
    )


def _correct(variant: Variant, target: _Target) -> None:
    """Record the need that is believed; nothing where too few devices have spoken."""
    Variant.objects.select_for_update().get(pk=variant.pk)  # one figure, not one a process
    reports = list(_reports(variant, target))
    quorum = quorum_of(settings.ARENA_REPORTS_QUORUM, _members(target).count())
    need = believed(_stated(reports), quorum, _otherwise(variant, target))
    if need is None:
        log.info("arena_reports_too_few", variant=variant.pk, reports=len(reports))
        return
    measurements.record(variant, [target.figure(need)], note=_note(reports))
    log.info("arena_corrected", variant=variant.pk, board=target.board.slug, need_bytes=need)


def _stated(reports: Sequence[ArenaReport]) -> Stated:
    def words(finding: ArenaFinding) -> list[int]:
        return [report.need_bytes for report in reports if report.finding == finding]

    confirmed = [report.need_bytes for report in reports if report.confirmed_at]
    return Stated(words(ArenaFinding.REFUSED), words(ArenaFinding.IN_USE), confirmed)


def _otherwise(variant: Variant, target: _Target) -> float | None:
    """What would be believed of the arena there without any device's word."""
    need = need_of(variants_with_needs().get(pk=variant.pk))
    runtime = runtime_id(target.runtime) if target.runtime else None
    figures = (figure for figure in need.figures if figure.source != SOURCE)
    found = best_figure(figures, Metric.ARENA_BYTES, runtime, target.board.slug)
    return None if found is None else found.value


def _note(reports: Sequence[ArenaReport]) -> str:
    """On whose word: the first few by name, each with its firmware."""
    named = (f"{row.device.device_id} ({_firmware(row.profile)})" for row in reports[:_NAMED])
    more = " and others" if len(reports) > _NAMED else ""
    return f"{', '.join(named)}{more}"[:_MAX_NOTE]


def _firmware(profile: CapabilityProfile) -> str:
    firmware = profile.firmware
    image = f"{firmware.name} {firmware.version}".strip() if firmware else ""
    return image or "firmware without a name"


def _reports(variant: Variant, target: _Target) -> QuerySet[ArenaReport]:
    """By members that are still what they were when they spoke, in the order of their names."""
    rows = ArenaReport.objects.filter(
        variant=variant, device__in=_members(target), profile=F("device__profile")
    )
    return rows.select_related("device", "profile__firmware").order_by("device__device_id")


def _members(target: _Target) -> QuerySet[Device]:
    accepted = Device.objects.filter(status=DeviceStatus.ACCEPTED, profile__board=target.board)
    if target.runtime is None:
        return accepted.filter(profile__firmware__runtime__isnull=True)
    return accepted.filter(profile__firmware__runtime=target.runtime)


def _corrected(verdict: Verdict, report: ArenaReport | None) -> Verdict:
    if report is None:
        return verdict
    need, have = report.need_bytes, report.have_bytes
    headroom = None if have is None else have - need
    found = Reason(Constraint.RAM, need, have, "B", headroom, False)
    reasons = tuple(found if r.constraint is Constraint.RAM else r for r in verdict.reasons)
    return replace(verdict, reasons=reasons, answer=combine(r.holds for r in reasons))
