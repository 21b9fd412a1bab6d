"""Handwritten digits: 1,797 real 8x8 images from scikit-learn's package, so nothing is fetched.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (CC BY 4.0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

IMAGE_SHAPE = (8, 8, 1)
CLASSES = 10
DATA_SOURCE = "scikit-learn handwritten digits (UCI optdigits, CC BY 4.0)"

_BRIGHTEST = 16.0
_HELD_OUT = 540
_CALIBRATION = 100


@dataclass(frozen=True, slots=True)
class DigitImages:
    """Images of shape (n, 8, 8, 1) with ink as 1 and paper as 0, and their labels 0 to 9."""

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class DigitSplit:
    """Three stratified parts that share no image.

    No weight and no int8 range is fitted to `held_out`: accuracies are stated on it.
    """

    train: DigitImages
    calibration: DigitImages
    held_out: DigitImages


def load_split(seed: int) -> DigitSplit:
    """The same seed always gives the same parts: 1,157 to train, 100 to calibrate, 540 held out."""
    source = load_digits()
    images = (source.images / _BRIGHTEST).astype(np.float32)[..., np.newaxis]
    everything = DigitImages(images, source.target.astype(np.int64))
    rest, held_out = _divide(everything, _HELD_OUT, seed)
    train, calibration = _divide(rest, _CALIBRATION, seed)
    return DigitSplit(train=train, calibration=calibration, held_out=held_out)


def _divide(part: DigitImages, taken: int, seed: int) -> tuple[DigitImages, DigitImages]:
    indices = np.arange(len(part))
    first, second = train_test_split(
        indices, test_size=taken, random_state=seed, stratify=part.labels
    )
    return (
        DigitImages(part.images[first], part.labels[first]),
        DigitImages(part.images[second], part.labels[second]),
    )
