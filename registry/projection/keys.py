"""Which subject a row is: its kind, and its key in IRIs and in the outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from django.db.models import Model

from ontology.namespaces import expand, subject_iri
from registry.models import (
    BoardType,
    CapabilityProfile,
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

KeyOf: TypeAlias = Callable[[Any], str]

_KEYS: Mapping[type[Model], tuple[SubjectKind, KeyOf]] = {
    BoardType: (SubjectKind.BOARD, lambda row: row.slug),
    Runtime: (SubjectKind.RUNTIME, lambda row: str(row.pk)),
    FirmwareBuild: (SubjectKind.FIRMWARE, lambda row: str(row.pk)),
    CapabilityProfile: (SubjectKind.PROFILE, lambda row: row.digest),
    Device: (SubjectKind.DEVICE, lambda row: row.device_id),
    Fleet: (SubjectKind.FLEET, lambda row: row.slug),
    RegisteredModel: (SubjectKind.MODEL, lambda row: row.name),
    Release: (SubjectKind.RELEASE, lambda row: f"{row.model.name}/{row.number}"),
    Variant: (SubjectKind.VARIANT, lambda row: str(row.pk)),
    Technique: (SubjectKind.TECHNIQUE, lambda row: row.slug),
    CitedWork: (SubjectKind.WORK, lambda row: row.slug),
}

# The profile of every device that has not described itself; it has no row, the ontology names it.
UNDESCRIBED_IRI = expand("tf:Undescribed")

SUBJECT_MODELS = tuple(_KEYS)


def subject_of(row: Model) -> tuple[SubjectKind, str]:
    """The kind and the key of a row that has a graph of its own; KeyError for other rows."""
    kind, key_of = _KEYS[type(row)]
    return kind, key_of(row)


def iri_of(row: Model) -> str:
    """The IRI of a row that has a graph of its own."""
    kind, key = subject_of(row)
    return subject_iri(kind.value, key)


def iri_or_none(row: Model | None) -> str | None:
    """The IRI of a row that there may be."""
    return None if row is None else iri_of(row)
