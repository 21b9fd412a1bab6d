"""One function a constraint, and the three-valued verdict over all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TypeAlias

from ontology.facts import (
    QUALITIES,
    Answer,
    Capacity,
    Constraint,
    Figure,
    Limits,
    Metric,
    Need,
    Reason,
    RuntimeId,
    Verdict,
)
from ontology.matching.pace import figure_for
from ontology.matching.sensing import describe_need, describe_sensor, satisfies

Rule: TypeAlias = Callable[[Need, Capacity], Reason]


def assess(
    need: Need,
    capacity: Capacity,
    limits: Limits | None = None,
    only: Collection[Constraint] | None = None,
) -> Verdict:
    """Judge one variant on one profile: one reason a constraint, in the order of `Constraint`.

    A fact that is not known makes its constraint unknown, never a fit; one failed constraint
    decides, whatever else is unknown. With `only`, no other constraint is judged; limits, which
    are asked for by name, always are.
    """
    asked = (rule for constraint, rule in RULES.items() if only is None or constraint in only)
    reasons = tuple(rule(need, capacity) for rule in asked)
    if limits is not None:
        reasons += tuple(on_request(need, capacity, limits))
    answer = combine(reason.holds for reason in reasons)
    return Verdict(need.variant, capacity.profile, answer, reasons, capacity.assumed)


def restrict(verdict: Verdict, only: Collection[Constraint]) -> Verdict:
    """A verdict as it were if only these constraints had been asked."""
    reasons = tuple(reason for reason in verdict.reasons if reason.constraint in only)
    answer = combine(reason.holds for reason in reasons)
    return replace(verdict, answer=answer, reasons=reasons)


def combine(outcomes: Iterable[bool | None]) -> Answer:
    """Kleene's strong conjunction: false before unknown before true (Kleene 1952, section 64)."""
    seen = set(outcomes)
    if False in seen:
        return Answer.DOES_NOT_FIT
    return Answer.UNKNOWN if None in seen else Answer.FITS


def flash_bytes(need: Need, capacity: Capacity) -> int | None:
    """What the artifact takes of a slot: its own size, else the best figure for this target."""
    if need.flash_bytes is not None:
        return need.flash_bytes
    return _bytes(need, capacity, Metric.FLASH_BYTES)


def arena_bytes(need: Need, capacity: Capacity) -> int | None:
    """What the interpreter takes of RAM on this target, as far as it is known."""
    return _bytes(need, capacity, Metric.ARENA_BYTES)


def _bytes(need: Need, capacity: Capacity, metric: Metric) -> int | None:
    """A part of a byte takes the whole one."""
    figure = figure_for(need, capacity, metric)
    return None if figure is None else math.ceil(figure.value)


def _flash(need: Need, capacity: Capacity) -> Reason:
    own_size = need.flash_bytes is not None
    basis = None if own_size else figure_for(need, capacity, Metric.FLASH_BYTES)
    return _at_most(Constraint.FLASH, flash_bytes(need, capacity), capacity.slot_bytes, basis)


def _ram(need: Need, capacity: Capacity) -> Reason:
    basis = figure_for(need, capacity, Metric.ARENA_BYTES)
    needed = None if basis is None else math.ceil(basis.value)
    return _at_most(Constraint.RAM, needed, capacity.arena_budget_bytes, basis)


def _at_most(
    constraint: Constraint, need: int | None, have: int | None, basis: Figure | None
) -> Reason:
    headroom = None if need is None or have is None else have - need
    return _measured(constraint, need, have, "B", headroom, basis)


def _measured(
    constraint: Constraint,
    need: int | float | None,
    have: int | float | None,
    unit: str,
    headroom: int | float | None,
    basis: Figure | None,
) -> Reason:
    holds = None if headroom is None else headroom >= 0
    return Reason(constraint, need, have, unit, headroom, holds, basis)


def _operators(need: Need, capacity: Capacity) -> Reason:
    """Each needed operator must be there at the needed version or a later one."""
    needed, offered = need.operators, capacity.operators
    if needed is None or (offered is None and needed):
        names = None if needed is None else _versions(needed.items())
        return _set_reason(Constraint.OPERATORS, names, None, None)
    have = offered or {}
    missing = {name: version for name, version in needed.items() if have.get(name, 0) < version}
    instead = _versions((name, have[name]) for name in missing if name in have)
    return _set_reason(Constraint.OPERATORS, _versions(missing.items()), instead, not missing)


def _versions(items: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{name} v{version}" for name, version in sorted(items))


def _dtypes(need: Need, capacity: Capacity) -> Reason:
    needed, offered = need.dtypes, capacity.dtypes
    if needed is None or (offered is None and needed):
        names = None if needed is None else tuple(sorted(needed))
        return _set_reason(Constraint.DTYPES, names, None, None)
    missing = tuple(sorted(needed - (offered or frozenset())))
    have = tuple(sorted(offered or ())) if missing else ()
    return _set_reason(Constraint.DTYPES, missing, have, not missing)


def _sensors(need: Need, capacity: Capacity) -> Reason:
    """Each input must have a sensor; two inputs may read the same one."""
    needed, offered = need.sensors, capacity.sensors
    if needed is None or (offered is None and needed):
        texts = None if needed is None else tuple(sorted(map(describe_need, needed)))
        return _set_reason(Constraint.SENSORS, texts, None, None)
    outcomes = {wanted: satisfies(wanted, offered or ()) for wanted in needed}
    unmet = {wanted for wanted, outcome in outcomes.items() if outcome is not True}
    kinds = {wanted.kind for wanted in unmet}
    have = sorted(describe_sensor(sensor) for sensor in offered or () if sensor.kind in kinds)
    holds = {Answer.FITS: True, Answer.UNKNOWN: None, Answer.DOES_NOT_FIT: False}
    answer = holds[combine(outcomes.values())]
    missing = tuple(sorted(map(describe_need, unmet)))
    return _set_reason(Constraint.SENSORS, missing, tuple(have), answer)


def _runtime(need: Need, capacity: Capacity) -> Reason:
    """The interpreter must be one that reads this artifact's format."""
    needed = None if need.runtimes is None else tuple(sorted(need.runtimes))
    have = None if capacity.runtime is None else (runtime_text(capacity.runtime),)
    if need.runtimes is None or capacity.runtime is None:
        return _set_reason(Constraint.RUNTIME, needed, have, None)
    return _set_reason(Constraint.RUNTIME, needed, have, capacity.runtime.name in need.runtimes)


def runtime_text(runtime: RuntimeId) -> str:
    """Name, version and kernels as one reads them aloud."""
    return " ".join(part for part in (runtime.name, runtime.version, runtime.kernels) if part)


def _set_reason(
    constraint: Constraint,
    need: tuple[str, ...] | None,
    have: tuple[str, ...] | None,
    holds: bool | None,
) -> Reason:
    return Reason(constraint, need, have, "", None, holds)


def on_request(need: Need, capacity: Capacity, limits: Limits) -> Iterable[Reason]:
    """Reasons for the limits that were set. `need` is the limit, `have` what the variant shows."""
    for constraint, limit, metric, unit in (
        (Constraint.LATENCY, limits.latency_ms, Metric.LATENCY_MS, "ms"),
        (Constraint.ENERGY, limits.energy_mj, Metric.ENERGY_MJ, "mJ"),
        (Constraint.ACCURACY, limits.accuracy, limits.measure, "1"),
    ):
        if limit is not None:
            basis = figure_for(need, capacity, metric)
            have = None if basis is None else basis.value
            spare = None if have is None else limit - have
            better = -spare if spare is not None and metric in QUALITIES else spare
            yield _measured(constraint, limit, have, unit, better, basis)


# Every verdict has these, in this order.
RULES: dict[Constraint, Rule] = {
    Constraint.FLASH: _flash,
    Constraint.RAM: _ram,
    Constraint.OPERATORS: _operators,
    Constraint.DTYPES: _dtypes,
    Constraint.SENSORS: _sensors,
    Constraint.RUNTIME: _runtime,
}
