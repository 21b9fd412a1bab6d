"""What a choice among many is worth on samples that it was not made by.

The best of many candidates is flattered by the samples that made it the best. So these are halved,
at random and again and again: one half chooses, the other judges (two-fold, repeated, after
T. Dietterich, "Approximate Statistical Tests for Comparing Supervised Classification Learning
Algorithms", 1998, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Rights = npt.NDArray[np.bool_]
"""Of one candidate, which samples it gets right: (samples,)."""

HALVINGS = 500


def judged_apart(candidates: Sequence[Rights], seed: int = 0) -> tuple[float, float]:
    """The mean accuracy of the chosen one on the halves that chose it, and on the others.

    Of equally good candidates the first is chosen.
    """
    rights = np.stack(candidates)
    rng = np.random.default_rng(seed)
    pairs = [_halved(rights, rng.permutation(rights.shape[1])) for _ in range(HALVINGS)]
    chosen_by, judged_by = np.mean(pairs, axis=0)
    return float(chosen_by), float(judged_by)


def _halved(rights: Rights, order: npt.NDArray[np.int64]) -> tuple[float, float]:
    choosing, judging = np.array_split(order, 2)
    best = int(rights[:, choosing].mean(1).argmax())
    return float(rights[best, choosing].mean()), float(rights[best, judging].mean())
