"""A network of somebody else's, with data of his own, is searched when a setting names it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from orchestrator.compression.conversion import convert_int8
from orchestrator.compression.evaluation import Int8Classifier
from orchestrator.compression.search import catalogue
from orchestrator.compression.search.catalogue import TASKS, add_tasks
from orchestrator.models import JobStatus
from orchestrator.services.compression_orders import Order, order_compression
from registry.models import Release
from tests.orchestrator.compression_world import run

ROOT = Path(__file__).resolve().parents[2]
PLACE = "own_leaves:TASK"
ENTRY = """
from ontology.facts import SensorNeed
from orchestrator.compression.search.catalogue import TaskEntry

TASK = TaskEntry(
    name="leaves",
    title="sick leaves by three colours",
    data_source="own greenhouse",
    sensors=(SensorNeed("camera", shape=(3,)),),
    place="own_leaf_network:LeafTask",
)
OTHER = TaskEntry("digits", "other digits", "own", None, "own_leaf_network:LeafTask")
NONE = "leaves"
"""
NETWORK = '''
import numpy as np
from torch import nn

from orchestrator.compression.datasets.samples import DataSet, Samples, Split
from orchestrator.compression.search.zoo_task import ZooTask
from orchestrator.compression.zoo.entry import Recipe, ZooEntry, scaled
from orchestrator.compression.zoo.goals import CLASSIFY


def load(folder, seed):
    rng = np.random.default_rng(seed)
    return Split(*(drawn(rng, count) for count in (200, 20, 60)))


def drawn(rng, count):
    colours = rng.random((count, 3), np.float32)
    return Samples(colours, (colours[:, 1] < colours[:, 0]).astype(np.int64))


class Leaf(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, hidden), nn.ReLU(), nn.Linear(hidden, 2))

    def forward(self, colours):
        return (self.layers(colours),)


LEAVES = DataSet("leaves", (3,), (), load, "own", "own", "leaf", classes=2)
ENTRY = ZooEntry(
    "leaves", "sick leaves", "own", lambda width: Leaf(scaled(8, width)), LEAVES, CLASSIFY,
    Recipe(epochs=10, learning_rate=2e-2, batch_size=16), prunes=True,
)


class LeafTask(ZooTask):
    def __init__(self):
        super().__init__(ENTRY)
'''  # fmt: skip


@pytest.fixture
def own_modules(tmp_path, monkeypatch) -> Path:
    (tmp_path / "own_leaves.py").write_text(ENTRY)
    (tmp_path / "own_leaf_network.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    known = dict(TASKS)
    yield tmp_path
    catalogue._TASKS.clear()
    catalogue._TASKS.update(known)
    for name in ("own_leaves", "own_leaf_network"):
        sys.modules.pop(name, None)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_it_is_searched_and_released_like_the_products_own(
    own_modules, monkeypatch, settings, tmp_path
) -> None:
    settings.MEDIA_ROOT = tmp_path / "artifacts"
    monkeypatch.setattr(
        "orchestrator.services.compression.log_release",
        lambda release, on_progress: release.variants.count(),
    )
    add_tasks([PLACE])
    job = run(order_compression(Order("leaves", ram_bytes=4096, flash_bytes=4096, trials=3)))
    assert job.status == JobStatus.SUCCEEDED, job.error
    release = Release.objects.get()
    assert (release.model.task, release.data_source) == (TASKS["leaves"].title, "own greenhouse")
    (standing,) = job.result["standings"]
    assert (standing["reach"], standing["measure"]) == ("served", "accuracy")
    assert standing["score"] > 0.8


def test_added_again_it_changes_nothing_and_does_not_load_the_network(own_modules) -> None:
    add_tasks([PLACE, PLACE])
    assert list(TASKS)[-1] == "leaves"
    assert "own_leaf_network" not in sys.modules


@pytest.mark.slow
def test_a_layer_that_is_always_zero_is_quantized_as_it_answers() -> None:
    """As of small networks behind dead rectifiers, also before they are trained."""
    network = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2)).eval()
    nn.init.constant_(network[0].bias, -5.0)
    inputs = np.random.default_rng(0).random((5, 3), np.float32)
    (said,) = Int8Classifier(convert_int8(network, inputs[:1])).run(inputs)
    assert np.allclose(said, network[2].bias.detach().numpy(), atol=0.01)


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("nowhere_at_all:TASK", "No module named 'nowhere_at_all'"),
        ("own_leaves:NOTHING", "has no attribute 'NOTHING'"),
        ("own_leaves", "module:NAME"),
        (":TASK", "module:NAME"),
        ("own_leaves:NONE", "is no TaskEntry but str"),
        ("own_leaves:OTHER", "another task 'digits'"),
    ],
)
def test_a_place_without_a_task_is_refused_with_what_it_lacks(own_modules, place, problem) -> None:
    with pytest.raises(ValueError, match=problem):
        add_tasks([place])


def test_a_setting_that_names_no_task_stops_every_command_with_the_reason(tmp_path) -> None:
    said = {"TINYFLEET_COMPRESSION_TASKS": "nowhere_at_all:TASK", "TINYFLEET_VAR": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, **said, "DJANGO_SETTINGS_MODULE": "deploy.settings"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode != 0
    assert "TINYFLEET_COMPRESSION_TASKS: nowhere_at_all:TASK" in answer.stderr
