"""Budgets that compression has to meet, and how each stands to the candidates that there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ontology.facts import Answer, Capacity, Constraint, Limits, Metric, Need, Reason, Verdict
from ontology.matching import assess, quality_of
from orchestrator.policy.measures import WORDS
from registry.footprint.description import Board

ALWAYS = frozenset(
    {
        Constraint.FLASH,
        Constraint.RAM,
        Constraint.OPERATORS,
        Constraint.DTYPES,
        Constraint.SENSORS,
        Constraint.RUNTIME,
    }
)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a variant may need to serve somebody: one profile, or all that offer the same.

    `asked` are the constraints that count; `board` is what latencies are predicted for.
    """

    names: tuple[str, ...]
    capacity: Capacity
    limits: Limits = field(default_factory=Limits)
    asked: frozenset[Constraint] = ALWAYS
    board: Board | None = None

    @property
    def name(self) -> str:
        """For people: whom it stands for."""
        return ", ".join(self.names)

    def judge(self, need: Need) -> Verdict:
        """One candidate under this budget."""
        return assess(need, self.capacity, self.limits, only=self.asked)

    def may_serve(self, need: Need) -> bool:
        """Whether all but its score, which is not known before training, is in order."""
        limits = replace(self.limits, accuracy=None)
        verdict = assess(need, self.capacity, limits, only=self.asked)
        return verdict.answer is Answer.FITS


class Reach(StrEnum):
    """How a budget stands: `unreachable` is shown by the smallest network there is, `not_found`
    only says that the search ended before."""

    SERVED = "served"
    UNREACHABLE = "unreachable"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Gap:
    """A constraint that nothing known meets: the smallest known need beside what there is.

    `missing` is the difference in `unit`, None for sets and for what is not known. Of a measure
    of quality `need` is what was asked for and `have` the best known.
    """

    constraint: Constraint | Metric
    need: object
    have: object
    unit: str
    missing: float | None

    @property
    def sentence(self) -> str:
        """For people."""
        need, have = _listed(self.need), _listed(self.have)
        if self.need is None:
            return f"{self.constraint.value}: what it needs is not known there, there is {have}"
        if self.missing is None:
            return f"{self.constraint.value}: needs {need}, has {have}"
        if isinstance(self.constraint, Metric):
            return f"{WORDS[self.constraint]}: {need} is asked for, {have} is the best known"
        unit = self.unit
        return (
            f"{self.constraint.value}: the least known need is {need} {unit}, there is"
            f" {have} {unit}: {_listed(self.missing)} {unit} too little"
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """One budget after a search: the best candidate that serves it, or what is missing.

    `score` is by the measure of the budget's limits.
    """

    budget: Budget
    reach: Reach
    candidate: str = ""
    score: float | None = None
    gaps: tuple[Gap, ...] = ()


def merged(budgets: Iterable[Budget]) -> list[Budget]:
    """Budgets that ask the same once, under all their names, in the order of the first."""
    alike: dict[tuple[object, ...], list[Budget]] = defaultdict(list)
    for budget in budgets:
        alike[_content(budget)].append(budget)
    return [
        replace(same[0], names=tuple(dict.fromkeys(name for each in same for name in each.names)))
        for same in alike.values()
    ]


def standing(budget: Budget, candidates: Sequence[Need], smallest: Need | None) -> Standing:
    """How a budget stands to candidates, of which those without a score are untrained.

    `smallest` is the need of the smallest network of the task: what it fails, every one does.
    Of equally good candidates the smaller file is taken.
    """
    fitting = [need for need in candidates if _serves(budget, need)]
    if fitting:
        best = max(fitting, key=lambda need: (quality_of(need) or 0.0, -(need.flash_bytes or 0)))
        return Standing(budget, Reach.SERVED, best.variant, quality_of(best))
    known = [*candidates, *([] if smallest is None else [smallest])]
    hopeless = smallest is not None and not budget.may_serve(smallest)
    reach = Reach.UNREACHABLE if hopeless else Reach.NOT_FOUND
    return Standing(budget, reach, gaps=tuple(_gaps(budget, known)))


def standings(budgets: Iterable[Budget], candidates: Sequence[Need]) -> list[Standing]:
    """How each budget stands; the first of the candidates is the smallest network."""
    smallest = candidates[0] if candidates else None
    return [standing(budget, candidates, smallest) for budget in budgets]


def excess(budget: Budget, need: Need) -> dict[str, float]:
    """By how much each constraint is overrun, as a fraction of what there is; 0 where it holds.

    Sets and what is not known count as overrun by the whole.
    """
    limits = replace(budget.limits, accuracy=None)
    verdict = assess(need, budget.capacity, limits, only=budget.asked)
    return {reason.constraint.value: _excess(reason) for reason in verdict.reasons}


def _serves(budget: Budget, need: Need) -> bool:
    return quality_of(need) is not None and budget.judge(need).answer is Answer.FITS


def _excess(reason: Reason) -> float:
    if reason.holds:
        return 0.0
    if reason.headroom is None:
        return 1.0
    # Of a limit on request `need` is the limit; of a size `have` is what there is.
    there = reason.need if reason.constraint is Constraint.LATENCY else reason.have
    return -reason.headroom / there if isinstance(there, int | float) and there > 0 else 1.0


def _gaps(budget: Budget, known: Sequence[Need]) -> list[Gap]:
    """What each constraint lacks with the candidate that comes nearest to it.

    Where each is met by somebody but nobody meets all, that of the nearest candidate.
    """
    verdicts = [budget.judge(need) for need in known]
    nearest = {each.constraint: each for each in _nearest_reasons(verdicts)}
    unmet = [reason for reason in nearest.values() if reason.holds is not True]
    if not unmet and verdicts:
        closest = min(verdicts, key=_total_shortage)
        unmet = [reason for reason in closest.reasons if reason.holds is not True]
    return [_gap(reason, budget.limits.measure) for reason in unmet]


def _nearest_reasons(verdicts: Iterable[Verdict]) -> Iterable[Reason]:
    by_constraint: Mapping[Constraint, list[Reason]] = defaultdict(list)
    for verdict in verdicts:
        for reason in verdict.reasons:
            by_constraint[reason.constraint].append(reason)
    return [min(reasons, key=_shortage) for reasons in by_constraint.values()]


def _total_shortage(verdict: Verdict) -> tuple[int, float]:
    unmet = [reason for reason in verdict.reasons if reason.holds is not True]
    return len(unmet), sum(_shortage(reason)[1] for reason in unmet)


def _shortage(reason: Reason) -> tuple[bool, float]:
    """Held before failed, then by how much; what has no measure comes last."""
    missing = float("inf") if reason.headroom is None else -reason.headroom
    return reason.holds is not True, 0.0 if reason.holds else missing


def _gap(reason: Reason, measure: Metric) -> Gap:
    missing = None if reason.headroom is None else -reason.headroom
    need, have = reason.need, reason.have
    if reason.constraint is Constraint.LATENCY:
        need, have = have, need  # on request `need` is the limit: here it is what there is
    is_quality = reason.constraint is Constraint.ACCURACY
    return Gap(measure if is_quality else reason.constraint, need, have, reason.unit, missing)


def _content(budget: Budget) -> tuple[object, ...]:
    """What makes budgets equal. A board counts only where a latency is asked of it."""
    capacity = budget.capacity
    return (
        capacity.slot_bytes,
        capacity.arena_budget_bytes,
        capacity.runtime,
        _pairs(capacity.operators),
        capacity.dtypes,
        capacity.sensors,
        budget.limits,
        budget.asked,
        budget.board if budget.limits.latency_ms is not None else None,
    )


def _listed(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return "not known" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _pairs(operators: Mapping[str, int] | None) -> tuple[tuple[str, int], ...] | None:
    return None if operators is None else tuple(sorted(operators.items()))
