"""What can happen to a stream of digits: real transforms of real images, and relabelling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from orchestrator.compression.digits import CLASSES, DigitImages, Images

Drift = Callable[[DigitImages], DigitImages]

_PERMUTATION_SEED = 1


def _seen(change: Callable[[Images], Images]) -> Drift:
    def drift(data: DigitImages) -> DigitImages:
        images = np.clip(change(data.images), 0, 1).astype(np.float32)
        return replace(data, images=np.ascontiguousarray(images))

    return drift


def _darkened(left: float) -> Drift:
    """That share of the light is left: a lamp fails, a lens is covered with dust."""
    return _seen(lambda images: images * np.float32(left))


def _neighbourhood(images: Images) -> Images:
    """(9, n, side, side, 1): each pixel and the eight around it, paper outside."""
    side = images.shape[1]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [(row, column) for row in range(3) for column in range(3)]
    return np.stack([padded[:, r : r + side, c : c + side] for r, c in shifts])


def _slanted(images: Images) -> Images:
    """Each row moved in proportion to its height: a hand that leans by 45 degrees."""
    middle = (images.shape[1] - 1) / 2
    rows = range(images.shape[1])
    moved = [np.roll(images[:, row], round(middle - row), axis=1) for row in rows]
    return np.stack(moved, axis=1)


def _half_inverted(images: Images) -> Images:
    """The left half is lit from behind."""
    half = images.shape[2] // 2
    return np.concatenate([1 - images[:, :, :half], images[:, :, half:]], axis=2)


def _permuted(data: DigitImages) -> DigitImages:
    names = np.random.default_rng(_PERMUTATION_SEED).permutation(CLASSES)
    return replace(data, labels=names[data.labels])


DRIFTS: Mapping[str, Drift] = {
    "darken_to_fifth": _darkened(0.2),
    "darken_to_tenth": _darkened(0.1),
    "fog": _seen(lambda images: np.float32(0.375) + images / np.float32(4)),
    "invert": _seen(lambda images: 1 - images),
    "half_inverted": _seen(_half_inverted),
    "slant": _seen(_slanted),
    "transpose": _seen(lambda images: images.transpose(0, 2, 1, 3)),
    "rotate90": _seen(lambda images: np.rot90(images, axes=(1, 2))),
    "thicken": _seen(lambda images: _neighbourhood(images).max(0)),
    "permuted_labels": _permuted,
}
"""Every drift by name; each leaves its argument as it was."""
