"""What makes one network better than another on a device, as a number."""

from __future__ import annotations

from dataclasses import dataclass

from ontology.facts import Capacity, Metric, Need, Verdict
from ontology.matching.figures import accuracy_of
from ontology.matching.pace import figure_for
from ontology.matching.ranking import LatencyTarget, Weights, reward, weighted_merit


@dataclass(frozen=True, slots=True)
class Ranking:
    """What counts: the reward for a latency target, or the asker's weights, or else accuracy."""

    weights: Weights | None = None
    target: LatencyTarget | None = None


def merit_of(need: Need, capacity: Capacity, verdict: Verdict, ranking: Ranking) -> float | None:
    """The merit of one variant on one profile; None where a figure that counts is not known."""
    accuracy = accuracy_of(need)
    if ranking.target is not None:
        latency = figure_for(need, capacity, Metric.LATENCY_MS)
        return reward(accuracy, latency.value if latency else None, ranking.target)
    if ranking.weights is not None:
        return weighted_merit(verdict, accuracy, ranking.weights)
    return accuracy
