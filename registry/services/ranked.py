"""Variants in the order of merit on one device, or on one that somebody only thinks of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from ontology.facts import Capacity, Constraint, Limits, Verdict
from ontology.matching import Ranking, assess, merit_of, rank, restrict
from registry.models import Runtime, Variant
from registry.projection.facts import board_pace, need_of, runtime_id, variants_with_needs
from registry.services.board_fit import find_board
from registry.services.lookup import LookupFailed
from registry.services.quantities import Broken, runtime_of


@dataclass(frozen=True, slots=True)
class RankedVariant:
    """A variant with its verdict and its merit; no merit where a figure that counts is missing."""

    variant: Variant
    verdict: Verdict
    merit: float | None


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A device that nobody has: what is left out of it is not known. Sizes are bytes.

    `flash_bytes` is what one model may take of flash, `ram_bytes` what the interpreter may take of
    RAM. The runtime is NAME@VERSION/KERNELS, as far as it takes to tell it from others.
    """

    ram_bytes: int | None = None
    flash_bytes: int | None = None
    runtime: str = ""
    board: str = ""


def ranked(
    capacity: Capacity,
    variants: QuerySet[Variant],
    ranking: Ranking,
    *,
    limits: Limits | None = None,
    only: Iterable[Constraint] = (),
) -> list[RankedVariant]:
    """Each of these variants judged on a capacity, best first.

    What fits comes before what may, and that before what does not; among equals the merit decides.
    `only` restricts which constraints are asked.
    """
    rows = variants_with_needs().in_bulk(list(variants.values_list("pk", flat=True)))
    verdicts, merit = [], {}
    asked = set(only)
    for row in rows.values():
        need = need_of(row)
        verdict = assess(need, capacity, limits)
        merit[need.variant] = merit_of(need, capacity, verdict, ranking)
        verdicts.append(restrict(verdict, asked) if asked else verdict)
    return [
        RankedVariant(rows[int(verdict.variant)], verdict, merit[verdict.variant])
        for verdict in rank(verdicts, merit)
    ]


def what_if(asked: WhatIf) -> Capacity:
    """What such a device would offer. LookupFailed for a board or runtime that is not known."""
    board = find_board(asked.board) if asked.board else None
    runtime = find_runtime(asked.runtime) if asked.runtime else None
    return Capacity(
        profile="",
        slot_bytes=asked.flash_bytes,
        arena_budget_bytes=asked.ram_bytes,
        runtime=runtime_id(runtime) if runtime else None,
        operators=(runtime.operators or None) if runtime else None,
        dtypes=(frozenset(runtime.dtypes) or None) if runtime else None,
        board=board.slug if board else None,
        pace=board_pace(board) if board else None,
    )


def find_runtime(name: str) -> Runtime:
    """The one runtime that NAME@VERSION/KERNELS means; LookupFailed for none, or for several."""
    try:
        named = runtime_of(name)
    except Broken as error:
        raise LookupFailed(f"a runtime {error}") from error
    conditions = {"version": named.version, "kernels": named.kernels}
    given = {key: value for key, value in conditions.items() if value}
    rows = list(Runtime.objects.filter(name=named.name, **given))
    if len(rows) != 1:
        known = ", ".join(_spelt(row) for row in rows or Runtime.objects.all())
        what = "several runtimes are called" if rows else "there is no runtime"
        raise LookupFailed(f"{what} {name!r}; name one of {known}")
    return rows[0]


def _spelt(row: Runtime) -> str:
    version = f"@{row.version}" if row.version else ""
    return f"{row.name}{version}" + (f"/{row.kernels}" if row.kernels else "")
