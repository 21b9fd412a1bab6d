"""Sound as a spectrum over time, in numpy alone: what a device computes before its network.

Mel bands are triangles, evenly spaced on the mel scale of O'Shaughnessy (1987) as HTK has it; the
cepstrum is the orthonormal DCT-II of their logarithms (Davis and Mermelstein, 1980).
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from orchestrator.compression.datasets.samples import Floats

_FLOOR = 1e-4  # of a sound of power 1: what is quieter is silence
_CENTRE, _SPREAD = -4.0, 5.0  # brings the logarithms of speech to about -1 to 1


@dataclass(frozen=True, slots=True)
class Frames:
    """How sound is cut: frames of `frame_s` seconds, one each `hop_s`, in `bands` mel bands."""

    rate_hz: int
    frame_s: float
    hop_s: float
    bands: int
    lowest_hz: float = 60.0

    @property
    def frame(self) -> int:
        """Samples in a frame."""
        return round(self.rate_hz * self.frame_s)

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return round(self.rate_hz * self.hop_s)

    @property
    def points(self) -> int:
        """Of the Fourier transform: the power of two that holds a frame."""
        return 1 << (self.frame - 1).bit_length()

    def count(self, samples: int) -> int:
        """Whole frames in so many samples."""
        return 1 + (samples - self.frame) // self.hop


def read_wav(path: Path, rate_hz: int) -> Floats:
    """The samples of a mono 16-bit WAV file, -1 to 1. ValueError for any other kind or rate."""
    with wave.open(str(path), "rb") as file:
        kind = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if kind != (1, 2, rate_hz):
            raise ValueError(f"{path.name} is (channels, bytes, Hz) {kind}, not (1, 2, {rate_hz})")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return (samples / 32768.0).astype(np.float32)


def centred(samples: Floats, length: int) -> Floats:
    """So many samples around the middle of the sound's energy, silence where there are none.

    All are scaled to a root mean square of 1 over the sound itself.
    """
    power = np.cumsum(samples.astype(np.float64) ** 2)
    middle = int(np.searchsorted(power, power[-1] / 2))
    cut = np.zeros(length, np.float32)
    start = middle - length // 2
    kept = samples[max(0, start) : start + length]
    cut[max(0, -start) : max(0, -start) + len(kept)] = kept
    return cut / np.float32(np.sqrt(power[-1] / len(samples)) + 1e-9)


def log_mel(samples: Floats, frames: Frames) -> Floats:
    """(count, bands) of the logarithm of each band's power, about -1 (silence) to 1."""
    starts = np.arange(frames.count(len(samples))) * frames.hop
    cut = samples[starts[:, np.newaxis] + np.arange(frames.frame)] * np.hanning(frames.frame)
    power = np.abs(np.fft.rfft(cut, frames.points)) ** 2 / frames.frame
    logs = np.log(power @ mel_bands(frames).T + _FLOOR)
    return np.asarray((logs - _CENTRE) / _SPREAD, np.float32)


def cepstrum(spectrum: Floats, coefficients: int) -> Floats:
    """The first so many coefficients of (..., bands), each divided so that none exceeds the bands.

    The zeroth is the mean of all bands.
    """
    bands = spectrum.shape[-1]
    angles = np.pi / bands * (np.arange(bands) + 0.5) * np.arange(coefficients)[:, np.newaxis]
    basis = np.cos(angles) / bands
    basis[1:] *= 2
    return np.asarray(spectrum @ basis.T, np.float32)


@lru_cache(maxsize=8)
def mel_bands(frames: Frames) -> Floats:
    """(bands, points // 2 + 1): the weight of each frequency in each band, every band's sum 1."""
    edges = np.linspace(_mel(frames.lowest_hz), _mel(frames.rate_hz / 2), frames.bands + 2)
    low, centre, high = (_hertz(edges)[i : i + frames.bands, np.newaxis] for i in range(3))
    frequencies = np.fft.rfftfreq(frames.points, 1 / frames.rate_hz)
    rising = (frequencies - low) / (centre - low)
    falling = (high - frequencies) / (high - centre)
    weights = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: np.ndarray) -> np.ndarray:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))
