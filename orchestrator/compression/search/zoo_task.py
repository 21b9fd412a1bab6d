"""Any network of the zoo as a space: its width, whence its weights, how it is quantized."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ontology.facts import Metric
from orchestrator.compression.datasets.samples import DataSet, Floats
from orchestrator.compression.pruning import PruningConfig, narrowed
from orchestrator.compression.ranges import RangeRule
from orchestrator.compression.search.choices import Choice, OneOf, Space, Whole
from orchestrator.compression.search.task import OnEpoch, Trained, further_epochs
from orchestrator.compression.soft_targets import SoftTargets, TaughtValues
from orchestrator.compression.zoo.entries import zoo_entry
from orchestrator.compression.zoo.entry import ZooEntry
from orchestrator.compression.zoo.training import fit, float_score, int8_score, trained

_WIDTHS = Whole(10, 150, 5)  # percent of the published network's
_PUBLISHED = 100
_ORIGINS = ("scratch", "distilled", "pruned")
_TECHNIQUES = {"distilled": "distillation", "pruned": "structured pruning"}
_KEPT = PruningConfig(0.5, round_to=1)
_DATA = "TINYFLEET_DATA"


class ZooTask:
    """One entry, of the zoo by its name or of one's own.

    It is begun at the width of its publication and at half and a quarter of that.
    """

    def __init__(self, network: str | ZooEntry) -> None:
        self._entry = zoo_entry(network) if isinstance(network, str) else network
        self.measure = Metric(self._entry.goal.measure.lower())
        epochs = self._entry.recipe.epochs
        self.space: Space = {
            "width": _WIDTHS,
            "origin": OneOf(_ORIGINS if self._entry.prunes else _ORIGINS[:2]),
            "quantization": OneOf(tuple(rule.value for rule in RangeRule)),
            "epochs": Whole(max(1, epochs // 2), epochs * 3 // 2),
        }

    def starts(self) -> Sequence[Choice]:
        """By the recipe of the zoo."""
        return [self._choice(width) for width in (_PUBLISHED, 50, 25)]

    def smallest(self) -> Choice:
        """A tenth of the width, where whole channels allow it; pruned, where a layer of so few
        channels comes to one, which no width gives."""
        origin = _ORIGINS[-1] if self._entry.prunes else _ORIGINS[0]
        return {**self._choice(_WIDTHS.least), "origin": origin}

    def prepare(self, seed: int) -> ZooBench:
        """Raises DataMissing where data that have to be downloaded are not there."""
        return ZooBench(self._entry, seed)

    def _choice(self, width: int) -> Choice:
        return {
            "width": width,
            "origin": "scratch",
            "quantization": RangeRule.NEAREST.value,
            "epochs": self._entry.recipe.epochs,
        }


class ZooBench:
    """The entry's data, divided by one seed."""

    def __init__(self, entry: ZooEntry, seed: int) -> None:
        self._entry = entry
        self._seed = seed
        self._split = entry.data.load(_data_folder(entry.data), seed)
        self._by_width: dict[int, nn.Module] = {}

    @property
    def calibration(self) -> Floats:
        """Inputs that are in no other part."""
        return self._split.calibration.inputs

    def ranges(self, choice: Choice) -> RangeRule:
        """The choice's own."""
        return RangeRule(str(choice["quantization"]))

    def untrained(self, choice: Choice) -> nn.Module:
        """Pruning takes as many channels of random weights as of trained ones.

        The same weights each time: by a few bytes the file's size depends on them.
        """
        torch.manual_seed(self._seed)
        if choice["origin"] == "pruned":
            return self._narrowed(self._entry.build(2 * _width(choice)))
        return self._entry.build(_width(choice)).eval()

    def trained(self, choice: Choice, seed: int, on_epoch: OnEpoch) -> Trained:
        """By the zoo's recipe: from random weights, also taught by the published network, or from
        one of twice the width that half of the channels leave."""
        torch.manual_seed(seed)
        network = self._begun(choice, on_epoch)
        self._fit(network, choice, int(choice["epochs"]), seed, on_epoch)
        technique = _TECHNIQUES.get(str(choice["origin"]), "")
        score = float_score(network, self._entry, self._split.held_out)
        made: dict[str, Any] = {"seed": self._seed, "network_seed": seed}
        made |= {"train_samples": len(self._split.train)}
        return Trained(network, score, technique, {**choice, **made})

    def train_further(
        self, network: nn.Module, choice: Choice, seed: int, on_epoch: OnEpoch
    ) -> None:
        """By the same recipe, for a share of its epochs."""
        self._fit(network, choice, further_epochs(int(choice["epochs"])), seed, on_epoch)

    def score(self, model: bytes) -> float:
        """Of the int8 file, on what was held out."""
        return int8_score(model, self._entry, self._split.held_out)

    def _begun(self, choice: Choice, on_epoch: OnEpoch) -> nn.Module:
        if choice["origin"] == "pruned":
            return self._narrowed(self._by_recipe(2 * int(choice["width"]), on_epoch))
        return self._entry.build(_width(choice))

    def _fit(
        self, network: nn.Module, choice: Choice, epochs: int, seed: int, on_epoch: OnEpoch
    ) -> None:
        entry = self._teaching(choice, on_epoch)
        fit(network, entry, self._split.train, seed, epochs=epochs, on_epoch=on_epoch)

    def _teaching(self, choice: Choice, on_epoch: OnEpoch) -> ZooEntry:
        """The entry as its networks are to be trained: taught, where the choice says so."""
        if choice["origin"] != "distilled":
            return self._entry
        teacher = self._by_recipe(_PUBLISHED, on_epoch)
        if self._entry.data.classes:
            return _taught(self._entry, SoftTargets(teacher))
        return _taught(self._entry, TaughtValues(teacher))

    def _by_recipe(self, width: int, on_epoch: OnEpoch) -> nn.Module:
        """The network of a width, in percent, trained once with the seed of the first start."""
        if width not in self._by_width:
            seed, whole = self._seed * 1000, width / _PUBLISHED
            self._by_width[width] = trained(
                self._entry, self._split.train, seed, width=whole, on_epoch=lambda _: on_epoch(0.0)
            )
        return self._by_width[width]

    def _narrowed(self, network: nn.Module) -> nn.Module:
        return narrowed(network, _KEPT, torch.zeros(1, *self._entry.data.shape))


class _Taught:
    """An entry's own variation and loss, with a teacher that sees what the student sees."""

    def __init__(self, entry: ZooEntry, soft: SoftTargets | TaughtValues) -> None:
        self._entry, self._soft = entry, soft
        self._seen = torch.empty(0)

    def vary(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        self._seen = self._entry.vary(inputs, generator)
        return self._seen

    def loss(self, answers: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self._soft.blend(self._entry.goal.loss(answers, targets), self._seen, answers)


def _taught(entry: ZooEntry, soft: SoftTargets | TaughtValues) -> ZooEntry:
    taught = _Taught(entry, soft)
    return replace(entry, vary=taught.vary, goal=replace(entry.goal, loss=taught.loss))


def _width(choice: Choice) -> float:
    return int(choice["width"]) / _PUBLISHED


def _data_folder(data: DataSet) -> Path | None:
    """Where downloaded data lie; None where nothing has to be downloaded, or nothing is set."""
    place = os.environ.get(_DATA, "")
    return Path(place) if data.folder and place else None
