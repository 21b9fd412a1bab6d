"""scikit-learn's handwritten digits, as they are and as larger colour images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ontology.facts import SensorNeed
from orchestrator.compression.datasets.samples import DataSet, Samples, Split
from orchestrator.compression.digits import CLASSES, IMAGE_SHAPE, DigitImages, load_split

COLOUR_SHAPE = (32, 32, 3)

_FAINTEST_INK = 0.5
_SOURCE = (
    "UCI, Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, 1998), "
    "in scikit-learn's package"
)


def load(folder: Path | None, seed: int) -> Split:
    """1,157 images of 8 x 8 to train, 100 to calibrate, 540 held out, stratified by digit."""
    parts = load_split(seed)
    return Split(_samples(parts.train), _samples(parts.calibration), _samples(parts.held_out))


def load_in_colour(folder: Path | None, seed: int) -> Split:
    """The same parts, each image enlarged to 32 x 32 and given the ink of a pen, which varies."""
    split = load(folder, seed)
    rng = np.random.default_rng(seed)
    return Split(
        *(_coloured(part, rng) for part in (split.train, split.calibration, split.held_out))
    )


def _coloured(samples: Samples, rng: np.random.Generator) -> Samples:
    """Bilinear, (n, 32, 32, 3): each channel of an image has its own share of the ink."""
    images = torch.from_numpy(samples.inputs).permute(0, 3, 1, 2)
    larger = nn.functional.interpolate(images, COLOUR_SHAPE[:2], mode="bilinear")
    ink = rng.uniform(_FAINTEST_INK, 1, (len(samples), 1, 1, COLOUR_SHAPE[2])).astype(np.float32)
    return Samples(larger.permute(0, 2, 3, 1).numpy() * ink, samples.targets)


DIGITS = DataSet(
    name="digits",
    shape=IMAGE_SHAPE,
    sensors=(SensorNeed("camera", shape=IMAGE_SHAPE),),
    load=load,
    source=_SOURCE,
    licence="CC BY 4.0",
    held_out_by="image, stratified by digit",
    classes=CLASSES,
)

COLOUR_DIGITS = DataSet(
    name="colour-digits",
    shape=COLOUR_SHAPE,
    sensors=(SensorNeed("camera", shape=COLOUR_SHAPE),),
    load=load_in_colour,
    source=f"{_SOURCE}, enlarged and coloured",
    licence="CC BY 4.0",
    held_out_by="image, stratified by digit",
    classes=CLASSES,
)


def _samples(part: DigitImages) -> Samples:
    return Samples(part.images, part.labels)
