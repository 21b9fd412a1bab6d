"""Every network of the zoo: its size, what it answers, and that it learns and becomes int8."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from orchestrator.compression.zoo.entries import ZOO, zoo_entry
from orchestrator.compression.zoo.entry import parameters
from orchestrator.compression.zoo.training import answer_of

pytestmark = pytest.mark.slow  # torch takes seconds to load

EACH = pytest.mark.parametrize("name", ZOO)


@pytest.fixture(autouse=True)
def one_thread():
    """Beside other work, two would wait for each other at every layer."""
    torch.set_num_threads(1)


def some_inputs(name: str, count: int = 4) -> torch.Tensor:
    drawn = np.random.default_rng(0).random((count, *ZOO[name].data.shape), np.float32)
    return torch.from_numpy(drawn)


@EACH
def test_it_answers_each_input_and_gives_features_where_it_learns(name: str):
    output = ZOO[name].build(1.0).eval()(some_inputs(name))
    assert len(output) == (2 if ZOO[name].learns else 1)
    assert {len(each) for each in output} == {4}
    assert all(torch.isfinite(each).all() for each in output)
    if ZOO[name].data.classes:
        assert output[0].shape == (4, ZOO[name].data.classes)


@EACH
def test_every_weight_gets_a_gradient(name: str):
    network = ZOO[name].build(1.0).train()
    answer_of(network(some_inputs(name))).square().mean().backward()
    without = [key for key, weights in network.named_parameters() if weights.grad is None]
    assert without == []


@EACH
def test_a_narrower_one_is_smaller(name: str):
    sizes = [parameters(ZOO[name].build(width)) for width in (0.5, 1.0, 1.5)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(("name", "count"), [("sine", 1_153), ("cct-2-3x2", 283_723)])
def test_it_is_as_large_as_its_source_says(name: str, count: int):
    assert parameters(ZOO[name].build(1.0)) == count


def test_the_tiny_transformer_is_tiny():
    assert parameters(ZOO["tiny-transformer"].build(1.0)) <= 6_500


def test_an_unknown_name_is_answered_with_those_that_there_are():
    with pytest.raises(ValueError, match="no network 'resnet' in the zoo; there are .*digit-cnn"):
        zoo_entry("resnet")
