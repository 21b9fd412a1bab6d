"""One learning task while it runs: how far it is and whether it helps."""

from __future__ import annotations

from dataclasses import dataclass

from device_firmware_sim.learning.tinyol import Floats, OnlineLayer
from orchestrator.protocol.messages import LearnTask

RECENT_SAMPLES = 64


class RecentAccuracy:
    """Accuracy over the last 64 labelled samples, in 8 bytes of RAM: one bit a sample."""

    def __init__(self) -> None:
        self._bits = 0
        self._count = 0

    def count(self, hit: bool) -> None:
        """One labelled sample."""
        self._bits = (self._bits << 1 | hit) & (1 << RECENT_SAMPLES) - 1
        self._count = min(self._count + 1, RECENT_SAMPLES)

    @property
    def fraction(self) -> float | None:
        """None before the first labelled sample."""
        return self._bits.bit_count() / self._count if self._count else None


@dataclass(slots=True)
class Session:
    """A task under way. Each sample is classified first and learnt from after (test, then train).

    The last quarter of the samples decides: `tail_hits` of the adapted layer against
    `tail_frozen_hits` of the network's own, on the same samples.
    """

    task: LearnTask
    layer: OnlineLayer
    accuracy_before: float | None
    learnt_before: int = 0
    samples: int = 0
    tail: int = 0
    tail_hits: int = 0
    tail_frozen_hits: int = 0

    def learn(self, features: Floats, label: int, frozen_hit: bool) -> bool:
        """Learn from one labelled sample; whether the layer was right before it did."""
        hit = self.layer.learn(features, label, self.task.learning_rate) == label
        self.samples += 1
        if 4 * self.samples > 3 * self.task.samples:
            self.tail += 1
            self.tail_hits += hit
            self.tail_frozen_hits += frozen_hit
        return hit

    @property
    def is_complete(self) -> bool:
        """Whether the task's samples are used up."""
        return self.samples >= self.task.samples

    @property
    def accuracy_after(self) -> float | None:
        """Of the adapted layer, over the last quarter."""
        return self.tail_hits / self.tail if self.tail else None

    @property
    def helps(self) -> bool:
        """Whether the adapted layer is sound and did at least as well as the network's own."""
        return self.layer.is_finite and self.tail_hits >= self.tail_frozen_hits
