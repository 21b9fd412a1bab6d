"""The digits task, small: its networks, and a search that is never behind those made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ontology.facts import Capacity, Constraint, RuntimeId
from orchestrator.compression.conversion import convert_int8
from orchestrator.compression.family import build_family, digit_family
from orchestrator.compression.search import digit_task, engine
from orchestrator.compression.search.catalogue import TASKS
from orchestrator.compression.search.choices import OneOf, Whole, checked
from orchestrator.compression.search.digit_task import DigitTask
from orchestrator.compression.search.engine import Search, SearchLimits
from orchestrator.compression.search.proposals import proposal
from orchestrator.compression.search.trials import Trial, TrialState
from orchestrator.compression.soft_targets import SoftTargets
from orchestrator.policy.budgets import Budget, Reach
from orchestrator.policy.footprints import LEAST_PATCHES, PATCHING_RUNTIME, Footprint, footprint_of
from registry.footprint.patch import plan_within
from registry.formats.model_file import read_network

EPOCHS = 2
SIZES = frozenset({Constraint.FLASH, Constraint.RAM})


class FewEpochs(DigitTask):
    """The two smallest of the family, hardly trained."""

    space = {**DigitTask.space, "epochs": Whole(EPOCHS, 60)}

    def starts(self):
        return [{**choice, "epochs": EPOCHS} for choice in super().starts()[:2]]

    def smallest(self):
        return {**super().smallest(), "epochs": EPOCHS}


def budget(name: str, slot: int, arena: int, runtime: str = "tflite-micro") -> Budget:
    kernels = "cmsis_nn" if runtime == "tflite-micro" else ""
    offered = Capacity(name, slot, arena, RuntimeId(runtime, "", kernels))
    return Budget((name,), offered, asked=SIZES)


def searched(budgets: list[Budget], trials: int) -> Search:
    limits = SearchLimits(seed=0, trials=trials, seconds=3600)
    search = Search(FewEpochs(), budgets, TASKS["digits"].sensors, limits)
    for _ in search.run([], lambda share, doing: None):
        pass
    return search


@pytest.mark.slow
def test_a_search_serves_each_budget_no_worse_than_the_family_made_by_hand(monkeypatch) -> None:
    """Of the same epochs; and what is measured before training is what the file comes to need."""
    measured = []

    def footprint(data, boards, patches):
        measured.append(footprint_of(data, boards, patches))
        return measured[-1]

    monkeypatch.setattr(engine, "footprint_of", footprint)
    asked = budget("slot of 4 KiB", 4096, 8192)
    search = searched([asked, budget("no arena", 4096, 768)], trials=3)
    family = digit_family(0).only(["nano"]).with_epochs(EPOCHS)
    (by_hand,) = build_family(family, lambda share, doing: None)
    served, beyond = search.standings()
    assert asked.may_serve(footprint_of(by_hand.data).need("nano", None))
    assert (served.reach, served.score >= by_hand.accuracy) == (Reach.SERVED, True)
    (gap,) = beyond.gaps
    assert (beyond.reach, gap.constraint, gap.have) == (Reach.UNREACHABLE, Constraint.RAM, 768)
    smallest, nano, small = search.trials
    assert [smallest.state, nano.state, small.state] == ["measured", "trained", "measured"]
    before, after = measured[1:3]
    assert abs(before.flash_bytes - after.flash_bytes) <= 64
    assert (before.arena_bytes, before.operators) == (after.arena_bytes, after.operators)


@pytest.mark.slow
def test_patches_are_searched_where_a_runtime_runs_them_by_the_registrys_own_schedules() -> None:
    choice = DigitTask().starts()[-1]
    bench = DigitTask().prepare(0)
    data = convert_int8(bench.untrained(choice), bench.calibration[:1])
    whole, least = (footprint_of(data, patches=number).patch for number in (1, LEAST_PATCHES))
    plan = plan_within(read_network(data), least["peak_bytes"])
    assert whole["peak_bytes"] == plan.whole.peak_bytes > least["peak_bytes"]
    assert plan.cheapest is not None
    assert plan_within(read_network(data), least["peak_bytes"] - 1).cheapest is None
    room = budget("tight", 2**17, least["peak_bytes"], PATCHING_RUNTIME)
    assert room.may_serve(footprint_of(data, patches=LEAST_PATCHES).need("", None))
    assert not room.may_serve(footprint_of(data, patches=1).need("", None))


def test_patches_are_a_dimension_only_where_a_runtime_runs_them() -> None:
    limits, sensors = SearchLimits(0, 1, 1.0), TASKS["digits"].sensors
    plain = Search(DigitTask(), [budget("a", 1, 1)], sensors, limits)
    patched = Search(DigitTask(), [budget("a", 1, 1, PATCHING_RUNTIME)], sensors, limits)
    assert "patches" not in plain.space
    assert isinstance(patched.space["patches"], OneOf)


def test_the_family_and_the_smallest_are_in_the_space() -> None:
    task = DigitTask()
    for choice in [*task.starts(), task.smallest()]:
        assert checked(task.space, choice) == choice
    with pytest.raises(ValueError, match="stem"):
        checked(task.space, {**task.smallest(), "stem": 1})
    assert len(task.starts()) == len(digit_family().variants)


def test_a_trial_from_before_a_dimension_came_tells_nothing_and_breaks_nothing() -> None:
    task, asked = DigitTask(), budget("any", 2**16, 2**16)
    footprint = Footprint(1000, {"cmsis_nn": 1000}, {}, None, None, {})
    old = {name: value for name, value in task.smallest().items() if name != "learning_rate"}
    trial = Trial(0, old, TrialState.TRAINED, footprint, 1.0, score=0.9)
    assert checked(task.space, proposal(task.space, asked, None, [trial], seed=1))


def test_a_title_in_the_catalogue_is_the_familys_own() -> None:
    family = digit_family()
    entry = TASKS["digits"]
    assert (entry.title, entry.data_source) == (family.task, family.data_source)


def test_soft_targets_are_nothing_to_a_student_who_says_the_same() -> None:
    class Certain(nn.Module):
        def forward(self, inputs):
            return inputs * 2, inputs

    inputs = torch.randn(8, 10, generator=torch.Generator().manual_seed(1))
    hard = torch.tensor(1.5)
    soft = SoftTargets(Certain(), share=0.25)
    assert soft.blend(hard, inputs, inputs * 2).item() == pytest.approx(0.75 * 1.5)
    assert soft.blend(hard, inputs, inputs * 2 + torch.eye(8, 10)).item() > 0.75 * 1.5
    assert replace(soft, share=0.0).blend(hard, inputs, inputs).item() == 1.5


@pytest.mark.slow
def test_a_distilled_network_is_another_one_and_the_same_each_time(monkeypatch) -> None:
    monkeypatch.setattr(digit_task, "_teacher", lambda: FewEpochs().starts()[1])
    bench, choice = FewEpochs().prepare(0), FewEpochs().starts()[0]
    taught = {**choice, "origin": "distilled"}
    made = [bench.trained(each, 7, lambda share: None) for each in (taught, taught, choice)]
    weights = [each.network.classifier.weight.detach().numpy() for each in made]
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    assert [each.technique for each in made] == ["distillation", "distillation", ""]
