"""What a compression has found so far, from its rows alone: nobody has to wait for its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.compression.search.catalogue import TASKS
from orchestrator.models import CompressionTrial, Job
from orchestrator.policy.budgets import Gap, Reach, Standing, standings
from orchestrator.policy.footprints import Footprint
from orchestrator.policy.pareto import Point, front
from orchestrator.services.compression_budgets import budgets_of, profiles_of
from orchestrator.services.compression_orders import Order, order_of
from orchestrator.services.compression_trials import need_of_trial, variant_name


@dataclass(frozen=True, slots=True)
class Outcome:
    """How each budget stands, all trained candidates as points, and those that are to be released.

    `released` are the trials, by number, that nothing dominates or that serve some budget best.
    """

    standings: tuple[Standing, ...]
    points: tuple[Point, ...]
    released: tuple[int, ...]

    def count(self, reach: Reach) -> int:
        """How many budgets stand so."""
        return sum(each.reach is reach for each in self.standings)


def outcome_of(job: Job) -> Outcome:
    """From the trials that are finished; before the first, nothing is known to be reachable."""
    order = order_of(job.payload)
    rows = list(job.trials.order_by("number"))
    sensors = TASKS[order.task].sensors
    found = standings(
        budgets_of(order, profiles_of_job(job)), [need_of_trial(row, sensors) for row in rows]
    )
    trained = [row for row in rows if row.accuracy is not None]
    return Outcome(
        standings=tuple(found),
        points=tuple(point_of(row) for row in trained),
        released=tuple(_released(order, trained, found)),
    )


def profiles_of_job(job: Job) -> Sequence[int]:
    """Those that its first attempt found in the fleet; those of today before there was one."""
    if "profiles" in job.payload:
        return list(job.payload["profiles"])
    fleet = job.payload.get("fleet")
    return [] if fleet is None else profiles_of(fleet)


def point_of(row: CompressionTrial) -> Point:
    """A trained trial in the plane of accuracy and cost."""
    footprint = Footprint.from_json(row.footprint)
    return Point(
        name=variant_name(row),
        accuracy=row.accuracy or 0.0,
        flash_bytes=footprint.flash_bytes,
        ram_bytes=footprint.ram_bytes,
        latency_ms=footprint.yardstick_ms,
    )


def standing_json(standing: Standing) -> dict[str, Any]:
    """A budget's standing as REST and a job's result show it."""
    return {
        "budget": list(standing.budget.names),
        "reach": standing.reach.value,
        "variant": standing.candidate or None,
        "accuracy": standing.accuracy,
        "gaps": [gap_json(gap) for gap in standing.gaps],
    }


def gap_json(gap: Gap) -> Mapping[str, Any]:
    """The smallest known need, what there is, and how much is missing."""
    return {
        "constraint": gap.constraint.value,
        "need": gap.need,
        "have": gap.have,
        "unit": gap.unit,
        "missing": gap.missing,
    }


def _released(
    order: Order, trained: Sequence[CompressionTrial], found: Sequence[Standing]
) -> list[int]:
    """Equal files count once: two choices may come to the same network."""
    good = [row for row in trained if (row.accuracy or 0.0) >= (order.min_accuracy or 0.0)]
    wanted = {point.name for point in front(point_of(row) for row in good)}
    wanted |= {each.candidate for each in found if each.reach is Reach.SERVED}
    by_file = {row.artifact_id: row for row in reversed(good) if variant_name(row) in wanted}
    return sorted(row.number for row in by_file.values())
