"""Techniques, cited works, and what networks and devices meet of preconditions, as triples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ontology.describe import Description
from ontology.matching.techniques import Fact, of_the_network
from ontology.preconditions import known_preconditions, precondition_iri
from registry.formats.network import FileFormat
from registry.models import CitedWork, Technique, Variant
from registry.projection.keys import iri_of


def describe_technique(technique: Technique) -> Description:
    """What it is for, what it asks for, and what it achieved in the words of its source."""
    subject = Description(iri_of(technique)).a("tf:Technique").has("rdfs:label", technique.name)
    subject.has("dcterms:identifier", technique.slug).has("tf:techniqueKind", technique.kind)
    subject.has("tf:appliesTo", technique.applies_to)
    subject.has("schema:description", technique.condition).has("dcterms:source", technique.source)
    subject.is_to("tf:hasPrecondition", *map(precondition_iri, technique.preconditions))
    result = (
        subject.part("achievement").a("tf:Achievement").is_to("tf:figureStatus", "tf:Published")
    )
    result.has("schema:description", technique.achieved).has("dcterms:source", technique.source)
    return subject.is_to("tf:achieved", result.iri.value)


def describe_cited_work(work: CitedWork) -> Description:
    """A work that nothing is matched to, with why."""
    subject = Description(iri_of(work)).a("schema:CreativeWork").has("rdfs:label", work.title)
    subject.has("dcterms:source", work.source)
    return subject.has("tf:outOfScopeBecause", work.out_of_scope_because)


def describe_traits(subject: Description, traits: Mapping[str, bool]) -> None:
    """Which preconditions hold of a thing and which do not; of the others nothing is said."""
    for key, holds in sorted(traits.items()):
        subject.is_to("tf:meets" if holds else "tf:doesNotMeet", precondition_iri(key))


def told_traits(variant: Variant) -> dict[str, bool]:
    """What clues tell of a variant, where nothing is stated of its model."""
    stated, known = variant.release.model.traits, known_of(variant)
    told = {
        key: of_the_network(precondition, stated, known)
        for key, precondition in known_preconditions().items()
        if key not in stated
    }
    return {key: holds for key, holds in told.items() if holds is not None}


def known_of(variant: Variant) -> dict[str, Fact]:
    """The facts of a variant that clues look at."""
    return {
        "operators": None if variant.operators is None else frozenset(variant.operators),
        "dtypes": None if variant.dtypes is None else frozenset(variant.dtypes),
        "metrics": frozenset(row.metric for row in variant.measurements.all()),
        "input_sides": _input_sides(variant.description),
        "training_bytes": variant.description.get("training_bytes"),
        "trained_here": True if variant.training else None,
        "has_parent": True if variant.parent_id else None,
    }


def _input_sides(description: Mapping[str, Any]) -> int | None:
    """How many lengths above one the input has beside batch and channels."""
    inputs = description.get("inputs") or ()
    published = description.get("published", {}).get("input")
    shape = [1, *published] if published else next((each["shape"] for each in inputs), None)
    if shape is None or None in shape:
        return None
    # ONNX networks have their channels behind the batch, others last.
    channels = 1 if description.get("format") == FileFormat.ONNX else len(shape) - 1
    sides = [length for axis, length in enumerate(shape) if axis not in {0, channels}]
    return sum(length > 1 for length in (sides if len(shape) > 2 else shape[1:]))
