"""Which figures of a variant contradict each other: worked out, and said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ontology.facts import Figure, Metric, Status
from ontology.matching import conflicts
from registry.models import Measurement, Variant
from registry.projection.facts import runtime_id


def conflicting(variant: Variant) -> Mapping[int, Sequence[Measurement]]:
    """For each measurement, by primary key, those that it contradicts; none where it does not.

    Reads `measurements` with their boards, runtimes and disputes. Two precisions are two networks,
    and two devices may well differ, so only figures of one precision and device are compared.
    """
    found: dict[int, dict[int, Measurement]] = defaultdict(dict)
    alike: dict[tuple[str, int | None], list[Measurement]] = defaultdict(list)
    for row in variant.measurements.all():
        alike[row.precision, row.device_id].append(row)
        found[row.pk] |= {other.pk: other for other in row.disputes.all()}
    for rows in alike.values():
        for first, second in conflicts([plain_figure(row) for row in rows]):
            found[rows[first].pk][rows[second].pk] = rows[second]
            found[rows[second].pk][rows[first].pk] = rows[first]
    return {pk: list(others.values()) for pk, others in found.items() if others}


def plain_figure(row: Measurement) -> Figure:
    """A measurement as it stands, whether or not it says anything about other devices."""
    return Figure(
        metric=Metric(row.metric),
        value=row.value,
        status=Status(row.status),
        source=row.source,
        runtime=runtime_id(row.runtime) if row.runtime else None,
        board=row.board.slug if row.board else None,
        dataset=row.dataset,
        conditions=row.conditions,
        error=row.error,
    )
