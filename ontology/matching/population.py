"""Which devices share which profile, so that an answer about profiles becomes one about devices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ontology.matching.columns import Places, spans
from ontology.matching.outcomes import HOLDS

_DENSE = 8  # from one profile in so many, looking at every device is faster
_FEW_PROFILES = 512  # up to so many, copying run by run is faster than gathering by device


class Population:
    """Devices by profile: their numbers stand together, profile after profile.

    `profile_of` holds the place of each device's profile, -1 for one that has none; `devices` the
    device's own number. Both have shape (devices,); eight bytes a device are kept.
    """

    def __init__(
        self, profile_of: NDArray[np.int32], devices: NDArray[np.int64], profiles: int
    ) -> None:
        if not np.all(profile_of[1:] >= profile_of[:-1]):
            order = np.argsort(profile_of, kind="stable")
            profile_of, devices = profile_of[order], devices[order]
        places = np.arange(profiles + 1, dtype=np.int32)
        self.devices = devices
        self.starts: Places = np.searchsorted(profile_of, places)  # shape (profiles + 1,)

    def having(self, profiles: Places) -> NDArray[np.int64]:
        """The numbers of the devices that have one of these profiles, by place."""
        if len(profiles) * _DENSE > len(self.starts):
            chosen = np.zeros(len(self.starts) - 1, dtype=bool)
            chosen[profiles] = True
            described = self.devices[self.starts[0] : self.starts[-1]]
            having: NDArray[np.int64] = described[np.repeat(chosen, np.diff(self.starts))]
            return having
        if len(profiles) > _FEW_PROFILES:
            return self.devices[spans(self.starts[profiles], self.starts[profiles + 1])]
        ordered = np.sort(profiles)
        begins = np.flatnonzero(np.diff(ordered, prepend=-2) != 1)  # neighbours are one run
        ends = np.append(begins[1:], len(ordered))
        runs = [
            self.devices[self.starts[ordered[begin]] : self.starts[ordered[end - 1] + 1]]
            for begin, end in zip(begins, ends, strict=False)
        ]
        return np.concatenate(runs) if runs else self.devices[:0]

    def fitting_counts(self, outcomes: NDArray[np.int8]) -> NDArray[np.intp]:
        """How many devices each variant fits; outcomes: shape (variants, profiles)."""
        counts: NDArray[np.intp] = (outcomes == HOLDS) @ np.diff(self.starts)
        return counts
