"""How much of a drift's cost does an online last layer regain, on the int8 files themselves?

    python -m orchestrator.compression.experiments.online_adaptation --seeds 10 11 12

For each seed the family is trained afresh. The held-out images are divided: the device learns from
the first samples, one at a time, and is judged on others, which neither network nor layer has seen.
Two rules get the same learning rates: plain SGD (TinyOL, Ren et al. 2021, without its
standardisation) and SGD in features standardised by a running mean and one running variance, which
is what devices do. Nothing is selected: every cell goes into the JSON file, losses too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from orchestrator.compression.digits import CLASSES, DigitImages, load_split
from orchestrator.compression.evaluation import Int8Classifier
from orchestrator.compression.experiments.drifts import DRIFTS
from orchestrator.compression.experiments.table import print_losses, print_table
from orchestrator.compression.family import build_family, digit_family
from orchestrator.compression.last_layer import last_layer

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

LEARNING_RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
SAMPLES = (150, 300)
JUDGED_ON = 240
_WINDOW = 64


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant, one drift, one seed, one rule. Accuracies are fractions, losses nats."""

    variant: str
    drift: str
    seed: int
    rule: str
    learning_rate: float
    samples: int
    before: float
    drifted: float
    adapted: float
    loss_drifted: float
    loss_adapted: float


@dataclass(frozen=True, slots=True)
class _Judged:
    """Features and labels of the images that a layer is judged on."""

    features: Floats
    labels: Labels

    def accuracy(self, layer: Floats) -> float:
        return float((_logits(layer, self.features).argmax(1) == self.labels).mean())

    def loss(self, layer: Floats) -> float:
        likelihood = _softmax(_logits(layer, self.features))[
            np.arange(len(self.labels)), self.labels
        ]
        return float(-np.log(np.maximum(likelihood, 1e-12)).mean())


def plain(layer: Floats, features: Floats, labels: Labels, rate: float) -> Floats:
    """Stochastic gradient descent on the features as they are; a new layer."""
    learnt = layer.copy()
    for sample, label in zip(features, labels, strict=True):
        error = rate * _error(learnt, sample, int(label))
        learnt[:-1] -= np.outer(sample, error)
        learnt[-1] -= error
    return learnt


def standardised(layer: Floats, features: Floats, labels: Labels, rate: float) -> Floats:
    """The same in x' = (x - mean) / sd of about the last 64 samples, sd one for all features.

    The step is written in x, so that the layer goes on from what it was.
    """
    learnt = layer.copy()
    mean, variance = np.zeros(features.shape[1], np.float32), 0.0
    for seen, (sample, label) in enumerate(zip(features, labels, strict=True), start=1):
        share, away = 1 / min(seen, _WINDOW), sample - mean
        mean = mean + share * away
        variance += share * (float(away @ (sample - mean)) / len(mean) - variance)
        direction = (sample - mean) / (variance + 1e-6)
        error = rate * _error(learnt, sample, int(label))
        learnt[:-1] -= np.outer(direction, error)
        learnt[-1] -= (1 - mean @ direction) * error
    return learnt


Rule = Callable[[Floats, Floats, Labels, float], Floats]
RULES: dict[str, Rule] = {"plain": plain, "standardised": standardised}


def measure(model: bytes, variant: str, held_out: DigitImages, seed: int) -> Iterator[Cell]:
    """Every drift, rule, rate and number of samples on one file."""
    classifier, layer = Int8Classifier(model), last_layer(model)
    order = np.random.default_rng(seed).permutation(len(held_out))
    logits, _ = classifier.run(held_out.images[order[-JUDGED_ON:]])
    before = float((logits.argmax(1) == held_out.labels[order[-JUDGED_ON:]]).mean())
    for name, drift in DRIFTS.items():
        changed = drift(held_out)
        features = classifier.run(changed.images)[1][order]
        labels = changed.labels[order]
        judged = _Judged(features[-JUDGED_ON:], labels[-JUDGED_ON:])
        for rule, rate, samples in _settings():
            learnt = RULES[rule](layer, features[:samples], labels[:samples], rate)
            yield Cell(
                variant=variant,
                drift=name,
                seed=seed,
                rule=rule,
                learning_rate=rate,
                samples=samples,
                before=before,
                drifted=judged.accuracy(layer),
                adapted=judged.accuracy(learnt),
                loss_drifted=judged.loss(layer),
                loss_adapted=judged.loss(learnt),
            )


def run(seeds: Sequence[int]) -> list[Cell]:
    """The whole family for each seed."""
    cells: list[Cell] = []
    for seed in seeds:
        held_out = load_split(seed).held_out
        for built in build_family(digit_family(seed), lambda share, doing: None):
            cells += measure(built.data, built.name, held_out, seed)
    return cells


def main() -> None:
    """Measure, print, write the JSON file."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    arguments.add_argument("--out", type=Path, default=Path("var/bench/online_adaptation.json"))
    chosen = arguments.parse_args()
    cells = run(chosen.seeds)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps([asdict(cell) for cell in cells], indent=1))
    print_table([asdict(cell) for cell in cells])
    print_losses([asdict(cell) for cell in cells])


def _settings() -> Iterator[tuple[str, float, int]]:
    for rule in RULES:
        for rate in LEARNING_RATES:
            for samples in SAMPLES:
                yield rule, rate, samples


def _logits(layer: Floats, features: Floats) -> Floats:
    return np.asarray(features @ layer[:-1] + layer[-1], np.float32)


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)


def _error(layer: Floats, sample: Floats, label: int) -> Floats:
    """Gradient of the cross-entropy by the logits."""
    return _softmax(_logits(layer, sample)) - np.eye(CLASSES, dtype=np.float32)[label]


if __name__ == "__main__":
    main()
