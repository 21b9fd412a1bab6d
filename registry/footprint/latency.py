"""How long one inference takes: instructions by kind of operator, and time on a core."""

from __future__ import annotations

from dataclasses import dataclass

from registry.formats.network import Network


@dataclass(frozen=True, slots=True)
class Estimate:
    """A derived figure with its relative error (0.25 is 25 %), or None where there is no basis."""

    value: float
    error: float | None


def predict_instructions(network: Network) -> Estimate | None:
    """Instructions of one inference on a Cortex-M4 with CMSIS-NN, where there is a basis."""
    return None
