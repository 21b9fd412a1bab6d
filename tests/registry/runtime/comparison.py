"""What the model says of a network beside what the runtime does with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.footprint.arena import ArenaPlan, predict_arena
from registry.footprint.layout import HOST_64, Layout
from registry.formats.tflite import parse
from tests.registry.runtime.cases import Case
from tests.registry.runtime.peer import Allocated, allocate


@dataclass(frozen=True, slots=True)
class Compared:
    """A network, the model's plan for this machine, and what the runtime allocated."""

    case: Case
    plan: ArenaPlan
    allocated: Allocated

    @property
    def is_refused(self) -> bool:
        """Whether neither gives it an arena."""
        return bool(self.plan.unknown and self.allocated.refused)


def asked_beside(cases: Sequence[Case], folder: Path, layout: Layout = HOST_64) -> list[Compared]:
    """Both asked about each network; files go into the folder."""
    networks = [case.network for case in cases]
    plans = [predict_arena(parse(network), "reference", layout) for network in networks]
    found = allocate(folder, networks, [plan.arena_bytes for plan in plans])
    return [Compared(*each) for each in zip(cases, plans, found, strict=True)]


def difference(compared: Compared) -> str:
    """What does not agree, in words; empty where all does."""
    plan, allocated = compared.plan, compared.allocated
    if compared.is_refused:
        return ""
    if allocated.refused:
        return f"the runtime refuses it: {allocated.refused.strip()}"
    if plan.unknown:
        return f"the runtime runs it, the model says: {'; '.join(plan.unknown)}"
    for part, size in (("nonpersistent", allocated.head), ("persistent", allocated.tail)):
        if plan.parts[part] != size:
            return f"{part}: {plan.parts[part]} predicted, {size} allocated"
    if not allocated.enough:
        return f"it does not run in the {plan.arena_bytes} bytes predicted"
    if allocated.less_is_enough:
        return f"it runs in less than the {plan.arena_bytes} bytes predicted"
    return ""
