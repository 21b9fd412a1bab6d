"""When a device's stream has changed: a Page-Hinkley test over its labelled samples.

Page (1954), "Continuous inspection schemes"; the detector is river's. A device reports, per
telemetry pack, how many of how many labelled samples were right; the test runs over the single
samples, errors spread evenly within their pack, and watches for the error rate going up.

Chosen by experiment: packs of 10 to 20 samples, 300 seeds (150 for those marked *), accuracy 0.96
falling after four packs; the delay is median and 95th percentile in packs, "missed" is within 40
packs; false alarms are runs of 150 packs without any change that raised one, at accuracies 0.97,
0.9 and 0.8 (* 0.96, 0.85 and 0.7).

    detector                         to 0.5   to 0.65  to 0.8   missed at 0.8   false alarms
    Page-Hinkley as it stands here   2, 4     3, 5     7, 13    0 %             0, 0, 0 %
    same, without a reference        2, 5     4, 9     12, 29   53 %            0, 0, 0.7 %
    Page-Hinkley, fixed threshold *  2, 4     4, 11    12, 34   55 %            0, 2, 25 %
    ADWIN, delta 0.002 *             6, 20    13, 21   -        100 %           0, 0, 0 %
    HDDM_A *                         2, 4     4, 23    7, 26    97 %            0, 1.3, 2 %
    DDM *                            1, 1     1, 2     1, 5     0 %             69, 33, 17 %

Two things were added to the plain test. The threshold grows with the variance of the error rate
before the change, p(1-p), so a model that is often wrong is not suspected for its noise. And the
accuracy that the variant had in its evaluation counts as so many samples seen before, so a change
is noticed even four packs after the installation.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DETECTOR = "page_hinkley"
TOLERANCE = 0.05
"""A rise of the error rate that does not count (delta of the test)."""
THRESHOLD = 10.0
"""Of the accumulated excess over the tolerance, in samples (lambda of the test)."""
USUAL_VARIANCE = 0.08
"""The variance that the threshold holds for: an accuracy of about 0.91, and any better one."""
MIN_SAMPLES = 30
REFERENCE_SAMPLES = 400
WARM_UP_PACKS = 3

Pack = tuple[int, int]
"""(correct, labelled) of one telemetry pack."""


@dataclass(frozen=True, slots=True)
class DriftPoint:
    """A change: the pack in which it was noticed, the first pack that belongs to it.

    Accuracies are fractions over the labelled samples before the change and since it, up to the
    pack in which it was noticed.
    """

    noticed: int
    began: int
    accuracy_before: float
    accuracy_after: float


def detect(packs: Sequence[Pack], reference: float | None = None) -> DriftPoint | None:
    """The first change for the worse in packs that stand in the order in which they were measured.

    `reference` is the accuracy to be expected before any pack was seen, None where it is not known.
    Depends on its arguments alone: the same packs give the same answer, in any process.
    """
    past = [] if reference is None else [(round(reference * REFERENCE_SAMPLES), REFERENCE_SAMPLES)]
    test = _page_hinkley()(
        min_instances=MIN_SAMPLES,
        delta=TOLERANCE,
        threshold=THRESHOLD * _spread(past or packs[:WARM_UP_PACKS]),
        alpha=1.0,
        mode="up",
    )
    for pack in past:
        _alarms(test, pack)
    for number, pack in enumerate(packs):
        if _alarms(test, pack):
            return _point(packs[: number + 1], past)
    return None


def _alarms(test: Any, pack: Pack) -> bool:
    for error in _errors(*pack):
        test.update(error)
        if test.drift_detected:
            return True
    return False


def _errors(correct: int, labelled: int) -> Iterator[int]:
    """The pack's samples, 1 where wrong; a pack does not say which ones, so evenly spread."""
    wrong = labelled - correct
    for sample in range(labelled):
        yield (sample + 1) * wrong // labelled - sample * wrong // labelled


def _spread(packs: Sequence[Pack]) -> float:
    """How much noisier the error rate is than usual; never less than 1."""
    correct, labelled = _total(packs)
    rate = (labelled - correct + 0.5) / (labelled + 1)
    return max(1.0, rate * (1 - rate) / USUAL_VARIANCE)


def _point(packs: Sequence[Pack], past: Sequence[Pack]) -> DriftPoint:
    """Where the change is most likely to have begun: the split with the highest likelihood."""
    first = 0 if past else min(1, len(packs) - 1)
    began = max(range(first, len(packs)), key=lambda at: _likelihood(packs, past, at))
    return DriftPoint(
        noticed=len(packs) - 1,
        began=began,
        accuracy_before=_accuracy(packs[:began] or past or packs),
        accuracy_after=_accuracy(packs[began:]),
    )


def _likelihood(packs: Sequence[Pack], past: Sequence[Pack], at: int) -> float:
    return _log_likelihood([*past, *packs[:at]]) + _log_likelihood(packs[at:])


def _log_likelihood(packs: Sequence[Pack]) -> float:
    """Of Bernoulli samples at the rate that fits them best."""
    correct, labelled = _total(packs)
    counts = (correct, labelled - correct)
    return sum(count * math.log(count / labelled) for count in counts if count)


def _accuracy(packs: Sequence[Pack]) -> float:
    correct, labelled = _total(packs)
    return correct / labelled if labelled else 0.0


def _total(packs: Sequence[Pack]) -> Pack:
    return sum(correct for correct, _ in packs), sum(labelled for _, labelled in packs)


@cache
def _page_hinkley() -> Any:
    """river's class from its own file: `river.drift` imports data sets with pandas and sklearn,
    which would cost every scheduler 180 MB and four seconds."""
    package = importlib.util.find_spec("river")
    if package is None or not package.submodule_search_locations:
        raise ImportError("river is not installed")
    path = Path(package.submodule_search_locations[0]) / "drift" / "page_hinkley.py"
    spec = importlib.util.spec_from_file_location("river_page_hinkley", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PageHinkley
