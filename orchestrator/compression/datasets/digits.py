"""scikit-learn's handwritten digits, as they are and as larger colour images."""

from __future__ import annotations

from pathlib import Path

from orchestrator.compression.datasets.samples import DataSet, Samples, Split
from orchestrator.compression.digits import CLASSES, IMAGE_SHAPE, DigitImages, load_split


def load(folder: Path | None, seed: int) -> Split:
    """1,157 images of 8 x 8 to train, 100 to calibrate, 540 held out, stratified by digit."""
    parts = load_split(seed)
    return Split(_samples(parts.train), _samples(parts.calibration), _samples(parts.held_out))


DIGITS = DataSet(
    name="digits",
    shape=IMAGE_SHAPE,
    sensor={"kind": "camera", "rate_hz": None, "shape": list(IMAGE_SHAPE)},
    load=load,
    source="UCI, Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, 1998), "
    "in scikit-learn's package",
    licence="CC BY 4.0",
    held_out_by="image, stratified by digit",
    classes=CLASSES,
)


def _samples(part: DigitImages) -> Samples:
    return Samples(part.images, part.labels)
