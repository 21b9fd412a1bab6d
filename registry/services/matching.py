"""Devices and variants judged against each other, at the cost of profiles, not of devices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from ontology.facts import Answer, Capacity, Constraint, Figure, Limits, Need, Reason, Verdict
from ontology.matching import assess, qualities, rank
from registry.models import CapabilityProfile, Device, Release, Variant
from registry.projection.facts import (
    UNDESCRIBED,
    BareBoard,
    capacity_of,
    need_of,
    profiles_with_capacity,
    variants_with_needs,
)
from registry.services.lookup import find_model


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """One device, one variant, and what came of comparing them."""

    device: Device
    variant: Variant
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Choice:
    """The best variant for one device, or None; the verdicts of all, best first.

    A device without a description has no verdicts.
    """

    variant: Variant | None
    verdicts: tuple[Verdict, ...] = ()


def assess_pair(device: Device, variant: Variant, limits: Limits | None = None) -> Verdict:
    """Judge one variant for one device."""
    need = need_of(variants_with_needs().get(pk=variant.pk))
    capacity = capacities_of([device.profile_id])[device.profile_id]
    return assess(need, capacity, limits)


def assess_all(
    devices: Iterable[Device],
    variants: Iterable[Variant],
    only: Collection[Constraint] | None = None,
) -> Iterator[PairVerdict]:
    """Judge every pair, variant by variant; devices that share a profile share the verdict.

    With `only`, no other constraint is judged.

    The devices are read once, the variants one after the other, so memory grows with the devices
    and the profiles, not with the pairs.
    """
    members = list(_light(devices))
    capacities = capacities_of(device.profile_id for device in members)
    rows = variants_with_needs().in_bulk([variant.pk for variant in variants])
    for variant in in_name_order(rows.values()):
        need = need_of(variant)
        verdicts = {key: assess(need, capacity, only=only) for key, capacity in capacities.items()}
        for device in members:
            yield PairVerdict(device, variant, verdicts[device.profile_id])


def choose_variants(release: Release, devices: Iterable[Device]) -> dict[int, Choice]:
    """For each device, by primary key, the most accurate variant of a release to send to it.

    Where its task is judged by another measure, the best in that. Of equally good ones that fit,
    the one that leaves more room. Each profile is judged once; variants without an artifact are
    left out.
    """
    rows = deliverable(variants_with_needs().filter(release=release))
    variants = {str(row.pk): row for row in rows}
    needs = [need_of(variant) for variant in variants.values()]
    quality = qualities(needs)
    profile_of = {device.pk: device.profile_id for device in devices}
    choices: dict[int | None, Choice] = {None: Choice(None)}
    for key, capacity in capacities_of(profile_of.values()).items():
        if key is not None:
            choices[key] = _choose(needs, capacity, quality, variants)
    return {device: choices[profile] for device, profile in profile_of.items()}


def deliverable(variants: QuerySet[Variant]) -> QuerySet[Variant]:
    """Those that there is something of to send: an artifact, not figures alone."""
    return variants.filter(artifact__isnull=False)


def _choose(
    needs: Sequence[Need],
    capacity: Capacity,
    quality: Mapping[str, float | None],
    variants: Mapping[str, Variant],
) -> Choice:
    ranked = tuple(rank((assess(need, capacity) for need in needs), quality))
    fits = bool(ranked) and ranked[0].answer is Answer.FITS
    return Choice(variants[ranked[0].variant] if fits else None, ranked)


def candidates(model: str | None = None, *, reference: bool = False) -> QuerySet[Variant]:
    """The variants that a question is about: the installation's own, or one model's.

    Reference models are there where `reference` asks for them too, or one is named. LookupFailed
    for a name that no model has.
    """
    if model is not None:
        return Variant.objects.filter(release__model=find_model(model))
    return (
        Variant.objects.all()
        if reference
        else Variant.objects.filter(release__model__reference=False)
    )


def judge_variants(
    device: Device, variants: QuerySet[Variant], limits: Limits | None = None
) -> list[tuple[Variant, Verdict]]:
    """Each of these variants for one device, in the order of the query."""
    capacity = capacity_of_device(device)
    order = list(variants.values_list("pk", flat=True))
    rows = variants_with_needs().in_bulk(order)
    return [(rows[pk], assess(need_of(rows[pk]), capacity, limits)) for pk in order]


def capacity_of_device(device: Device) -> Capacity:
    """What one device offers; nothing is known of one that has not described itself."""
    return capacities_of([device.profile_id])[device.profile_id]


def judge_profiles(variant: Variant, limits: Limits | None = None) -> dict[int | None, Verdict]:
    """One variant on every profile that a device has; under None, on one that is not described."""
    need = need_of(variants_with_needs().get(pk=variant.pk))
    used = Device.objects.exclude(profile=None).values("profile")
    profiles = profiles_with_capacity().filter(pk__in=used)
    capacities = _with_bare_boards(list(profiles)) | {None: UNDESCRIBED}
    return {key: assess(need, capacity, limits) for key, capacity in capacities.items()}


def devices_with(
    devices: QuerySet[Device], verdicts: Mapping[int | None, Verdict], answer: Answer | None
) -> QuerySet[Device]:
    """Those of the devices whose profile came to that answer; all of them for None."""
    if answer is None:
        return devices
    matching = {key for key, verdict in verdicts.items() if verdict.answer is answer}
    condition = Q(profile__in=[key for key in matching if key is not None])
    return devices.filter(condition | Q(profile=None) if None in matching else condition)


def reason_json(reason: Reason) -> dict[str, Any]:
    """A reason as commands and the API show it; sets become lists."""
    return {
        "constraint": reason.constraint.value,
        "need": list(reason.need) if isinstance(reason.need, tuple) else reason.need,
        "have": list(reason.have) if isinstance(reason.have, tuple) else reason.have,
        "unit": reason.unit,
        "headroom": reason.headroom,
        "holds": reason.holds,
        "basis": _basis_json(reason.basis),
    }


def _basis_json(figure: Figure | None) -> dict[str, Any] | None:
    """The figure that a reason rests on: how it was come by, and how far it may err."""
    if figure is None:
        return None
    return {"status": figure.status.value, "source": figure.source, "error": figure.error}


def capacities_of(profile_ids: Iterable[int | None]) -> dict[int | None, Capacity]:
    """The capacity of each profile, once; None stands for a device without a description."""
    wanted = set(profile_ids)
    rows = profiles_with_capacity().in_bulk([key for key in wanted if key is not None])
    known = _with_bare_boards(list(rows.values()))
    return known | ({None: UNDESCRIBED} if None in wanted else {})


def _with_bare_boards(profiles: Sequence[CapabilityProfile]) -> dict[int | None, Capacity]:
    bare = BareBoard.from_settings()
    return {profile.pk: capacity_of(profile, bare) for profile in profiles}


def _light(devices: Iterable[Device]) -> Iterable[Device]:
    """Of a query, only what a verdict is told of: descriptions and keys are long."""
    if isinstance(devices, QuerySet):
        return devices.only("pk", "device_id", "profile")
    return devices


def in_name_order(variants: Iterable[Variant]) -> list[Variant]:
    """By model, release and name, as people look for them."""
    return sorted(variants, key=lambda v: (v.release.model.name, v.release.number, v.name))
