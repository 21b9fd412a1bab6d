"""Adaptive pruning of a digit MLP beside one-shot pruning at equal sparsity.

Both keep biases, train by the product's own recipe and go back to the same first weights. Each may
try four settings, with as many epochs of sparse training for each: six rounds of one training, or
one round of six. The best of each is trained once more: SAP's for as long as four, one-shot's for
as long as ten, so that it never has less. Each chooses by its loss on the calibration images; the
held-out ones are only reported on. The rounds are best where all six are used, so gamma is sought
by halves: less where the weights came down to the share that is asked for, more where they did not.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from orchestrator.compression.digits import DigitImages, DigitSplit, load_split
from orchestrator.compression.fitting import FitConfig, fit, float_accuracy, seeded
from orchestrator.compression.methods.sap import (
    Masks,
    SapConfig,
    SapOutcome,
    SapRound,
    prunable,
    prune_adaptively,
    train_masked,
    without_smallest,
)

COLLAPSED = 0.8
ROUNDS = 6


class DigitMlp(nn.Module):
    """64-128-256-10, 43,520 weights and 394 biases; answers (logits, features)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU()
        )
        self.classifier = nn.Linear(256, 10)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.features(images)
        return self.classifier(features), features


@dataclass(frozen=True, slots=True)
class Compared:
    """One seed. Accuracies on held-out images, fractions. `trainings` of SAP are all it tried."""

    seed: int
    gamma: float
    rounds: list[dict[str, float]]
    weights: int
    density: float
    dense: float
    accuracy: float
    one_shot: float
    trainings: int
    turned_in: int | None = None
    collapsed_in: int | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is trained for how long; `beyond`: whether to go on until the network collapses.

    `gamma` is the first that is tried, `steps` by how much each of the next differs. `one_shot` are
    learning rates. `last`: how often as long the weights that are left are trained in the end.
    """

    epochs: int = 60
    learning_rate: float = 2e-2
    gamma: float = 3.6
    steps: Sequence[float] = (0.2, 0.1, 0.05)
    one_shot: Sequence[float] = (5e-3, 1e-2, 2e-2, 4e-2)
    least_density: float = 0.01
    rounds: int = ROUNDS
    last: int = 4
    beyond: bool = True

    def fit(self, longer: int = 1, rate: float | None = None) -> FitConfig:
        return FitConfig(
            epochs=longer * self.epochs,
            learning_rate=rate or self.learning_rate,
            weight_decay=0.1,
            batch_size=128,
        )


class Trainer:
    """Trains from the first weights on, once for equal masks: the same again is the same."""

    def __init__(self, train: DigitImages, config: FitConfig, seed: int) -> None:
        self._train, self._config, self.seed = train, config, seed
        self._known: dict[bytes, dict[str, torch.Tensor]] = {}

    @property
    def trainings(self) -> int:
        return len(self._known)

    def __call__(self, masked: nn.Module) -> None:
        masks = [value.bool().numpy() for name, value in masked.named_buffers() if "mask" in name]
        key = b"".join(mask.tobytes() for mask in masks)
        if key not in self._known:
            fit(masked, self._train, self._config, self.seed)
            self._known[key] = {name: value.clone() for name, value in masked.state_dict().items()}
        masked.load_state_dict(self._known[key])
        masked.eval()


def compare(seed: int, experiment: Experiment) -> Compared:
    """Tune both on the calibration images, judge both on the held-out ones."""
    split = load_split(seed)
    seeded(seed)
    first, train = DigitMlp(), Trainer(split.train, experiment.fit(), seed)
    tried = list(_tried(first, split, train, experiment))
    gamma, network, outcome = min(
        tried, key=lambda each: (_density(each[2]), _loss(each[1], split.calibration))
    )
    kept = int(sum(mask.sum() for mask in outcome.masks.values()))
    longer = Trainer(split.train, experiment.fit(experiment.last), seed)
    train_masked(network, outcome.masks, first.state_dict(), longer)
    return Compared(
        seed=seed,
        gamma=gamma,
        rounds=[_shown(each) for each in outcome.rounds],
        weights=kept,
        density=_density(outcome),
        dense=outcome.rounds[0].accuracy,
        accuracy=float_accuracy(network, split.held_out),
        trainings=train.trainings,
        one_shot=_best_one_shot(first, split, kept, train, experiment),
        **(_beyond(first, split, gamma, train) if experiment.beyond else {}),
    )


def _tried(
    first: nn.Module, split: DigitSplit, train: Trainer, experiment: Experiment
) -> Iterator[tuple[float, nn.Module, SapOutcome]]:
    gamma = experiment.gamma
    for step in (*experiment.steps, 0.0):
        network, outcome = _adaptive(first, split, gamma, train, experiment)
        yield gamma, network, outcome
        gamma += step if _density(outcome) > experiment.least_density else -step


def _adaptive(
    first: nn.Module, split: DigitSplit, gamma: float, train: Trainer, experiment: Experiment
) -> tuple[nn.Module, SapOutcome]:
    network = copy.deepcopy(first)
    config = SapConfig(
        gamma=gamma, rounds=experiment.rounds, least_density=experiment.least_density
    )
    judge = partial(float_accuracy, data=split.held_out)
    return network, prune_adaptively(network, train, judge, config)


def _best_one_shot(
    first: nn.Module, split: DigitSplit, kept: int, train: Trainer, experiment: Experiment
) -> float:
    dense = copy.deepcopy(first)
    every: Masks = {name: torch.ones_like(layer.weight) for name, layer in prunable(dense)}
    train_masked(dense, every, first.state_dict(), train)
    count = sum(mask.numel() for mask in every.values())
    masks = without_smallest(dict(prunable(dense)), every, count - kept)

    def retrained(rate: float, longer: int) -> tuple[float, float, float]:
        """Loss on the calibration images, accuracy on those held out, and the rate again."""
        network = copy.deepcopy(first)
        trainer = Trainer(split.train, experiment.fit(longer, rate), train.seed)
        train_masked(network, masks, first.state_dict(), trainer)
        loss = _loss(network, split.calibration)
        return loss, float_accuracy(network, split.held_out), rate

    tried = [retrained(rate, experiment.rounds) for rate in experiment.one_shot]
    tried.append(retrained(min(tried)[2], experiment.rounds + experiment.last))
    return min(tried)[1]


def _loss(network: nn.Module, data: DigitImages) -> float:
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    with torch.no_grad():
        return float(nn.functional.cross_entropy(network(images)[0], labels, label_smoothing=0.1))


def _beyond(
    first: nn.Module, split: DigitSplit, gamma: float, train: Trainer
) -> dict[str, int | None]:
    """The round that the index names, and the one in which the network is lost, with no floor."""
    further = Experiment(rounds=2 * ROUNDS, least_density=0.0005)
    _, outcome = _adaptive(first, split, gamma, train, further)
    lost = COLLAPSED * outcome.rounds[0].accuracy
    collapsed = [each.number for each in outcome.rounds if each.accuracy < lost]
    return {"turned_in": outcome.turned_in, "collapsed_in": collapsed[0] if collapsed else None}


def _density(outcome: SapOutcome) -> float:
    return outcome.rounds[-1].density


def _shown(each: SapRound) -> dict[str, float]:
    return {"density": each.density, "index": each.index, "accuracy": each.accuracy}
