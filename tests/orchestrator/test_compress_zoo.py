"""Networks of the zoo are searched like any other task."""

from __future__ import annotations

from itertools import islice

import pytest

from ontology.facts import QUALITIES, Capacity, Constraint, RuntimeId
from orchestrator.compression.datasets.samples import DataMissing
from orchestrator.compression.search.catalogue import TASKS
from orchestrator.compression.search.choices import checked
from orchestrator.compression.search.engine import Search, SearchLimits
from orchestrator.compression.search.zoo_task import ZooTask
from orchestrator.compression.zoo.entries import ZOO
from orchestrator.policy.budgets import Budget, Reach

OF_ZOO = sorted(name for name, entry in TASKS.items() if entry.network)
SIZES = frozenset({Constraint.FLASH, Constraint.RAM})


@pytest.mark.parametrize("name", OF_ZOO)
def test_the_catalogue_says_of_a_network_what_the_zoo_says(name: str) -> None:
    entry, known = TASKS[name], ZOO[name]
    assert (entry.title, entry.data_source) == (known.task, known.data.source)
    assert entry.sensors == known.data.sensors
    assert entry.measure in QUALITIES
    assert entry.measure == entry.load().measure == known.goal.measure.lower()


@pytest.mark.parametrize("name", OF_ZOO)
def test_the_smallest_is_no_larger_than_any_start(name: str) -> None:
    task = TASKS[name].load()
    choices = [checked(task.space, choice) for choice in (task.smallest(), *task.starts())]
    sizes = [parameters(name, int(choice["width"])) for choice in choices]
    assert sizes[0] == min(sizes) and sizes[1] == max(sizes)


def parameters(name: str, width: int) -> int:
    return sum(each.numel() for each in ZOO[name].build(width / 100).parameters())


def test_every_network_of_the_zoo_is_searched() -> None:
    assert set(OF_ZOO) == set(ZOO)


def test_the_digit_family_is_meant_where_a_title_names_two() -> None:
    shared = [entry.name for entry in TASKS.values() if entry.title == TASKS["digits"].title]
    assert shared == ["digits", "digit-cnn"]
    others = [entry.title for entry in TASKS.values() if entry.name not in shared]
    assert len(set(others)) == len(others)


def test_data_that_are_not_there_are_told_with_the_way_to_get_them(monkeypatch) -> None:
    monkeypatch.delenv("TINYFLEET_DATA", raising=False)
    with pytest.raises(DataMissing, match="TINYFLEET_DATA"):
        ZooTask("presence-mlp").prepare(0)


@pytest.mark.slow
def test_a_taught_network_of_the_zoo_serves_a_small_budget(data_dir, monkeypatch) -> None:
    monkeypatch.setattr(ZooTask, "starts", _one_taught)
    asked = Capacity("small", 6000, 8192, RuntimeId("tflite-micro", "", "cmsis_nn"))
    budgets = [Budget(("small",), asked, asked=SIZES)]
    search = Search(ZooTask("presence-mlp"), budgets, None, SearchLimits(0, 9, 3600))
    _, taught = islice(search.run([], lambda share, doing: None), 2)
    assert (taught.technique.partition(",")[0], taught.choice["width"]) == ("distillation", 50)
    (found,) = search.standings()
    assert (found.reach, found.score) == (Reach.SERVED, taught.score)


def _one_taught(task: ZooTask) -> list[dict]:
    """For as short as the space allows."""
    taught = {"origin": "distilled", "quantization": "averaged"}
    return [{**task._choice(50), **taught, "epochs": task.space["epochs"].least}]
