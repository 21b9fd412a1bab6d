"""Every figure for a variant, with what contradicts it, and what is said in place of one."""

from __future__ import annotations

from collections.abc import Iterable

from ontology.describe import Description
from ontology.graph import describe_figure
from ontology.namespaces import subject_iri
from registry.models import Measurement, Remark, SubjectKind, Variant
from registry.projection.conflicts import conflicting, plain_figure
from registry.projection.keys import iri_or_none


def describe_figures(subject: Description, variant: Variant) -> None:
    """The measurements and remarks of a variant, as parts of it."""
    against = conflicting(variant)
    for measurement in variant.measurements.all():
        _describe_measurement(subject, measurement, against.get(measurement.pk, ()))
    for remark in variant.remarks.all():
        _describe_remark(subject, remark)


def _describe_measurement(
    variant: Description, measurement: Measurement, against: Iterable[Measurement]
) -> None:
    part = describe_figure(variant, measurement.pk, plain_figure(measurement))
    part.is_to("tf:runtime", iri_or_none(measurement.runtime))
    part.is_to("tf:board", iri_or_none(measurement.board))
    part.is_to("tf:onDevice", iri_or_none(measurement.device))
    part.has("tf:precision", measurement.precision).has("tf:onDataset", measurement.dataset)
    part.has("tf:conditions", measurement.conditions).has("schema:description", measurement.note)
    part.is_to("tf:conflictsWith", *map(_measurement_iri, against))


def _measurement_iri(row: Measurement) -> str:
    """It may be a part of another variant."""
    variant = Description(subject_iri(SubjectKind.VARIANT.value, str(row.variant_id)))
    return variant.part(f"measurement-{row.pk}").iri.value


def _describe_remark(variant: Description, remark: Remark) -> None:
    part = variant.part(f"remark-{remark.pk}").a("tf:Remark")
    part.has("schema:description", remark.text).has("dcterms:source", remark.source)
    part.is_to("tf:board", iri_or_none(remark.board))
    part.is_to("tf:runtime", iri_or_none(remark.runtime))
    variant.is_to("tf:hasRemark", part.iri.value)
