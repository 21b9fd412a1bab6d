"""What cannot become an int8 file is refused in a sentence, by layer or by what was given."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from orchestrator.compression.conversion import ConversionError, convert_int8

pytestmark = pytest.mark.slow  # torch and litert-torch take ten seconds to load

SAMPLES = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)


class Does(nn.Module):
    """Whatever a function does with it."""

    def __init__(self, what: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.what = what

    def forward(this, inputs: torch.Tensor) -> Any:  # noqa: N805  # torch does not ask for `self`
        return this.what(inputs)


class Nested(nn.Module):
    """A layer of a layer of the network."""

    def __init__(self, what: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), Does(what))
        self.head = nn.Linear(8, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs))


def strange(tensor: torch.Tensor) -> torch.Tensor:
    """A function that is no layer."""
    return torch.linalg.eigvals(tensor.reshape(1, 8, 1) @ tensor.reshape(1, 1, 8)).real


def refused(network: nn.Module, samples: Any = SAMPLES) -> str:
    with pytest.raises(ConversionError) as error:
        convert_int8(network, samples)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("samples", "given"),
    [
        (SAMPLES.astype(np.float64), "an array of float64"),
        (np.ones((3, 8), np.int64), "an array of int64"),
        (SAMPLES.astype(object), "an array of object"),
        (torch.from_numpy(SAMPLES), "Tensor"),
        (SAMPLES.tolist(), "list"),
        (None, "NoneType"),
    ],
)
def test_images_are_an_array_of_float32(samples: Any, given: str) -> None:
    assert refused(nn.Linear(8, 2), samples).endswith(f"are an array of float32, not {given}")


def test_images_are_several() -> None:
    assert refused(nn.Linear(8, 2), SAMPLES[0]).endswith("are (n, ...), not (8,)")


def test_images_of_another_shape_are_refused_with_the_layer_that_they_do_not_suit() -> None:
    told = refused(nn.Sequential(nn.ReLU(), nn.Linear(8, 2)), SAMPLES[:, :5])
    assert re.search(r"does not take images of \(5,\): .*\(layer 1 \(Linear\)", told)


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (nn.Linear(8, 2).half(), "layer weight has weights of float16, not of float32"),
        (nn.Sequential(nn.Linear(8, 2, device="meta")), "layer 0.weight is on meta, not on the"),
        (Does(lambda inputs: {}["mine"]), "'mine' (the network (Does)"),
        (nn.Sequential(nn.ReLU(), Does(lambda inputs: None)), "answers with NoneType"),
    ],
)
def test_what_no_converter_is_asked_about(network: nn.Module, told: str) -> None:
    assert told in refused(network)


@pytest.mark.parametrize(
    ("what", "operator"),
    [
        (strange, "aten.linalg_eig"),
        (lambda inputs: inputs if inputs.sum() > 0 else -inputs, "in `return this.what(inputs)`"),
    ],
)
def test_a_layer_within_a_layer_is_named(capfd: Any, what: Callable, operator: str) -> None:
    assert f"layer body.1 (Does), operator {operator}" in refused(Nested(what))
    assert capfd.readouterr() == ("", "")


def test_an_operator_that_the_converter_knows_by_a_line_of_code_alone() -> None:
    network = nn.Sequential(nn.ReLU(), nn.Linear(8, 2))
    told = refused(network, SAMPLES[:, np.newaxis, np.newaxis])
    assert "layer 1 (Linear), operator tfl.batch_matmul: " in told
    assert "/" not in told


def test_answers_that_are_not_finite_are_refused_by_layer() -> None:
    network = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    network[1].running_var.fill_(-1.0)  # finite, and its root is not
    assert refused(network) == "layer 1 (BatchNorm1d) answers with values that are not finite"


def test_an_input_that_no_answer_depends_on_is_refused() -> None:
    assert refused(Does(lambda inputs: torch.zeros(1, 2))).endswith("input 0 stays float32")


def test_a_network_that_is_being_trained_is_taken_with_images_of_any_order_in_memory() -> None:
    network = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    backwards = SAMPLES[::-1, ::-1]
    assert convert_int8(network, backwards) == convert_int8(network, backwards.copy())
