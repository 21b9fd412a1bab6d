"""The search itself: what cannot fit anybody is not trained, and what is done is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from ontology.facts import SensorNeed
from orchestrator.compression.conversion import convert_int8
from orchestrator.compression.methods.int8 import Int8File, to_int8
from orchestrator.compression.search.choices import Choice, OneOf, Space, checked, key
from orchestrator.compression.search.proposals import proposal
from orchestrator.compression.search.task import SearchTask, Trained, Workbench
from orchestrator.compression.search.trials import Trial, TrialState, params_of, technique_of
from orchestrator.policy.budgets import Budget, Reach, Standing, standings
from orchestrator.policy.footprints import (
    LEAST_PATCHES,
    PATCHING_RUNTIME,
    Footprint,
    footprint_of,
)

Progress = Callable[[float, str], None]
"""Called with the share done of all (a fraction) and what is being done; may raise to stop."""

_PATCHES = "patches"
_OTHER_SEEDS = 100  # a start's place is its seed; those of proposals lie behind


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """At most so many trials and so many seconds of work, over all attempts together."""

    seed: int
    trials: int
    seconds: float


class Search:
    """One search for one task under several budgets."""

    def __init__(
        self,
        task: SearchTask,
        budgets: Sequence[Budget],
        sensors: tuple[SensorNeed, ...] | None,
        limits: SearchLimits,
    ) -> None:
        self._task = task
        self._budgets = budgets
        self._sensors = sensors
        self._limits = limits
        self._boards = [each.board for each in budgets if each.board is not None]
        self.space = {**task.space, **_patches(budgets)}
        self._known = [self._whole(choice, 1) for choice in task.starts()]
        self._smallest = self._whole(task.smallest(), LEAST_PATCHES)
        self.trials: list[Trial] = []

    def run(self, done: Sequence[Trial], on_progress: Progress) -> Iterator[Trial]:
        """Each trial as soon as it has ended, after those that are `done`.

        Ends at the limits, or where no budget can be served at all. The smallest network is
        measured first, and trained at the end where nothing else was found for somebody.
        """
        self.trials = list(done)
        bench = self._task.prepare(self._limits.seed)
        while (choice := self._next()) is not None:
            trial = self._try(bench, choice, on_progress)
            self.trials.append(trial)
            yield trial

    def standings(self) -> list[Standing]:
        """How each budget stands to the trials so far."""
        return standings(self._budgets, [trial.need(self._sensors) for trial in self.trials])

    def _next(self) -> Choice | None:
        """The smallest, the starts, proposals; last the smallest again, for who is left over."""
        number = len(self.trials)
        if number == 0:
            return self._smallest
        hopeful = [each for each in self.standings() if each.reach is not Reach.UNREACHABLE]
        left_over = [each for each in hopeful if each.reach is Reach.NOT_FOUND]
        if not hopeful:
            return None
        if self._is_over(number + bool(left_over)):
            return self._last_resort(left_over)
        if number <= len(self._known):
            return self._known[number - 1]
        chosen = _in_turn(left_over or hopeful, number)
        seed = self._limits.seed * 1000 + number
        return proposal(self.space, chosen.budget, self._sensors, self.trials, seed)

    def _whole(self, choice: Choice, patches: int) -> Choice:
        """A choice of the task's with its number of patches, where patches are searched."""
        searched = {_PATCHES: patches} if _PATCHES in self.space else {}
        return checked(self.space, {**choice, **searched})

    def _is_over(self, number: int) -> bool:
        spent = sum(trial.seconds for trial in self.trials)
        return number >= self._limits.trials or spent >= self._limits.seconds

    def _last_resort(self, left_over: Sequence[Standing]) -> Choice | None:
        """The smallest, to be trained, unless that was done."""
        smallest = key(self._smallest)
        is_trained = any(
            trial.state is TrialState.TRAINED and key(trial.choice) == smallest
            for trial in self.trials
        )
        return None if is_trained or not left_over else self._smallest

    def _try(self, bench: Workbench, choice: Choice, on_progress: Progress) -> Trial:
        began = time.monotonic()
        number = len(self.trials)
        report = self._reporter(on_progress, number)
        report(0.0, "measuring")
        untrained = convert_int8(
            bench.untrained(choice), bench.calibration[:1], bench.ranges(choice)
        )
        footprint = self._footprint(untrained, choice)
        if number == 0 or not self._may_serve(footprint):
            seconds = time.monotonic() - began
            return Trial(number, choice, TrialState.MEASURED, footprint, seconds)
        return self._train(bench, choice, report, began)

    def _footprint(self, data: bytes, choice: Choice) -> Footprint:
        return footprint_of(data, self._boards, int(choice.get(_PATCHES, 1)))

    def _may_serve(self, footprint: Footprint) -> bool:
        need = footprint.need("", self._sensors)
        return any(budget.may_serve(need) for budget in self._budgets)

    def _train(self, bench: Workbench, choice: Choice, report: Progress, began: float) -> Trial:
        seed = self._seed(choice)
        made = bench.trained(choice, seed, lambda share: report(0.1 + 0.5 * share, "training"))
        report(0.6, "converting")
        file = self._int8(bench, choice, made, seed, report)
        return Trial(
            number=len(self.trials),
            choice=choice,
            state=TrialState.TRAINED,
            footprint=self._footprint(file.data, choice),
            measure=self._task.measure,
            score=file.score,
            float_score=made.float_score,
            technique=technique_of(made, file),
            params={**made.params, **params_of(file)},
            data=file.data,
            seconds=time.monotonic() - began,
        )

    def _int8(
        self, bench: Workbench, choice: Choice, made: Trained, seed: int, report: Progress
    ) -> Int8File:
        """By calibration, and where that loses too much, by training for int8 as well."""

        def train(network: nn.Module) -> None:
            bench.train_further(
                network, choice, seed, lambda share: report(0.7 + 0.2 * share, "training for int8")
            )

        return to_int8(
            made.network,
            convert=lambda network: convert_int8(network, bench.calibration, bench.ranges(choice)),
            train=train,
            of_network=lambda network: made.float_score,
            of_file=bench.score,
        )

    def _seed(self, choice: Choice) -> int:
        """The same for a start wherever it stands, so that it becomes what it was known to be."""
        keys = [key(known) for known in self._known]
        mine = key(choice)
        place = keys.index(mine) if mine in keys else _OTHER_SEEDS + len(self.trials)
        return self._limits.seed * 1000 + place

    def _reporter(self, on_progress: Progress, number: int) -> Progress:
        """Shares of one trial as shares of the search; whichever limit is nearer counts."""
        spent = sum(trial.seconds for trial in self.trials) / self._limits.seconds
        served = sum(each.reach is Reach.SERVED for each in self.standings())
        told = f"trial {number + 1}, {served} of {len(self._budgets)} budgets served"

        def report(share: float, doing: str) -> None:
            by_count = (number + share) / max(self._limits.trials, number + 1)
            on_progress(min(1.0, max(by_count, spent)), f"{doing}: {told}")

        return report


def _patches(budgets: Sequence[Budget]) -> Space:
    """How many patches along an axis, where somebody's runtime runs a network by patches."""
    runtimes = {each.capacity.runtime.name for each in budgets if each.capacity.runtime}
    numbers = OneOf((LEAST_PATCHES, 1, 2, 3, 4))
    return {_PATCHES: numbers} if PATCHING_RUNTIME in runtimes else {}


def _in_turn(standings: Sequence[Standing], number: int) -> Standing:
    """Whom a trial is for: every second one for whoever is served worst, the others in turn."""
    if number % 2:
        return min(standings, key=lambda each: each.score or 0.0)
    return standings[number // 2 % len(standings)]
