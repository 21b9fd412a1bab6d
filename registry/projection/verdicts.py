"""What fits what, as triples: one graph a variant, made in one pass over all profiles.

A new profile adds an edge or two to each variant's graph instead: a column of the same table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyoxigraph as ox
from django.conf import settings

from ontology.describe import Description
from ontology.facts import Capacity
from ontology.graph import (
    describe_arena,
    describe_extent,
    describe_flash,
    describe_latency,
    describe_small,
    describe_verdicts,
)
from ontology.matching import MatchTable, match_all
from ontology.matching.columns import CapacityColumns
from ontology.namespaces import subject_iri
from ontology.updates import Graphs
from registry.models import CapabilityProfile, SubjectKind, Variant
from registry.projection.facts import (
    UNDESCRIBED,
    BareBoard,
    all_profiles_with_capacity,
    capacity_of,
    need_of,
    profiles_with_capacity,
    variants_with_needs,
)
from registry.projection.keys import UNDESCRIBED_IRI, iri_of


@dataclass(frozen=True, slots=True, eq=False)
class JudgedProfiles:
    """Profiles that variants are judged on, read once for many variants.

    `fits_only` says that there are too many pairs to state more of them than which fit.
    """

    columns: CapacityColumns
    iris: Sequence[str]
    fits_only: bool
    targets: Sequence[Capacity]  # for which it is to be said what variants need

    @classmethod
    def read(cls, bare: BareBoard) -> JudgedProfiles:
        """All profiles that there are now, and what devices without a description share."""
        profiles = all_profiles_with_capacity()
        capacities = [capacity_of(profile, bare) for profile in profiles]
        columns = CapacityColumns.of([*capacities, UNDESCRIBED])
        iris = [*(iri_of(profile) for profile in profiles), UNDESCRIBED_IRI]
        return cls(columns, iris, keeps_fits_only(), columns.targets)


def keeps_fits_only() -> bool:
    """Whether there are more pairs now than the graph states every verdict of."""
    judged = Variant.objects.filter(release__model__reference=False)
    pairs = judged.count() * CapabilityProfile.objects.count()
    return pairs > settings.GRAPH_VERDICT_PAIRS_MAX


def project_verdicts(keys: Sequence[str], judged: JudgedProfiles) -> Mapping[str, list[ox.Triple]]:
    """The verdicts of these variants on every profile, by the variant's key."""
    variants = {str(row.pk): row for row in variants_with_needs().filter(pk__in=keys)}
    needs = [need_of(variant) for variant in variants.values()]
    table = match_all(needs, judged.columns)
    found: dict[str, list[ox.Triple]] = {}
    for row, (key, variant) in enumerate(variants.items()):
        subject = Description(iri_of(variant))
        if not variant.release.model.reference:
            describe_extent(subject, fits_only=judged.fits_only)
        _describe_row(subject, variant, table, row, judged)
        found[key] = subject.triples
    return found


def project_columns(digests: Sequence[str], bare: BareBoard) -> Graphs:
    """What each variant's graph says of these new profiles; of one that is gone, nothing."""
    profiles = list(profiles_with_capacity().filter(digest__in=digests))
    if not profiles:
        return {}
    judged = _judged(profiles, bare)
    variants = list(variants_with_needs())
    table = match_all([need_of(variant) for variant in variants], judged.columns)
    graphs: dict[str, Sequence[ox.Triple]] = {}
    for row, variant in enumerate(variants):
        subject = Description(iri_of(variant))
        _describe_row(subject, variant, table, row, judged)
        graphs[subject_iri(SubjectKind.VERDICTS.value, str(variant.pk))] = subject.triples
    return graphs


def _judged(profiles: Sequence[CapabilityProfile], bare: BareBoard) -> JudgedProfiles:
    """New profiles, with the targets that are new with them."""
    capacities = [capacity_of(profile, bare) for profile in profiles]
    pairs = zip(profiles, capacities, strict=True)
    targets = [capacity for profile, capacity in pairs if not _shares_target(profile)]
    iris = [iri_of(profile) for profile in profiles]
    return JudgedProfiles(CapacityColumns.of(capacities), iris, keeps_fits_only(), targets)


def _shares_target(profile: CapabilityProfile) -> bool:
    """Whether an earlier profile has the same board and runtime: its needs are in the graph."""
    earlier = CapabilityProfile.objects.filter(pk__lt=profile.pk, board=profile.board)
    runtime = profile.firmware.runtime if profile.firmware else None
    return earlier.filter(firmware__runtime=runtime).exists()


def _describe_row(
    subject: Description, variant: Variant, table: MatchTable, row: int, judged: JudgedProfiles
) -> None:
    """A reference model is nobody's to install, so of it stands what it needs and no verdict."""
    need, model = table.needs[row], variant.release.model
    describe_arena(subject, need, judged.targets)
    describe_flash(subject, need, judged.targets)
    describe_latency(subject, need, judged.targets)
    if model.language_model:
        describe_small(subject, table, judged.iris, row=row)
    if not model.reference:
        describe_verdicts(subject, table, judged.iris, row=row, fits_only=judged.fits_only)


def verdict_keys() -> list[str]:
    """The key of every graph of verdicts."""
    return [str(pk) for pk in Variant.objects.order_by("pk").values_list("pk", flat=True)]
