"""Networks of the zoo are searched like any other task."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from ontology.facts import QUALITIES, Capacity, Constraint, RuntimeId
from orchestrator.compression.datasets.samples import DataMissing
from orchestrator.compression.pruning import PruningConfig, narrowed
from orchestrator.compression.search.catalogue import TASKS
from orchestrator.compression.search.choices import Choice, checked
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
    choices += [{**choices[-1], "width": 10, "origin": each} for each in ("scratch", "distilled")]
    sizes = [parameters(name, choice) for choice in choices]
    assert sizes[0] == min(sizes) and sizes[1] == max(sizes)


@pytest.mark.parametrize("name", [name for name, entry in ZOO.items() if entry.prunes])
def test_half_of_a_network_twice_as_wide_is_the_network(name: str) -> None:
    entry = ZOO[name]
    sample = torch.zeros(1, *entry.data.shape)
    for percent in (50, 100):
        whole, wider = entry.build(percent / 100), entry.build(percent / 50)
        narrow = narrowed(wider, PruningConfig(0.5, round_to=1), sample)
        assert [each.shape for each in narrow(sample)][0] == whole.eval()(sample)[0].shape
        sizes = [sum(each.numel() for each in net.parameters()) for net in (narrow, whole)]
        assert sizes[0] == pytest.approx(sizes[1], rel=0.1)  # odd channels are rounded


def test_pruning_is_searched_where_a_network_takes_it() -> None:
    origins = {name: ZooTask(name).space["origin"].values for name in ZOO}
    assert {name for name, found in origins.items() if "pruned" in found} == {
        name for name, entry in ZOO.items() if entry.prunes
    }
    assert all({"scratch", "distilled"} <= set(found) for found in origins.values())


@pytest.mark.slow
@pytest.mark.parametrize("origin", ["scratch", "distilled", "pruned"])
def test_the_same_seed_gives_the_same_weights_and_learns_the_sine(origin: str) -> None:
    task, made = ZooTask("sine"), []
    for _ in range(2):
        bench = task.prepare(1)
        choice = {**task._choice(50), "origin": origin, "epochs": 50}
        made.append(bench.trained(choice, 3, lambda share: None))
    first, again = (list(each.network.parameters()) for each in made)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert made[0].float_score > 0.9
    told = {"scratch": "", "distilled": "distillation", "pruned": "structured pruning"}
    assert made[0].technique == told[origin]


def parameters(name: str, choice: Choice) -> int:
    entry, width = ZOO[name], int(choice["width"]) / 100
    network = entry.build(width)
    if choice["origin"] == "pruned":
        sample = torch.zeros(1, *entry.data.shape)
        network = narrowed(entry.build(2 * width), PruningConfig(0.5, round_to=1), sample)
    return sum(each.numel() for each in network.parameters())


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
