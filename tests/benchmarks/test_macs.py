"""MACs that are counted from a file beside those that torch counts while the same network runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from orchestrator.compression.quiet import quiet
from orchestrator.compression.zoo.entries import ZOO
from registry.footprint.description import describe

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

_IMAGE = (1, 8, 20, 20)
# Layers of which the shapes say less than they seem to.
_LAYERS: dict[str, nn.Module] = {
    "strided": nn.Conv2d(8, 16, 5, stride=2, padding=2),
    "dilated": nn.Conv2d(8, 16, 3, dilation=3),
    "depthwise": nn.Conv2d(8, 8, 3, groups=8),
    "depthwise with multiplier": nn.Conv2d(8, 24, 3, groups=8),
}


def test_macs_beside_torch(tmp_path: Path, record: Callable[..., None]) -> None:
    networks = {name: (entry.build(1.0), (1, *entry.data.shape)) for name, entry in ZOO.items()}
    networks |= {name: (layer, _IMAGE) for name, layer in _LAYERS.items()}
    ratios = {
        name: counted(network, shape, tmp_path) / beside(network, shape)
        for name, (network, shape) in networks.items()
    }
    record(
        networks=len(ratios),
        lowest_ratio=min(ratios.values()),
        highest_ratio=max(ratios.values()),
        **{f"ratio {name}": ratio for name, ratio in ratios.items()},
    )
    assert set(ratios.values()) == {1.0}, ratios


def counted(network: nn.Module, shape: tuple[int, ...], folder: Path) -> int:
    """By this product, from the converted file."""
    path = folder / "float.tflite"
    with quiet():
        import litert_torch  # takes seconds, and talks

        litert_torch.convert(network.eval(), (torch.zeros(shape),)).export(str(path))
    macs = describe(path.read_bytes()).macs
    assert macs is not None
    return macs


def beside(network: nn.Module, shape: tuple[int, ...]) -> float:
    """By torch, which counts two operations for a product that is added up."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(torch.zeros(shape))
    return counter.get_total_flops() / 2
