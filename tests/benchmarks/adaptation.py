"""How much of a drift's cost does the devices' own online layer regain, on the int8 files?

The held-out images are divided: the layer learns from the first samples, one at a time, and is
judged on others, which neither network nor layer has seen. What devices ship (`OnlineLayer`) gets
the same learning rates as plain SGD (TinyOL, Ren et al. 2021, without its standardisation). Drifts
are the transforms of the devices' own surroundings at full strength, and relabelling. Nothing is
selected: every cell is kept, losses too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device_firmware_sim.learning.tinyol import OnlineLayer
from device_firmware_sim.sensors import TRANSFORMS, Surroundings
from orchestrator.compression.digits import CLASSES, DigitImages
from orchestrator.compression.evaluation import Int8Classifier
from orchestrator.compression.last_layer import last_layer

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

LEARNING_RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
SAMPLES = (150, 300)
JUDGED_ON = 240
DRIFTS: Mapping[str, Surroundings] = {
    **{name: Surroundings(name) for name in TRANSFORMS if name != "identity"},
    "permuted_labels": Surroundings(permute_labels=1),
}


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


def shipped(layer: Floats, features: Floats, labels: Labels, rate: float) -> Floats:
    """What devices do; a new layer."""
    learner = OnlineLayer(layer)
    for sample, label in zip(features, labels, strict=True):
        learner.learn(sample, int(label), rate)
    return learner.layer


Rule = Callable[[Floats, Floats, Labels, float], Floats]
RULES: dict[str, Rule] = {"plain": plain, "shipped": shipped}


def drifted(data: DigitImages, surroundings: Surroundings) -> DigitImages:
    """The same samples as a device would see and name them now."""
    images = np.stack([surroundings.look(image) for image in data.images])
    labels = [surroundings.called(int(label), CLASSES) for label in data.labels]
    return DigitImages(images, np.asarray(labels, data.labels.dtype))


def measure(model: bytes, variant: str, held_out: DigitImages, seed: int) -> Iterator[Cell]:
    """Every drift, rule, rate and number of samples on one file."""
    classifier, layer = Int8Classifier(model), last_layer(model)
    order = np.random.default_rng(seed).permutation(len(held_out))
    logits, _ = classifier.run(held_out.images[order[-JUDGED_ON:]])
    before = float((logits.argmax(1) == held_out.labels[order[-JUDGED_ON:]]).mean())
    for name, surroundings in DRIFTS.items():
        changed = drifted(held_out, surroundings)
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
