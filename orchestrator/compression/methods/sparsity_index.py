"""How far a vector of weights is from having its mass evenly spread: the PQ Index.

Source: E. Diao et al., "Pruning Deep Neural Networks from a Sparsity Perspective", ICLR 2023,
definition 1 and theorem 2. Pure functions over weights of any shape, taken as one vector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

_CLEARLY = 0.1  # from round to round an index at rest wavers by a few per cent of itself


@dataclass(frozen=True, slots=True)
class Norms:
    """Which two norms are compared, and what mass may be neglected.

    `eta` is the share of the kept weights' p-th powers that those left out may reach together.
    """

    p: float = 0.5
    q: float = 1.0
    eta: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.p <= 1 or self.q <= self.p:
            raise ValueError(f"0 < p <= 1 and p < q are needed, not p {self.p} and q {self.q}")
        if self.eta < 0:
            raise ValueError(f"eta is a share of at least 0, not {self.eta}")


def pq_index(weights: torch.Tensor, norms: Norms) -> float:
    """I = 1 - d^(1/q - 1/p) ||w||_p / ||w||_q over the d weights.

    0 where all magnitudes are equal (all zero too), 1 - d^(1/q - 1/p) where one weight has it all.
    It does not depend on scale, nor on how often the whole vector is repeated. ValueError for no
    weights or for such as are not finite.
    """
    if weights.numel() == 0:
        raise ValueError("there are no weights to take an index of")
    magnitudes = weights.detach().flatten().abs().double()
    largest = float(magnitudes.max())
    if not math.isfinite(largest):
        raise ValueError("the weights are not all finite")
    if largest == 0:
        return 0.0
    magnitudes = magnitudes / largest  # so that no power over- or underflows
    of_p, of_q = (float((magnitudes**r).mean()) ** (1 / r) for r in (norms.p, norms.q))
    return max(0.0, 1 - of_p / of_q)


def fewest_kept(count: int, index: float, norms: Norms) -> int:
    """m = ceil(d (1 + eta)^(-q/(q-p)) (1 - I)^(pq/(q-p))): fewer cannot hold the mass.

    The lower bound of theorem 2: no set of fewer than m of the d weights has all but `eta` of the
    p-th powers' sum.
    """
    gap = norms.q - norms.p
    share = (1 + norms.eta) ** (-norms.q / gap) * (1 - index) ** (norms.p * norms.q / gap)
    return min(count, math.ceil(count * share - 1e-9 * count))


def turn(indices: Sequence[float]) -> int | None:
    """The first place where the index stands clearly above its lowest before; None if nowhere.

    The paper's hypothesis: while pruning regularizes, the index falls; where it rises, what can be
    left out has been, and the network begins to fit worse; then it collapses.
    """
    lowest = math.inf
    for place, index in enumerate(indices):
        if index > (1 + _CLEARLY) * lowest:
            return place
        lowest = min(lowest, index)
    return None
