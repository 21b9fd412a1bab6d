"""A plan in figures: what REST, the command and the admin's dry run show of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from orchestrator.models import Deployment, DeviceShadow, Rollout
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services.expected_time import ExpectedTime, expected_time
from orchestrator.services.plans import Assignment, Plan


@dataclass(frozen=True, slots=True)
class VariantShare:
    """How many devices would be sent a variant, and what each of them would fetch."""

    name: str
    devices: int
    bytes_each: int


@dataclass(frozen=True, slots=True)
class WaveShare:
    """How many devices a wave would update, and what they would fetch together."""

    number: int
    devices: int
    download_bytes: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Why some devices get nothing, how many, and one of them."""

    why: str
    devices: int
    example: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """An older rollout, and on how many devices this one would supersede what it has open."""

    rollout: int
    name: str
    devices: int


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """Who would get what, who nothing and why, what it costs and how long it takes.

    `offline` of those that would be sent something are not connected now.
    """

    devices: int
    outcomes: dict[str, int]
    variants: tuple[VariantShare, ...]
    waves: tuple[WaveShare, ...]
    refused: tuple[Refused, ...]
    download_bytes: int
    published_bytes: int
    expected: ExpectedTime | None
    offline: int
    taken_over: tuple[TakenOver, ...]

    def count(self, outcome: DeploymentStatus) -> int:
        """Devices with this outcome."""
        return self.outcomes.get(outcome.value, 0)


def summarise(rollout: Rollout, planned: Plan) -> PlanSummary:
    """Most devices first, waves in order; the last waves that would be empty are left out."""
    return PlanSummary(
        devices=len(planned.assignments),
        outcomes=dict(Counter(share.outcome.value for share in planned.assignments)),
        variants=_variants(planned.updates),
        waves=_waves(planned.updates),
        refused=_refused(planned.refused),
        download_bytes=planned.download_bytes,
        published_bytes=planned.published_bytes,
        expected=expected_time(rollout, planned),
        offline=_offline(planned.updates),
        taken_over=_taken_over(rollout, planned),
    )


def _variants(updates: list[Assignment]) -> tuple[VariantShare, ...]:
    sizes = {str(share.variant): share.download_bytes for share in updates}
    counted = Counter(str(share.variant) for share in updates).most_common()
    return tuple(VariantShare(name, count, sizes[name]) for name, count in counted)


def _waves(updates: list[Assignment]) -> tuple[WaveShare, ...]:
    counted: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for share in updates:
        counted[share.wave] += 1
        sizes[share.wave] += share.download_bytes
    numbers = range(1, max(counted, default=0) + 1)
    return tuple(WaveShare(number, counted[number], sizes[number]) for number in numbers)


def _refused(refused: list[Assignment]) -> tuple[Refused, ...]:
    examples = {share.detail: share.device.device_id for share in reversed(refused)}
    counted = Counter(share.detail for share in refused).most_common()
    return tuple(Refused(why, count, examples[why]) for why, count in counted)


def _offline(updates: list[Assignment]) -> int:
    online = set(DeviceShadow.objects.filter(online=True).values_list("device_id", flat=True))
    return sum(share.device.pk not in online for share in updates)


def _taken_over(rollout: Rollout, planned: Plan) -> tuple[TakenOver, ...]:
    nothing = DeploymentStatus.NOT_APPLICABLE
    meant = {share.device.pk for share in planned.assignments if share.outcome is not nothing}
    opened = Deployment.objects.filter(is_open=True).exclude(wave__rollout=rollout.pk).order_by()
    rows = opened.values_list("device_id", "wave__rollout_id", "wave__rollout__name")
    counted = Counter((number, name) for device, number, name in rows if device in meant)
    return tuple(TakenOver(*older, count) for older, count in sorted(counted.items()))
