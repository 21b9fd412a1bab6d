"""Eyes drawn here: each of many users looks somewhere, and no two users' eyes are alike.

The line of sight leaves an eye beside the axis through its pupil, by an angle that differs from
person to person and that no image shows (angle kappa, up to some degrees). A network that knows
everybody's eyes therefore errs by each user's own offset until it has seen a few of his images with
what he looked at. Gaze is (yaw, pitch) in units of 30 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ontology.facts import SensorNeed
from orchestrator.compression.datasets.samples import DataSet, Floats, Samples, Split

SHAPE = (32, 64, 3)
UNIT_DEGREES = 30.0

_TRAIN_USERS, _CALIBRATION_USERS, _HELD_OUT_USERS = 100, 6, 12
_TRAIN_IMAGES, _CALIBRATION_IMAGES, _HELD_OUT_IMAGES = 16, 16, 25
_MOST_YAW, _MOST_PITCH = 25.0, 15.0
_OFFSET_DEGREES = 4.0
_ROLL = 0.55  # how far the iris moves across the eye for a sine of one
_SOFTNESS = 0.04  # of edges: about the size of a pixel
_PIXEL_NOISE = 0.02
_MIDDLE, _BLINK = 0.06, 0.08  # deviations of the eye's middle and, as a share, of its opening
_BLACK, _GLINT = np.full(3, 0.03, np.float32), np.ones(3, np.float32)


@dataclass(frozen=True, slots=True)
class Users:
    """What stays the same in all images of a user; lengths in halves of the image's height."""

    offset_degrees: Floats  # (users, 2): yaw and pitch of sight beside the pupil's axis
    skin: Floats  # (users, 3), as are the next two, red, green, blue
    iris: Floats
    white: Floats
    opening: Floats  # (users, 1), as are the rest
    length: Floats
    iris_radius: Floats
    pupil_radius: Floats


def load(data: Path | None, seed: int) -> Split:
    """100 users to train on, 6 to calibrate, 12 held out, each with images of his own."""
    rng = np.random.default_rng(seed)
    train = drawn(_TRAIN_USERS, _TRAIN_IMAGES, rng)
    calibration = drawn(_CALIBRATION_USERS, _CALIBRATION_IMAGES, rng)
    held_out = drawn(_HELD_OUT_USERS, _HELD_OUT_IMAGES, rng)
    return Split(*(_together(users) for users in (train, calibration, held_out)))


def drawn(users: int, images: int, rng: np.random.Generator) -> list[Samples]:
    """So many images of each of so many users who were never seen before."""
    people = _people(users, rng)
    return [_images_of(people, place, images, rng) for place in range(users)]


def users_of(held_out: Samples) -> list[Samples]:
    """A held-out part by its users, in order."""
    ends = range(0, len(held_out), _HELD_OUT_IMAGES)
    return [held_out.part(slice(start, start + _HELD_OUT_IMAGES)) for start in ends]


def angular_error_degrees(answers: Floats, targets: Floats) -> float:
    """The mean angle between two sets of gaze (n, 2)."""
    cosines = (_directions(answers) * _directions(targets)).sum(1)
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean())


def _directions(gaze: Floats) -> npt.NDArray[np.float64]:
    yaw, pitch = np.radians(gaze.astype(np.float64) * UNIT_DEGREES).T
    return np.stack([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], 1)


def _together(parts: list[Samples]) -> Samples:
    return Samples(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.targets for part in parts]),
    )


def _people(count: int, rng: np.random.Generator) -> Users:
    def between(least: float, most: float, values: int = 1) -> Floats:
        return rng.uniform(least, most, (count, values)).astype(np.float32)

    tone = between(0.35, 0.95)
    return Users(
        offset_degrees=rng.normal(0, _OFFSET_DEGREES, (count, 2)).astype(np.float32),
        skin=tone * np.array([1.0, 0.8, 0.7], np.float32) * between(0.95, 1.05, 3),
        iris=between(0.1, 0.5, 3),
        white=between(0.85, 1.0, 3),
        opening=between(0.4, 0.7),
        length=between(1.0, 1.5),
        iris_radius=between(0.36, 0.46),
        pupil_radius=between(0.12, 0.2),
    )


def _images_of(people: Users, place: int, count: int, rng: np.random.Generator) -> Samples:
    most = np.array([_MOST_YAW, _MOST_PITCH])
    axis_degrees = rng.uniform(-most, most, (count, 2))
    gaze_degrees = axis_degrees + people.offset_degrees[place]
    images = _drawn_eyes(people, place, np.radians(axis_degrees), rng)
    return Samples(images, (gaze_degrees / UNIT_DEGREES).astype(np.float32))


def _drawn_eyes(
    people: Users, place: int, axis: npt.NDArray[np.float64], rng: np.random.Generator
) -> Floats:
    """(n, 32, 64, 3): skin, the white behind the lids, iris, pupil, a glint; light and noise."""
    across, down = (
        _grid(vertical) - _normal(rng, _MIDDLE, len(axis)) for vertical in (False, True)
    )
    opening = people.opening[place] * (1 + _normal(rng, _BLINK, len(axis)))
    inside = opening * (1 - (across / people.length[place]) ** 2) - np.abs(down)
    yaw, pitch = axis.T.astype(np.float32)[:, :, np.newaxis, np.newaxis]
    beside = across - _ROLL * np.sin(yaw) * np.cos(pitch)
    below = down + _ROLL * np.sin(pitch)
    away, glint = np.hypot(beside, below), np.hypot(beside - 0.1, below + 0.1)
    eye = _over(people.white[place], people.iris[place], people.iris_radius[place] - away)
    eye = _over(eye, _BLACK, people.pupil_radius[place] - away)
    eye = _over(eye, _GLINT, 0.06 - glint)
    return _lit(_over(people.skin[place], eye, inside), rng)


def _lit(images: Floats, rng: np.random.Generator) -> Floats:
    """In a light of some strength that falls off to one side, with a sensor's noise."""
    fall = _normal(rng, 0.1, len(images)) * _grid()
    light = rng.uniform(0.6, 1.0, (len(images), 1, 1)).astype(np.float32) + fall
    noise = _PIXEL_NOISE * rng.standard_normal(images.shape, np.float32)
    return np.clip(images * light[..., np.newaxis] + noise, 0, 1)


def _normal(rng: np.random.Generator, deviation: float, count: int) -> Floats:
    """(count, 1, 1): one value an image."""
    return rng.normal(0, deviation, (count, 1, 1)).astype(np.float32)


def _over(below: Floats, above: Floats, depth: Floats) -> Floats:
    """`above` where `depth` (n, h, w) inside its edge is positive, with a soft edge."""
    share = (1 / (1 + np.exp(-np.clip(depth / _SOFTNESS, -30, 30))))[..., np.newaxis]
    return np.asarray(below + (above - below) * share, np.float32)


def _grid(vertical: bool = False) -> Floats:
    """(1, 32, 64): each pixel's place; the image is two high and four wide."""
    height, width, _ = SHAPE
    rows, columns = np.meshgrid(
        np.linspace(-1, 1, height), np.linspace(-2, 2, width), indexing="ij"
    )
    return (rows if vertical else columns)[np.newaxis].astype(np.float32)


SYNTHETIC_EYES = DataSet(
    name="synthetic-eyes",
    shape=SHAPE,
    sensors=(SensorNeed("camera", shape=SHAPE),),
    load=load,
    source="drawn by the product",
    licence="none needed",
    held_out_by="user: eyes, colours and offset of their own",
)
