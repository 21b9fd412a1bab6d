"""What it takes to train some layers of a network on the device, and which parts of them.

Lin et al., "On-Device Training Under 256KB Memory" (NeurIPS 2022), section 3.2: of the last layers
only the biases are trained, and of some of them the weights to a share of their input channels.
What is not trained needs no gradient, and no activation kept for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from registry.footprint.map_layers import MapLayer

_BIAS_BITS = 32  # a bias is trained in int32, as it is kept
_WEIGHT_BITS = 8
_ACTIVATION_BITS = 8
_MASK_BITS = 1  # for each output, whether its activation was clipped: no gradient passes there


@dataclass(frozen=True, slots=True)
class UpdateScheme:
    """Train the biases of the last `bias_layers` layers, and the weights of some of them.

    `weight_shares` gives for a layer, counted from 0, the share of its input channels whose weights
    are trained, above 0 and at most 1.
    """

    bias_layers: int
    weight_shares: Mapping[int, Fraction] = field(default_factory=dict)

    @classmethod
    def of_last(cls, count: int, layers: int) -> UpdateScheme:
        """Everything in the last `count` of so many layers."""
        return cls(count, dict.fromkeys(range(layers - count, layers), Fraction(1)))


@dataclass(frozen=True, slots=True)
class UpdateMemory:
    """What a scheme keeps for one sample on its way back; bits, since masks are bits."""

    mask_bits: int
    bias_bits: int
    activation_bits: Fraction
    weight_bits: Fraction

    @property
    def total_bytes(self) -> float:
        """All of it; a part of a byte can stand at the end of a mask."""
        bits = self.mask_bits + self.bias_bits + self.activation_bits + self.weight_bits
        return float(bits / 8)


def update_memory(layers: Sequence[MapLayer], scheme: UpdateScheme) -> UpdateMemory:
    """The memory of training by this scheme a chain of convolutions that a classifier follows.

    For each layer whose biases are trained its 32-bit biases and one mask bit for each output; for
    each whose weights are, 8 bits for each trained weight and for each input that it is trained on;
    and the classifier's input, one 8-bit value a channel of the last layer. Raises ValueError for a
    scheme that does not suit these layers.
    """
    _check(layers, scheme)
    trained = layers[len(layers) - scheme.bias_layers :]
    shares = [(layers[place], share) for place, share in scheme.weight_shares.items()]
    kept = sum((each.in_elements * share for each, share in shares), Fraction(0))
    weights = sum((each.weights * share for each, share in shares), Fraction(0))
    return UpdateMemory(
        mask_bits=_MASK_BITS * sum(each.out_elements for each in trained),
        bias_bits=_BIAS_BITS * sum(each.out_channels for each in trained),
        activation_bits=_ACTIVATION_BITS * (kept + layers[-1].out_channels),
        weight_bits=_WEIGHT_BITS * weights,
    )


def _check(layers: Sequence[MapLayer], scheme: UpdateScheme) -> None:
    if not layers or not 0 <= scheme.bias_layers <= len(layers):
        raise ValueError(f"of {len(layers)} layers the last {scheme.bias_layers} cannot be trained")
    for place, share in scheme.weight_shares.items():
        if not len(layers) - scheme.bias_layers <= place < len(layers):
            raise ValueError(f"the weights of layer {place} are trained, but not its biases")
        if not 0 < share <= 1:
            raise ValueError(f"the share of layer {place} is {share}, not above 0 and at most 1")
