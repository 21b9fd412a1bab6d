"""Who runs the best that fits, who could be better and by how much, who is out of reach.

The measure is a model's champion, or its newest release where it has none; each device is judged as
a rollout of that release would judge it now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ontology.matching import accuracy_of
from orchestrator.models import DeviceShadow
from orchestrator.policy.compliance import Running, Standing, gain, standing
from orchestrator.services.plans import best_of_release
from registry.models import Device, DeviceStatus, RegisteredModel, Release, Variant
from registry.projection.facts import need_of, variants_with_needs
from registry.services.matching import Choice
from registry.services.pieces import chunks


@dataclass(frozen=True, slots=True)
class DeviceStanding:
    """One device. `gain` is a fraction of accuracy; `last_seen_at` None is never."""

    device: Device
    standing: Standing
    runs: Variant | None
    best: Variant | None
    gain: float | None
    is_online: bool
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Compliance:
    """Every accepted device, by id; `release` is what they are measured by, None without one."""

    release: Release | None
    devices: tuple[DeviceStanding, ...]

    @property
    def release_name(self) -> str | None:
        """As model/number."""
        return f"{self.release.model.name}/{self.release.number}" if self.release else None

    @property
    def counts(self) -> dict[str, int]:
        """Standing to number of devices, those with none among them."""
        found = Counter(each.standing for each in self.devices)
        return {each.value: found[each] for each in Standing}

    @property
    def unreachable(self) -> int:
        """How many are not connected."""
        return sum(not each.is_online for each in self.devices)


def compliance(model: RegisteredModel) -> Compliance:
    """How every accepted device stands to the model's champion."""
    release = model.champion or model.releases.order_by("-number").first()
    if release is None:
        return Compliance(None, ())
    rows = Device.objects.filter(status=DeviceStatus.ACCEPTED).order_by("device_id")
    devices = list(rows.only("device_id", "profile_id", "installed_id"))
    view = _View(devices, best_of_release(release, devices), release)
    return Compliance(release, tuple(view.of(device) for device in devices))


class _View:
    """What all devices share, read once."""

    def __init__(
        self, devices: Sequence[Device], choices: dict[int, Choice], release: Release
    ) -> None:
        self._choices = choices
        installed = {device.installed_id for device in devices if device.installed_id}
        self._variants = _variants(installed, release)
        self._running = {pk: _running(variant) for pk, variant in self._variants.items()}
        shadows = DeviceShadow.objects.values_list("device_id", "online", "last_seen_at")
        self._seen = {device: (online, seen) for device, online, seen in shadows}

    def of(self, device: Device) -> DeviceStanding:
        choice = self._choices.get(device.pk)
        chosen = choice.variant if choice is not None else None
        best = self._running[chosen.pk] if chosen is not None else None
        runs = self._running.get(device.installed_id or 0)
        online, seen = self._seen.get(device.pk, (False, None))
        place = standing(runs, best)
        better = place in {Standing.BEHIND, Standing.WITHOUT}
        return DeviceStanding(
            device=device,
            standing=place,
            runs=self._variants.get(device.installed_id or 0),
            best=self._variants[chosen.pk] if chosen is not None else None,
            gain=gain(runs, best) if better and _same_task(runs, best) else None,
            is_online=online,
            last_seen_at=seen,
        )


def _same_task(runs: Running | None, best: Running | None) -> bool:
    """Accuracies of different models are not compared."""
    return runs is not None and best is not None and runs.model == best.model


def _variants(installed: set[int], release: Release) -> dict[int, Variant]:
    """Of the release, and whatever devices run."""
    found = {row.pk: row for row in variants_with_needs().filter(release=release)}
    for chunk in chunks(sorted(installed - found.keys())):
        found |= {row.pk: row for row in variants_with_needs().filter(pk__in=chunk)}
    return found


def _running(variant: Variant) -> Running:
    digest = variant.artifact_id or f"variant {variant.pk}"
    return Running(digest, variant.release.model_id, accuracy_of(need_of(variant)))
