"""Looks for drift in what devices report; what it finds becomes alerts, one for each change.

Nothing is remembered between two looks: the window of a device begins after its last alert, its
last installation or its last learning, whichever came last, and is read from the rows each time.
So a restart loses nothing and a look that is repeated finds nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import structlog
from django.db import transaction
from django.db.models import F, Max

from ontology.facts import Metric, Status
from orchestrator.models import DriftAlert, LearningStatus, LearningTask, Telemetry
from orchestrator.policy.drift import DETECTOR, DriftPoint, detect
from registry.models import Device, DeviceStatus, Measurement, Variant

log = structlog.get_logger(__name__)

RECENT_ROWS = 5000
"""Only devices among the newest rows are looked at: the others have said nothing new."""
WINDOW_PACKS = 200

OPEN_STATUSES = (LearningStatus.PENDING, LearningStatus.SENT, LearningStatus.RUNNING)

_STRENGTH = {Status.MEASURED: 2, Status.DERIVED: 1, Status.PUBLISHED: 0}
Seen = dict[int, tuple[int, datetime]]
"""Device key to its newest row when it was last looked at: saves work, decides nothing."""


@dataclass(frozen=True, slots=True)
class _Stream:
    """One device on one variant, and the telemetry row after which its window begins."""

    device: Device
    variant: Variant
    after_row: int
    after_time: datetime | None
    reference: float | None


class _Pack(NamedTuple):
    """What a look needs of a row of telemetry. `accuracy` is that of the `labelled` samples."""

    row: int
    boot: int
    sequence: int
    labelled: int
    accuracy: float | None


def scan(now: datetime, seen: Seen | None = None) -> list[DriftAlert]:
    """Look at every device that has reported lately; returns the alerts that it raised.

    Left alone are devices without an accepted, labelled stream, and those that are learning now:
    their accuracy is meant to change. A caller that looks again and again keeps `seen` for it:
    devices that have said nothing new since are passed over.
    """
    seen = {} if seen is None else seen
    newest = _newest_rows()
    changed = [key for key, row in newest.items() if seen.get(key) != row]
    alerts = [alert for stream in _streams(changed) if (alert := _look(stream, now))]
    seen.clear()
    seen.update(newest)
    return alerts


def _newest_rows() -> Seen:
    rows = Telemetry.objects.order_by("-id").values_list("device_id", "id", "received_at")
    newest: Seen = {}
    for device, row, received_at in rows[:RECENT_ROWS]:
        newest.setdefault(device, (row, received_at))
    return newest


def _streams(keys: Iterable[int]) -> list[_Stream]:
    learning = LearningTask.objects.filter(status__in=OPEN_STATUSES).values("device")
    running = Device.objects.filter(
        pk__in=list(keys), status=DeviceStatus.ACCEPTED, installed__isnull=False
    )
    devices = list(running.exclude(pk__in=learning).select_related("installed"))
    alerts = _last_alerts(devices)
    learnt = _last_learning(devices)
    references = _references({device.installed_id for device in devices})
    return [
        _Stream(
            device=device,
            variant=device.installed,
            after_row=alerts.get(device.pk, 0),
            after_time=_later(device.installed_at, learnt.get(device.pk)),
            # After a change the accuracy of the evaluation is no longer what is to be expected.
            reference=None if device.pk in alerts else references.get(device.installed_id),
        )
        for device in devices
        if device.installed is not None
    ]


def _last_alerts(devices: Sequence[Device]) -> dict[int, int]:
    """Device key to the row at which its last alert since its installation was raised."""
    alerts = DriftAlert.objects.filter(
        device__in=devices,
        variant=F("device__installed"),
        detected_at__gte=F("device__installed_at"),
    )
    return dict(alerts.order_by().values_list("device_id").annotate(Max("last_telemetry")))


def _last_learning(devices: Sequence[Device]) -> dict[int, datetime]:
    tasks = LearningTask.objects.filter(device__in=devices, status=LearningStatus.FINISHED)
    return dict(tasks.order_by().values_list("device_id").annotate(Max("finished_at")))


def _references(variants: set[int | None]) -> dict[int | None, float]:
    """Variant key to the accuracy of its evaluation, the strongest figure that there is."""
    figures = Measurement.objects.filter(
        variant__in=[v for v in variants if v], metric=Metric.ACCURACY.value, device=None
    )
    best: dict[int | None, tuple[int, int, float]] = {}
    for variant, status, key, value in figures.values_list("variant", "status", "pk", "value"):
        candidate = (_STRENGTH[Status(status)], key, value)
        best[variant] = max(best.get(variant, candidate), candidate)
    return {variant: value for variant, (_, _, value) in best.items()}


def _look(stream: _Stream, now: datetime) -> DriftAlert | None:
    packs = _window(stream)
    counts = [(round((pack.accuracy or 0.0) * pack.labelled), pack.labelled) for pack in packs]
    point = detect(counts, stream.reference)
    return None if point is None else _raise_alert(stream, packs, point, now)


def _window(stream: _Stream) -> list[_Pack]:
    """Labelled packs of the present variant, in the order of measurement, at most WINDOW_PACKS."""
    rows = Telemetry.objects.filter(
        device=stream.device,
        variant=stream.variant,
        id__gt=stream.after_row,
        labelled__gt=0,
        accuracy__isnull=False,
    )
    if stream.after_time is not None:
        rows = rows.filter(received_at__gte=stream.after_time)
    newest = rows.order_by("-id").values_list("id", "boot", "sequence", "labelled", "accuracy")
    packs = [_Pack(*row) for row in newest[:WINDOW_PACKS]]
    return sorted(packs, key=lambda pack: (pack.boot, pack.sequence))


@transaction.atomic
def _raise_alert(
    stream: _Stream, packs: Sequence[_Pack], point: DriftPoint, now: datetime
) -> DriftAlert:
    device = stream.device
    alert = DriftAlert.objects.create(
        device=device,
        variant=stream.variant,
        detector=DETECTOR,
        detected_at=now,
        first_telemetry=stream.after_row,
        # The newest row there is, not the one that tipped the scales: what came after it in the
        # same look belongs to the same change.
        last_telemetry=max(pack.row for pack in packs),
        accuracy_before=point.accuracy_before,
        accuracy_after=point.accuracy_after,
    )
    log.warning(
        "drift_detected",
        device=device.device_id,
        variant=stream.variant.pk,
        before=round(point.accuracy_before, 3),
        after=round(point.accuracy_after, 3),
    )
    return alert


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)
