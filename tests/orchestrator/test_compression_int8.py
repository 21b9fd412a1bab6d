"""Calibration where it is enough, training for int8 where it is not; the file is what is judged."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from orchestrator.compression.digits import load_split
from orchestrator.compression.evaluation import evaluate
from orchestrator.compression.fitting import FitConfig, fit, float_accuracy
from orchestrator.compression.methods.int8 import (
    Int8Config,
    RoundedInput,
    RoundedWeights,
    rounded_in_training,
)
from orchestrator.compression.networks import DigitNetwork
from registry.formats.tflite import parse
from tests.benchmarks.compression.int8 import (
    NETWORK,
    UNBALANCED_BY,
    put_out_of_balance,
    quantized,
)


def network() -> DigitNetwork:
    torch.manual_seed(0)
    return DigitNetwork(NETWORK)


@pytest.fixture(scope="module")
def trained() -> DigitNetwork:
    learnt = network()
    fit(learnt, load_split(0).train, FitConfig(epochs=15), 0)
    return learnt


def test_a_network_out_of_balance_is_trained_for_int8(trained: DigitNetwork) -> None:
    split = load_split(0)
    before = float_accuracy(trained, split.held_out)
    put_out_of_balance(trained, UNBALANCED_BY)
    weights = {name: value.clone() for name, value in trained.state_dict().items()}
    file = quantized(trained, split, epochs=8, seed=0)
    assert file.of_network == pytest.approx(before, abs=0.01)
    assert file.of_network - file.calibrated > 0.01
    assert file.trained is not None and file.trained > file.calibrated
    assert file.score == evaluate(file.data, split.held_out).accuracy
    graph = parse(file.data).main
    assert {graph.tensors[end].dtype for end in graph.inputs + graph.outputs} == {"INT8"}
    assert all(torch.equal(weights[name], value) for name, value in trained.state_dict().items())


def test_within_it_weights_have_few_values_and_afterwards_their_own() -> None:
    rounded = network()
    first = rounded.classifier.weight.detach().clone()
    names = set(rounded.state_dict())
    with rounded_in_training(rounded, Int8Config()):
        row = rounded.classifier.weight[0]
        steps = row / (first[0].abs().max() / 127)
        assert torch.allclose(steps, steps.round(), atol=1e-3)
        rounded(torch.rand(2, 8, 8, 1))[0].sum().backward()
    assert torch.equal(rounded.classifier.weight, first)
    assert set(rounded.state_dict()) == names
    assert all(weights.grad is not None for weights in rounded.parameters())
    assert not rounded.classifier._forward_pre_hooks


def test_what_fails_in_training_leaves_the_network_as_it_was() -> None:
    rounded = network()
    with pytest.raises(RuntimeError, match="power"), rounded_in_training(rounded, Int8Config()):
        raise RuntimeError("power")
    assert type(rounded.classifier) is nn.Linear


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_no_value_moves_by_more_than_half_a_step(seed: int, size: float) -> None:
    values = torch.randn(4, 9, generator=torch.Generator().manual_seed(seed)) * size
    (seen,) = RoundedInput(0.9)(nn.Identity(), (values,))
    step = (max(0.0, float(values.max())) - min(0.0, float(values.min()))) / 255
    assert (seen - values).abs().max() <= 1.01 * step
    weights = RoundedWeights()(values)
    steps = values.abs().amax(1, keepdim=True) / 127
    assert ((weights - values).abs() <= 0.51 * steps).all()
