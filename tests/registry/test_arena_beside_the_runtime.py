"""The model of TFLite Micro's arena against TFLite Micro itself, allocation by allocation.

Its Python package is built for 64-bit computers and with the reference kernels. The model is asked
about that machine: what it gets right there for every operator it gets right for the same reasons
on a 32-bit core, where only the structures' sizes differ. The package is skipped where there is
none for the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from registry.footprint.arena import ArenaPlan, predict_arena
from registry.footprint.kernels.table import MODELS
from registry.footprint.layout import HOST_64
from registry.formats.tflite import parse
from tests.registry.measured import all_models
from tests.registry.runtime.cases import Case
from tests.registry.runtime.comparison import asked_beside, difference
from tests.registry.runtime.peer import MISSING, is_installed
from tests.registry.runtime.random_graphs import random_networks
from tests.registry.runtime.sweep import operator_networks
from tests.seeds import drawn, sample

pytestmark = pytest.mark.skipif(not is_installed(), reason=MISSING)

SAMPLED = 250
GROWN = 60


def _differences(cases: Sequence[Case], folder: Path) -> dict[str, str]:
    """What differs, by the network's name."""
    compared = ((each.case.name, difference(each)) for each in asked_beside(cases, folder))
    return {name: found for name, found in compared if found}


def test_single_operators_allocate_what_is_predicted(tmp_path):
    cases = sample("networks of one operator", operator_networks(), SAMPLED)
    assert _differences(cases, tmp_path) == {}


def test_graphs_of_many_operators_allocate_what_is_predicted(tmp_path):
    cases = list(random_networks(drawn("graphs of many operators"), GROWN))
    assert _differences(cases, tmp_path) == {}


def test_real_networks_allocate_what_is_predicted(data_dir, tmp_path):
    cases = [Case(path.name, path.read_bytes) for path in all_models(data_dir)]
    assert _differences(cases, tmp_path) == {}


@pytest.mark.soak
def test_every_operator_in_every_type_and_a_thousand_graphs(tmp_path):
    cases = operator_networks()
    assert _differences(cases, tmp_path) == {}
    assert _differences(list(random_networks(drawn("many graphs"), 1000)), tmp_path) == {}


def test_the_sweep_runs_every_operator_that_is_modelled():
    """An operator whose networks all fail would prove nothing; control flow is in the graphs."""
    left = set(MODELS) - {"CALL_ONCE", "IF", "WHILE"}
    for case in operator_networks():
        if case.operator in left and _plan(case).arena_bytes is not None:
            left.remove(case.operator)
    assert left == set()


def test_a_wrong_size_would_be_seen(tmp_path):
    """The comparison can fail: a structure of 32 bytes more is found out."""
    larger = replace(HOST_64, runtime_objects=(*HOST_64.runtime_objects, "4P"))
    case = operator_networks()[0]
    found = asked_beside([case], tmp_path, larger)
    assert "persistent" in difference(found[0])


def _plan(case: Case) -> ArenaPlan:
    return predict_arena(parse(case.network), "reference", HOST_64)
