"""What a compression has found so far, from its rows alone: nobody has to wait for its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ontology.facts import Capacity, Constraint, Limits, Metric
from orchestrator.compression.search.catalogue import TaskEntry
from orchestrator.models import CompressionTrial, Job, JobStatus
from orchestrator.policy.budgets import Budget, Gap, Reach, Standing, standings
from orchestrator.policy.footprints import Footprint
from orchestrator.policy.pareto import Point, front
from orchestrator.services.compression_budgets import budgets_of, profiles_of
from orchestrator.services.compression_orders import Order, OrderError, named_task, order_of
from orchestrator.services.compression_trials import need_of_trial, variant_name
from registry.services.lookup import LookupFailed


@dataclass(frozen=True, slots=True)
class Outcome:
    """How each budget stands, all trained candidates as points, and those that are to be released.

    `measure` is what scores are. `released` are the trials, by number, that nothing dominates or
    that serve some budget best. `problem` says why there are no standings any more, as where the
    board has left the catalogue.
    """

    measure: Metric | None
    standings: tuple[Standing, ...]
    points: tuple[Point, ...]
    released: tuple[int, ...]
    problem: str = ""

    def count(self, reach: Reach) -> int:
        """How many budgets stand so."""
        return sum(each.reach is reach for each in self.standings)


def outcome_of(job: Job) -> Outcome:
    """What a job that succeeded has noted; of any other, by the trials that are finished.

    Before the first of them, nothing is known to be reachable.
    """
    order = order_of(job.payload)
    rows = list(job.trials.order_by("number"))
    entry, found, problem = None, _noted(job), ""
    try:
        entry = named_task(order.task)
        found = found or _worked_out(job, order, entry, rows)
    except (OrderError, LookupFailed) as gone:
        problem = "" if found else str(gone)
    trained = [row for row in rows if row.score is not None]
    return Outcome(
        measure=None if entry is None else entry.measure,
        standings=tuple(found),
        points=tuple(point_of(row) for row in trained),
        released=tuple(_released(order, trained, found)),
        problem=problem,
    )


def _noted(job: Job) -> list[Standing]:
    """So that a board or a profile that is gone since changes nothing of what came of it."""
    if job.status != JobStatus.SUCCEEDED:
        return []
    return [standing_from_json(raw) for raw in (job.result or {}).get("standings", ())]


def _worked_out(
    job: Job, order: Order, entry: TaskEntry, rows: Sequence[CompressionTrial]
) -> list[Standing]:
    budgets = budgets_of(order, profiles_of_job(job), entry.measure)
    return standings(budgets, [need_of_trial(row, entry) for row in rows])


def profiles_of_job(job: Job) -> Sequence[int]:
    """Those that its first attempt found in the fleet; those of today before there was one."""
    if "profiles" in job.payload:
        return list(job.payload["profiles"])
    fleet = job.payload.get("fleet")
    return [] if fleet is None else profiles_of(fleet)


def point_of(row: CompressionTrial) -> Point:
    """A trained trial in the plane of score and cost."""
    footprint = Footprint.from_json(row.footprint)
    return Point(
        name=variant_name(row),
        score=row.score or 0.0,
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
        "measure": standing.budget.limits.measure.value,
        "score": standing.score,
        "gaps": [gap_json(gap) for gap in standing.gaps],
    }


def standing_from_json(raw: Mapping[str, Any]) -> Standing:
    """What `standing_json` gave; of the budget it keeps whom it stands for, and the measure."""
    limits = Limits(measure=Metric(raw["measure"]))
    return Standing(
        budget=Budget(tuple(raw["budget"]), Capacity(profile=""), limits),
        reach=Reach(raw["reach"]),
        candidate=raw["variant"] or "",
        score=raw["score"],
        gaps=tuple(_gap_from_json(gap) for gap in raw["gaps"]),
    )


def gap_json(gap: Gap) -> Mapping[str, Any]:
    """The smallest known need, what there is, and how much is missing."""
    return {
        "constraint": gap.constraint.value,
        "need": gap.need,
        "have": gap.have,
        "unit": gap.unit,
        "missing": gap.missing,
    }


def _gap_from_json(raw: Mapping[str, Any]) -> Gap:
    is_measure = raw["constraint"] in set(Metric)
    constraint = Metric(raw["constraint"]) if is_measure else Constraint(raw["constraint"])
    need, have = (tuple(v) if isinstance(v, list) else v for v in (raw["need"], raw["have"]))
    return Gap(constraint, need, have, raw["unit"], raw["missing"])


def _released(
    order: Order, trained: Sequence[CompressionTrial], found: Sequence[Standing]
) -> list[int]:
    """Equal files count once: two choices may come to the same network."""
    least = -math.inf if order.min_accuracy is None else order.min_accuracy
    good = [row for row in trained if row.score is not None and row.score >= least]
    wanted = {point.name for point in front(point_of(row) for row in good)}
    wanted |= {each.candidate for each in found if each.reach is Reach.SERVED}
    by_file = {row.artifact_id: row for row in reversed(good) if variant_name(row) in wanted}
    return sorted(row.number for row in by_file.values())
