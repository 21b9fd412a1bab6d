"""Inputs changed a little by chance, so that small data sets teach more than themselves."""

from __future__ import annotations

import torch

from orchestrator.compression.fitting import FitConfig, varied

_SHIFT = 5
_LOUDNESS = 0.1
_NOISE = 0.05
_JITTER = 0.02
_STRENGTH = 0.2
_TURNED = FitConfig(rotation_degrees=10.0, scale=0.1, shift_pixels=2.0, noise=0.02)


def spectra_varied(spectra: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(n, frames, ...) each said a little earlier or later (up to 5 frames), louder, in noise."""
    count = len(spectra)
    shifts = torch.randint(-_SHIFT, _SHIFT + 1, (count,), generator=generator)
    louder = _LOUDNESS * torch.randn((count,), generator=generator)
    noise = _NOISE * torch.randn(spectra.shape, generator=generator)
    moved = shifted(spectra, shifts)
    return moved + noise + _column(louder, moved)


def movements_varied(windows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(n, rows, axes) each a little earlier or later, stronger or weaker, with jitter."""
    count = len(windows)
    shifts = torch.randint(-_SHIFT, _SHIFT + 1, (count,), generator=generator)
    strength = 1 + _STRENGTH * (2 * torch.rand((count,), generator=generator) - 1)
    jitter = _JITTER * torch.randn(windows.shape, generator=generator)
    return shifted(windows, shifts) * _column(strength, windows) + jitter


def images_varied(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(n, side, side, channels), each slightly turned, enlarged and moved, then made noisy."""
    return varied(images, _TURNED, generator)


def readings_varied(windows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(n, readings, sensors): every sensor of every window a little off for as long as it lasts."""
    offset = torch.randn((len(windows), 1, windows.shape[2]), generator=generator)
    return windows + _LOUDNESS * offset


def shifted(windows: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Each of (n, rows, ...) by its own number of rows; the first or last row fills the gap."""
    rows = torch.arange(windows.shape[1]) + shifts[:, None]
    rows = rows.clamp(0, windows.shape[1] - 1)
    return windows[torch.arange(len(windows))[:, None], rows]


def _column(values: torch.Tensor, beside: torch.Tensor) -> torch.Tensor:
    return values.reshape(-1, *[1] * (beside.dim() - 1))
