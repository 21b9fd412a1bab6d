"""What fits what, as triples: one graph a variant, made in one pass over all profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyoxigraph as ox

from ontology.describe import Description
from ontology.graph import describe_arena, describe_flash, describe_verdicts
from ontology.matching import match_all
from registry.models import Variant
from registry.projection.facts import (
    BareBoard,
    capacity_of,
    need_of,
    profiles_with_capacity,
    variants_with_needs,
)
from registry.projection.keys import iri_of


def project_verdicts(keys: Sequence[str], bare: BareBoard) -> Mapping[str, list[ox.Triple]]:
    """The verdicts of these variants on every profile, by the variant's key."""
    profiles = list(profiles_with_capacity())
    capacities = [capacity_of(profile, bare) for profile in profiles]
    iris = [iri_of(profile) for profile in profiles]
    found: dict[str, list[ox.Triple]] = {}
    for variant in variants_with_needs().filter(pk__in=keys):
        need = need_of(variant)
        subject = Description(iri_of(variant))
        describe_arena(subject, need, capacities)
        describe_flash(subject, need, capacities)
        describe_verdicts(subject, match_all([need], capacities), iris)
        found[str(variant.pk)] = subject.triples
    return found


def verdict_keys() -> list[str]:
    """The key of every graph of verdicts."""
    return [str(pk) for pk in Variant.objects.order_by("pk").values_list("pk", flat=True)]
