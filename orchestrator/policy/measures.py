"""What networks of a task are judged by, for people. More is better, and 1 is perfect."""

from __future__ import annotations

from collections.abc import Mapping

from ontology.facts import Metric

WORDS: Mapping[Metric, str] = {Metric.ACCURACY: "accuracy", Metric.AUC: "AUC", Metric.R2: "R2"}
"""Each of QUALITIES as it is written in a sentence."""
