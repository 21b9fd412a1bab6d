"""The Free Spoken Digit Dataset: 3,000 recordings of ten English digits by six speakers, 8 kHz.

As its authors divide it, recordings 0 to 4 of each digit and speaker are held out (300 of them). A
second division holds out a speaker: nothing of that voice is trained on, which is far harder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ontology.facts import SensorNeed
from orchestrator.compression.datasets.samples import (
    DataMissing,
    DataSet,
    Floats,
    Samples,
    Split,
    divide,
    folder_of,
)
from orchestrator.compression.datasets.sound import Frames, centred, cepstrum, log_mel, read_wav

RATE_HZ = 8000
FRAMES = Frames(rate_hz=RATE_HZ, frame_s=0.040, hop_s=0.020, bands=20)
COUNT = FRAMES.count(RATE_HZ)
COEFFICIENTS = 10
CLASSES = 10

_ADDRESS = "https://github.com/Jakobovski/free-spoken-digit-dataset"
_FOLDER = "fsdd"
_HELD_OUT_RECORDINGS = 5
_CALIBRATION = 100

Features = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Recordings:
    """One row a recording: its log-mel spectrum (n, 49, 20), digit, speaker's place, number."""

    spectra: Floats
    digits: npt.NDArray[np.int64]
    speakers: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]


def as_log_mel(spectra: Floats) -> Floats:
    """(n, 49, 20): twenty bands a frame."""
    return spectra


def as_cepstrum(spectra: Floats) -> Floats:
    """(n, 49, 10, 1): ten coefficients a frame, as an image of one channel."""
    return cepstrum(spectra, COEFFICIENTS)[..., np.newaxis]


def by_recording(features: Features) -> Callable[[Path | None, int], Split]:
    """A loader whose held-out recordings are those numbered 0 to 4; the seed only calibrates."""

    def load(data: Path | None, seed: int) -> Split:
        recordings = _recordings(folder_of(data, _FOLDER, _ADDRESS))
        return _split(recordings, recordings.numbers < _HELD_OUT_RECORDINGS, features, seed)

    return load


def by_speaker(features: Features) -> Callable[[Path | None, int], Split]:
    """A loader that holds out every recording of one speaker, whom the seed chooses in turn."""

    def load(data: Path | None, seed: int) -> Split:
        recordings = _recordings(folder_of(data, _FOLDER, _ADDRESS))
        speaker = seed % (1 + recordings.speakers.max())
        return _split(recordings, recordings.speakers == speaker, features, seed)

    return load


@lru_cache(maxsize=2)
def _recordings(folder: Path) -> Recordings:
    paths = sorted((folder / "recordings").glob("*_*_*.wav"))
    if not paths:
        raise DataMissing(f"{folder / 'recordings'} holds no DIGIT_SPEAKER_NUMBER.wav")
    names = [path.stem.split("_") for path in paths]
    people = sorted({speaker for _, speaker, _ in names})
    spectra = [log_mel(centred(read_wav(path, RATE_HZ), RATE_HZ), FRAMES) for path in paths]
    return Recordings(
        np.stack(spectra),
        np.array([int(digit) for digit, _, _ in names], np.int64),
        np.array([people.index(speaker) for _, speaker, _ in names], np.int64),
        np.array([int(number) for _, _, number in names], np.int64),
    )


def _split(
    recordings: Recordings, held_out: npt.NDArray[np.bool_], features: Features, seed: int
) -> Split:
    everything = Samples(features(recordings.spectra), recordings.digits)
    train, calibration = divide(everything.part(~held_out), _CALIBRATION, seed)
    return Split(train, calibration, everything.part(held_out))


def _data_set(name: str, shape: tuple[int, ...], features: Features) -> DataSet:
    return DataSet(
        name=name,
        shape=shape,
        sensors=(SensorNeed("microphone", RATE_HZ),),
        load=by_recording(features),
        source=f"Free Spoken Digit Dataset (Z. Jackson et al.), {_ADDRESS}",
        licence="CC BY-SA 4.0",
        held_out_by="recording: numbers 0 to 4 of each digit and speaker",
        classes=CLASSES,
        folder=_FOLDER,
    )


SPOKEN_DIGITS_LOG_MEL = _data_set("spoken-digits-log-mel", (COUNT, FRAMES.bands), as_log_mel)
SPOKEN_DIGITS_CEPSTRUM = _data_set("spoken-digits-cepstrum", (COUNT, COEFFICIENTS, 1), as_cepstrum)
