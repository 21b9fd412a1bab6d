"""A device that a description speaks of, as rows: its board type, its capacity and itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from ontology.descriptions import DescribedAffordance, DescribedDevice, DescriptionRefused
from ontology.facts import Sensor
from registry.models import BoardType, CapabilityProfile, Device, FirmwareBuild
from registry.projection.keys import subject_of
from registry.services.changes import Change, update
from registry.services.device_names import device_id_for
from registry.services.graph_outbox import mark_new
from registry.services.pieces import chunks
from registry.services.profiles import digest_of, profile_for

_SLUG_LENGTH = 80
_NAME_LENGTH = 160
_SOURCE = "an imported description of devices"


def keep_devices(all_said: Sequence[DescribedDevice]) -> Counter[Change]:
    """Create or update the device of each IRI. They wait like any other: nobody enrolled them.

    A device that has described itself is believed over what others say of its abilities. Raises
    DescriptionRefused where two IRIs are names of the same device of ours.
    """
    profile_of = cache(_profile)
    changes: Counter[Change] = Counter()
    for some in chunks(list(_by_device_id(all_said).items())):
        rows = Device.objects.filter(device_id__in=[device_id for device_id, _ in some])
        known = {row.device_id: row for row in rows}
        new = []
        for device_id, said in some:
            profile = profile_of(_Ability.of(said))
            if device_id in known:
                changes[_keep(said, known[device_id], profile)] += 1
            else:
                new.append(Device(device_id=device_id, profile=profile, **_of_device(said)))
        mark_new(subject_of(row) for row in Device.objects.bulk_create(new))
        changes[Change.CREATED] += len(new)
    return changes


def _by_device_id(all_said: Iterable[DescribedDevice]) -> dict[str, DescribedDevice]:
    named: dict[str, DescribedDevice] = {}
    for said in all_said:
        device_id = device_id_for(said.iri)
        other = named.setdefault(device_id, said)
        if other is not said:
            raise DescriptionRefused(f"<{other.iri}> and <{said.iri}> are both {device_id}")
    return named


def _keep(said: DescribedDevice, row: Device, profile: CapabilityProfile | None) -> Change:
    values = _of_device(said)
    if not row.td and row.profile_id != (profile.pk if profile else None):
        values["profile"] = profile
    return Change.UPDATED if update(row, values) else Change.UNCHANGED


def _of_device(said: DescribedDevice) -> dict[str, Any]:
    if len(said.affordances) > settings.DESCRIPTION_MAX_AFFORDANCES:
        raise DescriptionRefused(
            f"<{said.iri}> has more than {settings.DESCRIPTION_MAX_AFFORDANCES:,} affordances;"
            " raise TINYFLEET_DESCRIPTION_MAX_AFFORDANCES"
        )
    return {
        "iri": said.iri,
        "description": said.description,
        "affordances": [_affordance(each) for each in said.affordances],
    }


def _affordance(said: DescribedAffordance) -> dict[str, Any]:
    return {
        "kind": said.kind,
        "name": said.name,
        "description": said.description,
        "forms": [
            {
                "target": form.target,
                "operations": list(form.operations),
                "content_type": form.content_type,
            }
            for form in said.forms
        ],
    }


@dataclass(frozen=True, slots=True)
class _Ability:
    """What equal devices share; `iri` is that of one whose board has no other name."""

    board: str
    iri: str
    ram_bytes: int | None
    flash_bytes: int | None
    sensors: tuple[str, ...] | None

    @classmethod
    def of(cls, said: DescribedDevice) -> _Ability:
        board = (said.description or said.name)[:_NAME_LENGTH]
        iri = "" if slugify(board) else said.iri
        return cls(board, iri, said.ram_bytes, said.flash_bytes, said.sensors)


def _profile(said: _Ability) -> CapabilityProfile | None:
    """None where a description says nothing that a network could be judged by."""
    memory = (said.ram_bytes, said.flash_bytes)
    if memory == (None, None) and said.sensors is None:
        return None
    board = _board(said)
    firmware = None if memory == (None, None) else _firmware(board, said)
    sensors = None if said.sensors is None else [Sensor(kind) for kind in said.sensors]
    return profile_for(board, firmware, sensors)


def _board(said: _Ability) -> BoardType:
    """The board type of that name; one that the catalogue has stays as it is there."""
    slug = slugify(said.board)[:_SLUG_LENGTH].strip("-_") or device_id_for(said.iri)
    facts = {"name": said.board or said.iri[:_NAME_LENGTH], "source": _SOURCE}
    board, _ = BoardType.objects.get_or_create(slug=slug, defaults=facts)
    return board


def _firmware(board: BoardType, said: _Ability) -> FirmwareBuild:
    """What is free for networks is declared capacity, of firmware that the description omits."""
    capacity = {"arena_budget_bytes": said.ram_bytes, "slot_bytes": said.flash_bytes}
    build, _ = FirmwareBuild.objects.get_or_create(
        board=board,
        name="",
        version="",
        capacity_digest=digest_of(capacity | {"operators": None, "dtypes": None, "runtime": None}),
        defaults=capacity,
    )
    return build
