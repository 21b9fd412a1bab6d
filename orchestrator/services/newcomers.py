"""Devices that a running rollout's target comes to mean: of a dynamic one they join.

A target is worked out anew every ROLLOUT_TARGET_INTERVAL_S, outside of any transaction, since it
may ask the graph. Devices that nothing fitted are looked at again, for they may have changed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from orchestrator.models import Deployment, Rollout, RolloutStatus, Wave, WaveStatus
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services.open_deployments import check_room
from orchestrator.services.plans import Assignment, plan_for
from orchestrator.services.rollout_start import add_to_wave
from orchestrator.services.targets import RolloutError, parse_target, selected_devices
from registry.services.scopes import within_scope

log = structlog.get_logger(__name__)

_NOTHING = DeploymentStatus.NOT_APPLICABLE
_SENT = DeploymentStatus.PENDING
_TO_JOIN = (WaveStatus.RUNNING, WaveStatus.WAITING, WaveStatus.SUCCEEDED)


def take_in_newcomers(now: datetime) -> int:
    """Let newcomers join the dynamic rollouts that are due; returns how many devices joined."""
    running = Rollout.objects.filter(status=RolloutStatus.RUNNING, is_dynamic=True)
    # What may still grow waits; once it may not, somebody has to look whether it is complete.
    Wave.objects.filter(rollout__in=running.filter(expires_at__lte=now)).update(recount=True)
    interval = timedelta(seconds=settings.ROLLOUT_TARGET_INTERVAL_S)
    due = running.filter(Q(target_seen_at=None) | Q(target_seen_at__lte=now - interval))
    return sum(_look(rollout, now) for rollout in due.filter(expires_at__gt=now))


def _look(rollout: Rollout, now: datetime) -> int:
    """Once an interval also where the target cannot be worked out: it may be, next time."""
    joined = 0
    try:
        joined = _join(rollout, newcomers(rollout, now), now)
    except RolloutError as error:
        log.warning("rollout_target_failed", rollout=rollout.pk, why=str(error))
    Rollout.objects.filter(pk=rollout.pk).update(target_seen_at=now)
    return joined


def newcomers(rollout: Rollout, now: datetime) -> list[Assignment]:
    """What the devices that are meant now and have no part yet would get; those that get some."""
    devices = selected_devices(parse_target(rollout.target), now, rollout.created_by)
    taken = set(_taken(rollout).values_list("device_id", flat=True))
    new = [device for device in devices if device.pk not in taken]
    new = within_scope(rollout.created_by, new)
    shares = plan_for(rollout, new).assignments if new else ()
    return [share for share in shares if share.outcome is not _NOTHING]


def _taken(rollout: Rollout) -> QuerySet[Deployment]:
    """Updates of devices that this rollout has already, or that a later one speaks for."""
    started = rollout.started_at
    later = Q(wave__rollout__started_at__gt=started) | Q(
        wave__rollout__started_at=started, wave__rollout__pk__gt=rollout.pk
    )
    return Deployment.objects.filter(Q(wave__rollout=rollout) | later).exclude(status=_NOTHING)


def _join(rollout: Rollout, shares: list[Assignment], now: datetime) -> int:
    """Under the rollout's lock, and only who has still no part: two may look at once."""
    if not shares:
        return 0
    with transaction.atomic():
        row = Rollout.objects.select_for_update().get(pk=rollout.pk)
        if row.status != RolloutStatus.RUNNING:
            return 0
        taken = set(_taken(row).values_list("device_id", flat=True))
        new = [share for share in shares if share.device.pk not in taken]
        check_room(share.device.pk for share in new if share.outcome is _SENT)
        add_to_wave(row, _wave_to_join(row), new, now)
    log.info("devices_joined_rollout", rollout=rollout.pk, devices=len(new))
    return len(new)


def _wave_to_join(rollout: Rollout) -> Wave:
    """The one that runs, else the next one, else the last: nobody waits for a wave that is over."""
    waves = list(rollout.waves.order_by("number"))
    for status in _TO_JOIN:
        of_status = [wave for wave in waves if wave.status == status]
        if of_status:
            return of_status[-1] if status == WaveStatus.SUCCEEDED else of_status[0]
    return waves[-1]
