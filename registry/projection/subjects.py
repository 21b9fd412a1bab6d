"""One graph a subject: which triples it holds now, for many subjects at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyoxigraph as ox
from django.db.models import Prefetch, QuerySet

from ontology.describe import Description
from ontology.namespaces import subject_iri
from registry.models import (
    BoardType,
    CitedWork,
    Device,
    FirmwareBuild,
    Fleet,
    RegisteredModel,
    Release,
    Runtime,
    SubjectKind,
    Technique,
    Variant,
)
from registry.projection import hardware, networks, techniques
from registry.projection.facts import BareBoard, profiles_with_capacity, variants_with_needs
from registry.projection.keys import subject_of
from registry.projection.verdicts import JudgedProfiles, project_verdicts, verdict_keys

# What a JSON column of the wrong form raises while it is read.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True, slots=True)
class Projected:
    """One subject's graph as it should be: its triples, None for no graph, or why neither."""

    key: str
    triples: list[ox.Triple] | None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where the subjects of one kind come from: rows with all that is read, and the words."""

    rows: Callable[[], QuerySet[Any]]
    lookup: str
    describe: Callable[[Any, BareBoard], Description]


def _plain(describe: Callable[[Any], Description]) -> Callable[[Any, BareBoard], Description]:
    return lambda row, bare: describe(row)


def _whole_variants() -> QuerySet[Variant]:
    """With their layers, and what is said beside their figures."""
    rows = variants_with_needs().defer(None).select_related("parent").defer("parent__description")
    return rows.prefetch_related("measurements__disputes", "remarks__board", "remarks__runtime")


SOURCES: Mapping[SubjectKind, Source] = {
    SubjectKind.BOARD: Source(
        lambda: BoardType.objects.prefetch_related("onboard_sensors"),
        "slug__in",
        _plain(hardware.describe_board),
    ),
    SubjectKind.RUNTIME: Source(Runtime.objects.all, "pk__in", _plain(hardware.describe_runtime)),
    SubjectKind.FIRMWARE: Source(
        lambda: FirmwareBuild.objects.select_related("board", "runtime"),
        "pk__in",
        _plain(hardware.describe_firmware),
    ),
    SubjectKind.PROFILE: Source(profiles_with_capacity, "digest__in", hardware.describe_profile),
    SubjectKind.DEVICE: Source(
        lambda: Device.objects.select_related("registration", "profile").prefetch_related(
            "fleets", Prefetch("installed", Variant.objects.only("pk"))
        ),
        "device_id__in",
        _plain(hardware.describe_device),
    ),
    SubjectKind.FLEET: Source(Fleet.objects.all, "slug__in", _plain(hardware.describe_fleet)),
    SubjectKind.MODEL: Source(
        lambda: RegisteredModel.objects.select_related("champion__model", "challenger__model"),
        "name__in",
        _plain(networks.describe_model),
    ),
    SubjectKind.RELEASE: Source(
        lambda: Release.objects.select_related("model"),
        "model__name__in",
        _plain(networks.describe_release),
    ),
    SubjectKind.VARIANT: Source(
        _whole_variants,
        "pk__in",
        _plain(networks.describe_variant),
    ),
    SubjectKind.TECHNIQUE: Source(
        Technique.objects.all, "slug__in", _plain(techniques.describe_technique)
    ),
    SubjectKind.WORK: Source(
        CitedWork.objects.all, "slug__in", _plain(techniques.describe_cited_work)
    ),
}


def project(
    kind: SubjectKind, keys: Sequence[str], bare: BareBoard, judged: JudgedProfiles | None = None
) -> dict[str, list[ox.Triple] | None]:
    """The triples of each subject's graph, by key; None for a subject that there is no more.

    Asks the database a number of times that does not depend on how many keys there are. Who
    projects verdicts piece by piece gives the profiles, which are read otherwise.
    """
    if kind is SubjectKind.VERDICTS:
        found = project_verdicts(keys, judged or JudgedProfiles.read(bare))
    else:
        source = SOURCES[kind]
        rows = source.rows().filter(**{source.lookup: _lookup_values(kind, keys)})
        found = {subject_of(row)[1]: source.describe(row, bare).triples for row in rows}
    return {key: found.get(key) for key in keys}


def project_each(
    kind: SubjectKind, keys: Sequence[str], bare: BareBoard, judged: JudgedProfiles | None = None
) -> Iterator[Projected]:
    """As `project`; if a row is malformed, one at a time, so that it spoils no other."""
    try:
        found = project(kind, keys, bare, judged)
    except MALFORMED as error:
        if len(keys) == 1:
            yield Projected(keys[0], None, error)
            return
        for key in keys:
            yield from project_each(kind, [key], bare, judged)
    else:
        yield from (Projected(key, triples) for key, triples in found.items())


def _lookup_values(kind: SubjectKind, keys: Iterable[str]) -> list[str]:
    """A release's key is its model's name and its number; its siblings are read and left out."""
    if kind is SubjectKind.RELEASE:
        return sorted({key.rpartition("/")[0] for key in keys})
    return list(keys)


def all_keys(kind: SubjectKind) -> list[str]:
    """The key of every subject of a kind that there is now."""
    if kind is SubjectKind.VERDICTS:
        return verdict_keys()
    rows = SOURCES[kind].rows().prefetch_related(None)
    if kind is SubjectKind.RELEASE:
        return [subject_of(row)[1] for row in rows.iterator()]
    # Elsewhere the key is the one field by which rows are looked up: no row need be made of it.
    field = SOURCES[kind].lookup.removesuffix("__in")
    return [str(key) for key in rows.values_list(field, flat=True).iterator()]


def graph_iri(kind: SubjectKind, key: str) -> str:
    """The name of a subject's graph."""
    return subject_iri(kind.value, key)
