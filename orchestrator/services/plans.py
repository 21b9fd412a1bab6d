"""Who would get what, who nothing and why: worked out before anything is written or sent."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from django.utils import timezone

from ontology.facts import Answer, Verdict
from ontology.matching import explain
from orchestrator.models import Rollout
from orchestrator.policy.refusals import nearest_first, open_questions
from orchestrator.policy.rollout import split_by_sizes, split_into_waves
from orchestrator.protocol.messages import DeploymentStatus
from orchestrator.services import arena_reports
from orchestrator.services.open_deployments import check_room
from orchestrator.services.targets import RolloutError, devices_of, parse_target
from registry.models import Device, Release, Variant
from registry.services.matching import (
    Choice,
    assess_all,
    choose_variants,
    deliverable,
    reason_json,
)

_NO_DESCRIPTION = "the device has not described itself yet"


@dataclass(frozen=True, slots=True)
class Assignment:
    """One device's share: `outcome` is pending, already_installed or not_applicable.

    `reasons` say why nothing fits, the nearest variant's first; `detail` is the same in words.
    `wave` counts from 1.
    """

    device: Device
    outcome: DeploymentStatus
    variant: Variant | None = None
    reasons: tuple[dict[str, Any], ...] = ()
    detail: str = ""
    wave: int = 1

    @property
    def download_bytes(self) -> int:
        """What this device would have to fetch."""
        artifact = self.variant.artifact if self.variant is not None else None
        pending = self.outcome is DeploymentStatus.PENDING
        return artifact.size_bytes if artifact is not None and pending else 0


@dataclass(frozen=True)
class Plan:
    """Every device's share, in the order of device ids."""

    assignments: tuple[Assignment, ...]

    def with_outcome(self, outcome: DeploymentStatus) -> list[Assignment]:
        """The shares that end, or start, in this status."""
        return [share for share in self.assignments if share.outcome is outcome]

    def of_wave(self, number: int) -> list[Assignment]:
        """The shares of one wave, those among them that are sent nothing."""
        return [share for share in self.assignments if share.wave == number]

    @cached_property
    def updates(self) -> list[Assignment]:
        """Devices that would be sent something."""
        return self.with_outcome(DeploymentStatus.PENDING)

    @cached_property
    def refused(self) -> list[Assignment]:
        """Devices that nothing fits."""
        return self.with_outcome(DeploymentStatus.NOT_APPLICABLE)

    @property
    def download_bytes(self) -> int:
        """What all devices together would fetch."""
        return sum(share.download_bytes for share in self.updates)

    @property
    def published_bytes(self) -> int:
        """What the broker holds once: each artifact counts once, however many devices fetch it."""
        sizes = {
            share.variant.artifact_id: share.download_bytes
            for share in self.updates
            if share.variant is not None
        }
        return sum(sizes.values())


def plan(rollout: Rollout, now: datetime | None = None) -> Plan:
    """Work the rollout out on the devices as they are now; nothing is written.

    The rollout need not be saved. RolloutError where its target does not hold. A target may ask the
    graph, so no transaction may be open.
    """
    target = parse_target(rollout.target)
    return plan_for(rollout, devices_of(target, now or timezone.now(), rollout.created_by))


def plan_for(rollout: Rollout, devices: Sequence[Device]) -> Plan:
    """Each of these devices' share, whatever the rollout's target says."""
    candidates = _candidates(rollout)
    shared = _choices(rollout, devices)
    own = _own_choices(devices, shared, candidates)
    choices = {**shared, **own}
    running = _running_digests(devices)
    refusals = _Refusals(candidates, own)
    shares = [_share(device, choices.get(device.pk), running, refusals) for device in devices]
    return Plan(tuple(_into_waves(shares, rollout)))


def best_of_release(release: Release, devices: Sequence[Device]) -> dict[int, Choice]:
    """By device, what a rollout of that release would choose for it now."""
    shared = choose_variants(release, devices)
    candidates = _deliverable_by_key(release)
    return {**shared, **_own_choices(devices, shared, candidates)}


def check_plan(rollout: Rollout, planned: Plan) -> None:
    """RolloutError where the plan gives nobody anything, with the reason that is met first, and
    where it would give too many something at once."""
    if len(planned.refused) == len(planned.assignments):
        what = rollout.release or rollout.variant
        first = planned.refused[0]
        why = (
            f"Nothing of {what} fits any of the {len(planned.assignments)} devices; "
            f"e.g. {first.device.device_id}: {first.detail}."
        )
        raise RolloutError(why, {"release" if rollout.release is not None else "variant": why})
    check_room(share.device.pk for share in planned.updates)


def _candidates(rollout: Rollout) -> dict[str, Variant]:
    if rollout.variant is not None:
        return {str(rollout.variant.pk): rollout.variant}
    assert rollout.release is not None  # the table's own condition: one of both
    return _deliverable_by_key(rollout.release)


def _deliverable_by_key(release: Release) -> dict[str, Variant]:
    variants = deliverable(Variant.objects.filter(release=release))
    return {str(v.pk): v for v in variants.select_related("release__model")}


def _choices(rollout: Rollout, devices: Sequence[Device]) -> Mapping[int, Choice]:
    if rollout.release is not None:
        return choose_variants(rollout.release, devices)
    return _judged_alone(devices, rollout.variant)


def _own_choices(
    devices: Sequence[Device], choices: Mapping[int, Choice], candidates: Mapping[str, Variant]
) -> dict[int, Choice]:
    """For devices that found a variant too large themselves: the best of the others."""
    judged = {pk: choice.verdicts for pk, choice in choices.items()}
    own = {}
    for device, verdicts in arena_reports.own_verdicts(devices, candidates, judged).items():
        fitting = (verdict.variant for verdict in verdicts if verdict.answer is Answer.FITS)
        best = next(fitting, None)
        own[device] = Choice(candidates[best] if best is not None else None, verdicts)
    return own


def _judged_alone(devices: Sequence[Device], variant: Variant | None) -> dict[int, Choice]:
    """A rollout of one variant: it, or nothing."""
    pairs = assess_all(devices, [variant] if variant is not None else [])
    return {
        pair.device.pk: Choice(
            variant=pair.variant if pair.verdict.answer is Answer.FITS else None,
            verdicts=(pair.verdict,),
        )
        for pair in pairs
    }


def _running_digests(devices: Iterable[Device]) -> dict[int, str | None]:
    installed = {device.pk: device.installed_id for device in devices if device.installed_id}
    variants = Variant.objects.filter(pk__one_of=set(installed.values()))
    digests = dict(variants.values_list("pk", "artifact_id"))
    return {device: digests[variant] for device, variant in installed.items()}


def _share(
    device: Device, choice: Choice | None, running: Mapping[int, str | None], refusals: _Refusals
) -> Assignment:
    if choice is None or choice.variant is None:
        reasons, detail = refusals.of(device, choice.verdicts if choice is not None else ())
        return Assignment(device, DeploymentStatus.NOT_APPLICABLE, reasons=reasons, detail=detail)
    has_it = running.get(device.pk) == choice.variant.artifact_id
    outcome = DeploymentStatus.ALREADY_INSTALLED if has_it else DeploymentStatus.PENDING
    return Assignment(device, outcome, choice.variant)


class _Refusals:
    """Why nothing fits, told once a profile: devices that share one share their verdicts.

    All but those that have verdicts of their `own`.
    """

    def __init__(self, variants: Mapping[str, Variant], own: Collection[int]) -> None:
        self._variants = variants
        self._own = own
        self._told: dict[str, tuple[tuple[dict[str, Any], ...], str]] = {}

    def of(
        self, device: Device, verdicts: Sequence[Verdict]
    ) -> tuple[tuple[dict[str, Any], ...], str]:
        """The reasons as rows, nearest variant first, and the nearest variant's in words."""
        if not verdicts:
            return (), _NO_DESCRIPTION
        if device.pk in self._own:
            return self._tell(nearest_first(verdicts))
        profile = verdicts[0].profile
        if profile not in self._told:
            self._told[profile] = self._tell(nearest_first(verdicts))
        return self._told[profile]

    def _tell(self, verdicts: Sequence[Verdict]) -> tuple[tuple[dict[str, Any], ...], str]:
        rows = tuple(
            {"variant": self._name(verdict), **reason_json(reason)}
            for verdict in verdicts
            for reason in open_questions(verdict)
        )
        sentences = "; ".join(explain(reason) for reason in open_questions(verdicts[0]))
        return rows, f"{self._name(verdicts[0])} {sentences}"

    def _name(self, verdict: Verdict) -> str:
        variant = self._variants.get(verdict.variant)
        return str(variant) if variant is not None else verdict.variant


def _into_waves(shares: Sequence[Assignment], rollout: Rollout) -> list[Assignment]:
    """Give each device that is sent something its wave; the others are told in the first.

    The order within is a hash of rollout and device: a trial wave should meet every kind of device
    in proportion, and not the same ones each time.
    """
    pending = [share for share in shares if share.outcome is DeploymentStatus.PENDING]
    pending.sort(key=lambda share: _lot(rollout.name, share.device.device_id))
    waves: dict[int, int] = {}
    for number, members in enumerate(_pieces(pending, rollout), start=1):
        waves |= {share.device.pk: number for share in members}
    return [replace(share, wave=waves.get(share.device.pk, 1)) for share in shares]


def _pieces(pending: Sequence[Assignment], rollout: Rollout) -> list[Sequence[Assignment]]:
    if rollout.wave_sizes:
        return split_by_sizes(pending, rollout.wave_sizes)
    return split_into_waves(pending, rollout.wave_percentages)


def _lot(rollout: str, device: str) -> bytes:
    return hashlib.sha256(f"{rollout}\0{device}".encode()).digest()
