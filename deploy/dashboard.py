"""The admin's first page: the fleet at a glance."""

from __future__ import annotations

from typing import Any

from django.db.models import Avg, Count, Max, Q
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.urls import reverse

from orchestrator.models import Deployment, DriftAlert, Rollout, Telemetry
from registry.admin.columns import link_to
from registry.models import BoardType, Device, DeviceStatus, Variant

RECENT_PACKS = 2_000
SHOWN_ROWS = 8


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The figures of the first page; every one is counted when it is shown."""
    return context | {
        "figures": _figures(),
        "installed_bars": _installed_bars(),
        "accuracy_bars": _accuracy_bars(),
        "rollout_table": _rollout_table(),
        "refused_table": _refused_table(),
    }


def _figures() -> list[dict[str, Any]]:
    devices = Device.objects.aggregate(
        accepted=Count("id", filter=Q(status=DeviceStatus.ACCEPTED)),
        pending=Count("id", filter=Q(status=DeviceStatus.PENDING)),
        online=Count("id", filter=Q(shadow__online=True)),
    )
    alerts = DriftAlert.objects.count()
    return [
        _figure("Devices", devices["accepted"], f"{devices['pending']} pending", "registry_device"),
        _figure("Online", devices["online"], "right now", "registry_device"),
        _figure(
            "Variants",
            Variant.objects.count(),
            f"{BoardType.objects.count()} board types known",
            "registry_variant",
        ),
        _figure("Drift alerts", alerts, "since the start", "orchestrator_driftalert"),
    ]


def _figure(name: str, value: int, note: str, page: str) -> dict[str, Any]:
    href = reverse(f"admin:{page}_changelist")
    return {"name": name, "value": f"{value:,}", "note": note, "href": href}


def _installed_bars() -> list[dict[str, Any]]:
    rows = (
        Variant.objects.annotate(count=Count("installed_on"))
        .filter(count__gt=0)
        .select_related("release__model")
        .order_by("-count")[:SHOWN_ROWS]
    )
    whole = sum(row.count for row in rows)
    return [
        {
            "title": str(row),
            "description": f"{row.count} device{pluralize(row.count)}",
            "value": round(100 * row.count / whole),
        }
        for row in rows
    ]


def _accuracy_bars() -> list[dict[str, Any]]:
    newest = Telemetry.objects.aggregate(newest=Max("id"))["newest"] or 0
    rows = (
        Telemetry.objects.filter(id__gt=newest - RECENT_PACKS, accuracy__isnull=False)
        .order_by()
        .values("variant__name")
        .annotate(mean=Avg("accuracy"), packs=Count("id"))
        .order_by("-mean")[:SHOWN_ROWS]
    )
    return [
        {
            "title": row["variant__name"] or "unknown",
            "description": f"{row['mean']:.1%} over {row['packs']} packs",
            "value": round(100 * row["mean"]),
        }
        for row in rows
    ]


def _rollout_table() -> dict[str, Any]:
    ended = Count("waves__deployments", filter=Q(waves__deployments__is_open=False))
    rows = Rollout.objects.annotate(planned=Count("waves__deployments"), ended=ended)
    return {
        "headers": ["Rollout", "Status", "Ended", "Created"],
        "rows": [
            [link_to(row), row.status, f"{row.ended} of {row.planned}", f"{row.created_at:%F %R}"]
            for row in rows[:SHOWN_ROWS]
        ],
    }


def _refused_table() -> dict[str, Any]:
    rows = Deployment.objects.filter(status__in=["not_applicable", "rejected", "failed"])
    rows = rows.select_related("device", "wave__rollout").order_by("-changed_at")
    return {
        "headers": ["Device", "Rollout", "Status", "Why"],
        "rows": [
            [link_to(row.device), row.wave.rollout.name, row.status, row.detail or row.result_code]
            for row in rows[:SHOWN_ROWS]
        ],
    }
