"""The int8 file of a network: static by calibration, and trained for it where that costs too much.

Source: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018. Scales as in the TensorFlow Lite 8-bit quantization
specification: weights symmetric with one scale for each output channel, activations with one scale
and zero point for all. What is judged is the file, run by integer kernels, never the network.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
import torch
from torch import nn
from torch.nn.utils import parametrize

log = structlog.get_logger(__name__)

Convert = Callable[[nn.Module], bytes]
"""The int8 file of a network by calibration alone, such as `convert_int8` with its inputs."""
Train = Callable[[nn.Module], None]
"""Trains in place, from the weights that the network has."""
JudgeNetwork = Callable[[nn.Module], float]
JudgeFile = Callable[[bytes], float]
"""Both give an accuracy, or another score where more is better, on what nothing was fitted to."""

_WEIGHT_STEPS = 127
_LEAST_SCALE = 1e-8


@dataclass(frozen=True, slots=True)
class Int8Config:
    """`tolerance` is the accuracy that the file may lose before the network is trained for int8.

    `memory` is how much of an activation's known range stays with each batch in that training.
    """

    tolerance: float = 0.01
    memory: float = 0.9


@dataclass(frozen=True, slots=True)
class Int8File:
    """The better file. `trained` is None where calibration was enough; scores as judged."""

    data: bytes
    of_network: float
    calibrated: float
    trained: float | None

    @property
    def score(self) -> float:
        """The file's own."""
        return self.calibrated if self.trained is None else max(self.calibrated, self.trained)

    @property
    def is_trained(self) -> bool:
        """Whether the file that was kept is that of the network trained for int8."""
        return self.trained is not None and self.trained > self.calibrated


def to_int8(
    network: nn.Module,
    convert: Convert,
    train: Train,
    of_network: JudgeNetwork,
    of_file: JudgeFile,
    config: Int8Config = Int8Config(),
) -> Int8File:
    """Calibrate, and where that loses too much train a copy for int8; the argument stays as it is.

    Raises what `convert` and `train` raise.
    """
    data = convert(network)
    sought, calibrated = of_network(network), of_file(data)
    if sought - calibrated <= config.tolerance:
        return Int8File(data, sought, calibrated, None)
    log.info("quantization_costs_too_much", network=sought, file=calibrated)
    aware = copy.deepcopy(network)
    with rounded_in_training(aware, config):
        train(aware)
    retrained = convert(aware.eval())
    trained = of_file(retrained)
    return Int8File(retrained if trained > calibrated else data, sought, calibrated, trained)


@contextmanager
def rounded_in_training(network: nn.Module, config: Int8Config) -> Iterator[None]:
    """Within it, weights and what enters the layers are rounded as int8 would; gradients pass.

    The network's own weights stay floats, and nothing of this is left in it afterwards.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    hooks = []
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", RoundedWeights())
        hooks.append(layer.register_forward_pre_hook(RoundedInput(config.memory)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for layer in layers:
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)


class RoundedWeights(nn.Module):
    """Weights (outputs, ...) on the grid of their output's own scale, from -127 to 127."""

    def forward(self, weights: torch.Tensor) -> torch.Tensor:
        """Rounded; the gradient passes as if they were not."""
        largest = weights.detach().abs().flatten(1).amax(1)
        scales = (largest / _WEIGHT_STEPS).clamp(min=_LEAST_SCALE)
        zeros = torch.zeros_like(scales, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(
            weights, scales, zeros, 0, -_WEIGHT_STEPS, _WEIGHT_STEPS
        )


class RoundedInput:
    """What enters a layer, on a grid of 256 over the range that was seen so far, 0 included."""

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._range: tuple[float, float] | None = None

    def __call__(self, layer: nn.Module, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        low, high = self._seen(given[0].detach())
        scale = max((high - low) / 255, _LEAST_SCALE)
        zero = min(127, max(-128, round(-128 - low / scale)))
        return (torch.fake_quantize_per_tensor_affine(given[0], scale, zero, -128, 127),)

    def _seen(self, values: torch.Tensor) -> tuple[float, float]:
        low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
        if self._range is not None:
            kept, old = self._memory, self._range
            low, high = (kept * o + (1 - kept) * n for o, n in zip(old, (low, high), strict=True))
        self._range = low, high
        return self._range
