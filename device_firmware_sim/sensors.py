"""What a device senses: its own walk through a shared stream, in shared surroundings.

The stream is a set of recorded samples with labels. The surroundings (`World`) change what every
device sees, at once and while it runs: that is drift, by real image transforms and relabelling.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Transform = Callable[[Floats, float], Floats]


class StreamError(ValueError):
    """A stream file or a world file that cannot be used; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Recorded samples: `images` (N, height, width, 1) in 0..1, `labels` (N,), -1 where unknown."""

    images: Floats
    labels: NDArray[np.int64]

    @property
    def classes(self) -> int:
        """How many classes the labels name."""
        return int(self.labels.max()) + 1


def load_stream(path: Path) -> Stream:
    """A stream from an .npz with `images` (N, H, W) or (N, H, W, 1) and `labels` (N,)."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images = np.asarray(arrays["images"], np.float32)
            labels = np.asarray(arrays["labels"], np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise StreamError(f"{path} is no .npz with images and labels: {error}") from error
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or len(images) == 0 or labels.shape != images.shape[:1]:
        raise StreamError(f"{path}: images {images.shape} and labels {labels.shape} do not match")
    if not np.isfinite(images).all() or images.min() < 0 or images.max() > 1:
        raise StreamError(f"{path}: images must lie between 0 and 1")
    return Stream(images, labels)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How the world looks: a transform with its strength in 0..1, and what the classes are called.

    `permute_labels` is the seed of a permutation of the classes; None leaves them.
    """

    transform: str = "identity"
    strength: float = 1.0
    permute_labels: int | None = None

    def look(self, image: Floats) -> Floats:
        """The image (height, width, channels) as a device sees it, in 0..1."""
        seen = TRANSFORMS[self.transform](image, self.strength)
        return np.clip(seen, 0, 1).astype(np.float32)

    def called(self, label: int, classes: int) -> int:
        """What a class is called now."""
        if self.permute_labels is None:
            return label
        return _permutation(self.permute_labels, classes)[label]


class World:
    """The surroundings in a file, read again when the file changes; without one, nothing drifts."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._changed_ns: int | None = None
        self.now = Surroundings()

    def refresh(self) -> Surroundings:
        """The surroundings as the file says. A file that is not there means no transform.

        StreamError where its content is wrong; what was last read then stays.
        """
        changed_ns = self._modified_ns()
        if changed_ns != self._changed_ns:
            self._changed_ns = changed_ns
            self.now = Surroundings() if changed_ns is None else self._read()
        return self.now

    def _modified_ns(self) -> int | None:
        if self._path is None:
            return None
        try:
            return self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def _read(self) -> Surroundings:
        assert self._path is not None
        try:
            members = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise StreamError(f"{self._path} is no JSON: {error}") from error
        return _surroundings(members, str(self._path))


class Camera:
    """One device's walk through the stream: every sample once in its own order, then again."""

    def __init__(self, stream: Stream, world: World, seed: int) -> None:
        self._stream = stream
        self._world = world
        self._random = np.random.default_rng(seed)
        self._order = self._random.permutation(len(stream.images)).astype(np.int32)
        self._position = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: height, width, channels."""
        return self._stream.images.shape[1:]

    def sense(self) -> tuple[Floats, int | None]:
        """The next sample as the world shows it, and its label where one is known."""
        index = self._next()
        label = int(self._stream.labels[index])
        surroundings = self._world.now
        if label >= 0:
            label = surroundings.called(label, self._stream.classes)
        return surroundings.look(self._stream.images[index]), label if label >= 0 else None

    def _next(self) -> int:
        if self._position == len(self._order):
            self._random.shuffle(self._order)
            self._position = 0
        self._position += 1
        return int(self._order[self._position - 1])


@functools.lru_cache(maxsize=8)
def _permutation(seed: int, classes: int) -> list[int]:
    names: list[int] = np.random.default_rng(seed).permutation(classes).tolist()
    return names


def _surroundings(members: Any, where: str) -> Surroundings:
    if not isinstance(members, dict):
        raise StreamError(f"{where}: must be an object")
    transform = members.get("transform", "identity")
    strength = members.get("strength", 1.0)
    seed = members.get("permute_labels")
    if transform not in TRANSFORMS:
        raise StreamError(f"{where}: transform {transform!r} is none of {', '.join(TRANSFORMS)}")
    if isinstance(strength, bool) or not isinstance(strength, int | float):
        raise StreamError(f"{where}: strength {strength!r} is no number")
    if not 0 <= strength <= 1:
        raise StreamError(f"{where}: strength {strength} is not between 0 and 1")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise StreamError(f"{where}: permute_labels must be a seed of 0 or more, or null")
    return Surroundings(transform, float(strength), seed)


def _blended(change: Callable[[Floats], Floats]) -> Transform:
    """A change without a middle, faded in: (1 - strength) of the image, strength of its change."""

    def transform(image: Floats, strength: float) -> Floats:
        return (1 - strength) * image + strength * change(image)

    return transform


def _darken(image: Floats, strength: float) -> Floats:
    """Less light: at full strength a fifth of it."""
    return image * (1 - 0.8 * strength)


def _contrast(image: Floats, strength: float) -> Floats:
    """Fog: towards mid-grey, at full strength a quarter of the contrast."""
    return 0.5 + (image - 0.5) * (1 - 0.75 * strength)


def _shift(image: Floats, strength: float) -> Floats:
    """To the right by up to a quarter of the width; what leaves on one side is lost."""
    pixels = round(strength * image.shape[1] / 4)
    return np.pad(image, ((0, 0), (pixels, 0), (0, 0)))[:, : image.shape[1]]


def _slant(image: Floats, strength: float) -> Floats:
    """Another hand: each row moved in proportion to its height, at full strength by 45 degrees."""
    rows = image.shape[0]
    moved = [
        np.roll(image[row], round(strength * ((rows - 1) / 2 - row)), axis=0) for row in range(rows)
    ]
    return np.stack(moved)


def _neighbours(image: Floats) -> Floats:
    """The nine pixels around each pixel: (9, height, width, channels), zeros outside."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    height, width = image.shape[:2]
    return np.stack([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)])


def _sample_noise(image: Floats, strength: float) -> Floats:
    """Sensor noise of standard deviation up to 0.3, the same for the same image."""
    seed = int(np.ascontiguousarray(image, np.float32).view(np.uint32).sum(dtype=np.uint64))
    noise = np.random.default_rng(seed).normal(0, 0.3 * strength, image.shape)
    return image + noise.astype(np.float32)


TRANSFORMS: Mapping[str, Transform] = {
    "identity": lambda image, _: image,
    "invert": _blended(lambda image: 1 - image),
    "rotate90": _blended(lambda image: np.rot90(image)),
    "rotate180": _blended(lambda image: np.rot90(image, 2)),
    "transpose": _blended(lambda image: image.transpose(1, 0, 2)),
    "mirror": _blended(lambda image: image[:, ::-1]),
    "blur": _blended(lambda image: _neighbours(image).mean(0)),
    "thicken": _blended(lambda image: _neighbours(image).max(0)),
    "thin": _blended(lambda image: _neighbours(image).min(0)),
    "darken": _darken,
    "fog": _contrast,
    "shift": _shift,
    "slant": _slant,
    "noise": _sample_noise,
}
"""Every transform by its name in the world file; each takes a strength in 0..1."""
