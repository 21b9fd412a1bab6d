"""Training of a digit network, the same to the bit for the same seed on the same machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from orchestrator.compression.digits import DigitImages
from orchestrator.compression.soft_targets import SoftTargets

EpochHook = Callable[[float], None]
"""Called after each epoch with the share of epochs done; may raise to stop the training."""

# Networks this small spend their time in calls, not in sums. On two cores shared with other
# processes two threads wait for each other at every layer: 55 s where one thread took 3.4 s.
_THREADS = 1


@dataclass(frozen=True, slots=True)
class FitConfig:
    """AdamW with a one-cycle learning rate, on images that are slightly moved and noisy.

    `noise` is a standard deviation in units of full ink, `rotation_degrees`, `scale` (a fraction)
    and `shift_pixels` are the largest of uniform distortions; `label_smoothing` is a fraction.
    """

    epochs: int = 30
    learning_rate: float = 4e-3
    batch_size: int = 64
    weight_decay: float = 1e-4
    label_smoothing: float = 0.1
    noise: float = 0.1
    rotation_degrees: float = 5.0
    scale: float = 0.05
    shift_pixels: float = 0.2


def fit(
    network: nn.Module,
    data: DigitImages,
    config: FitConfig,
    seed: int,
    on_epoch: EpochHook = lambda share: None,
    soft: SoftTargets | None = None,
) -> None:
    """Train in place and leave the network in evaluation mode. `data` is not changed.

    With `soft` it also learns from a teacher's answers, which is in evaluation mode.
    """
    torch.set_num_threads(_THREADS)
    generator = torch.Generator().manual_seed(seed)
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    steps = config.epochs * math.ceil(len(data) / config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=steps
    )
    loss_of = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
    # Channels last is a third faster on a CPU; torch's annotations do not know the argument.
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for epoch in range(config.epochs):
        for batch, wanted in _batches(images, labels, config, generator):
            logits = network(batch)[0]
            loss = loss_of(logits, wanted)
            if soft is not None:
                loss = soft.blend(loss, batch, logits)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        on_epoch((epoch + 1) / config.epochs)
    network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def float_accuracy(network: nn.Module, data: DigitImages) -> float:
    """The share that the network gets right before it is quantized, as a fraction."""
    with torch.no_grad():
        said = network(torch.from_numpy(data.images))[0].argmax(1)
    return float((said == torch.from_numpy(data.labels)).float().mean())


def seeded(seed: int) -> None:
    """Fix torch's own generator, from which new layers draw their weights."""
    torch.manual_seed(seed)


def _batches(
    images: torch.Tensor, labels: torch.Tensor, config: FitConfig, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    order = torch.randperm(len(labels), generator=generator)
    images, labels = varied(images[order], config, generator), labels[order]
    yield from zip(images.split(config.batch_size), labels.split(config.batch_size), strict=True)


def varied(images: torch.Tensor, config: FitConfig, generator: torch.Generator) -> torch.Tensor:
    """Images (n, side, side, 1), each moved and made noisy by a chance of its own."""
    moved = _distorted(images, config, generator)
    return moved + config.noise * torch.randn(moved.shape, generator=generator)


def _distorted(images: torch.Tensor, config: FitConfig, generator: torch.Generator) -> torch.Tensor:
    """Each of (n, side, side, 1) rotated, scaled and shifted by a chance of its own."""
    count, side = images.shape[:2]

    def chance(most: float) -> torch.Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * most

    angle, scale = chance(math.radians(config.rotation_degrees)), 1 + chance(config.scale)
    across, down = (chance(2 * config.shift_pixels / side) for _ in range(2))
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    rows = (torch.stack([cosine, -sine, across], 1), torch.stack([sine, cosine, down], 1))
    grid = nn.functional.affine_grid(
        torch.stack(rows, 1), [count, 1, side, side], align_corners=False
    )
    moved = nn.functional.grid_sample(images.permute(0, 3, 1, 2), grid, align_corners=False)
    return moved.permute(0, 2, 3, 1)
