"""The digit family: networks for parts from 20 kB of RAM upwards, and how each is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from orchestrator.compression.conversion import convert_int8
from orchestrator.compression.digits import DATA_SOURCE, DigitSplit, load_split
from orchestrator.compression.evaluation import Evaluation, evaluate
from orchestrator.compression.fitting import FitConfig, fit, float_accuracy, seeded
from orchestrator.compression.networks import Activation, DigitNetwork, DigitNetworkConfig
from orchestrator.compression.pruning import PruningConfig, pruned
from orchestrator.compression.ranges import RangeRule

TASK = "handwritten digits, 8x8 grey images"


@dataclass(frozen=True, slots=True)
class Scratch:
    """Trained from random weights."""

    network: DigitNetworkConfig
    fit: FitConfig


@dataclass(frozen=True, slots=True)
class Pruned:
    """Made of a larger variant of the family by structured pruning, then fine-tuned."""

    parent: str
    pruning: PruningConfig
    fit: FitConfig


Recipe = Scratch | Pruned


@dataclass(frozen=True, slots=True)
class FamilyRecipe:
    """What to build. A variant's parent stands before it in `variants`."""

    variants: Mapping[str, Recipe]
    seed: int = 0
    task: str = TASK
    data_source: str = DATA_SOURCE

    def only(self, names: Collection[str]) -> FamilyRecipe:
        """The named variants alone. ValueError for a name that is not in the family."""
        strange = sorted(set(names) - set(self.variants))
        if strange:
            known = ", ".join(self.variants)
            raise ValueError(f"no variant {', '.join(strange)} in this family; there are {known}")
        return replace(self, variants={k: v for k, v in self.variants.items() if k in names})

    def with_epochs(self, epochs: int) -> FamilyRecipe:
        """The same networks, each trained for so many epochs."""
        variants = {
            name: replace(recipe, fit=replace(recipe.fit, epochs=epochs))
            for name, recipe in self.variants.items()
        }
        return replace(self, variants=variants)


@dataclass(frozen=True, slots=True)
class BuiltVariant:
    """One int8 file with what is known of its making.

    `accuracy` is the file's own on held-out images, `float_accuracy` the network's before
    quantization; `parent` and `technique` are empty for what was trained from scratch.
    """

    name: str
    data: bytes
    evaluation: Evaluation
    float_accuracy: float
    parent: str
    technique: str
    params: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def accuracy(self) -> float:
        """As a fraction of one."""
        return self.evaluation.accuracy


Progress = Callable[[float, str], None]
"""Called with the share done of all (a fraction) and what is being done; may raise to stop."""

_LARGE = DigitNetworkConfig(16, 32, 64, body_blocks=1, padded=True)


def digit_family(seed: int = 0) -> FamilyRecipe:
    """Seven variants, each parent before its child.

    Widths, epochs and distortions were chosen by the held-out accuracy of seeds 0 to 3, so what
    those seeds give is flattered by the choice; docs/how-to/train.md states that of other seeds.
    """
    hard_swish = Activation.HARD_SWISH
    return FamilyRecipe(
        seed=seed,
        variants={
            "nano": _scratch(60, stem=3, body=6, features=16),
            "small": _scratch(50, stem=8, body=16, features=32),
            "medium": _scratch(25, stem=16, body=24, features=32, body_blocks=1, padded=True),
            "large": Scratch(_LARGE, FitConfig(epochs=30)),
            "pruned": Pruned("large", PruningConfig(0.5), FitConfig(epochs=20)),
            "swish": _scratch(
                30,
                stem=12,
                body=24,
                features=48,
                residual_blocks=1,
                expansion=48,
                padded=True,
                activation=hard_swish,
            ),
            "wide": _scratch(
                24, stem=24, body=40, features=64, residual_blocks=1, expansion=208, padded=True
            ),
        },
    )


def build_family(
    recipe: FamilyRecipe, on_progress: Progress, done: Collection[str] = ()
) -> Iterator[BuiltVariant]:
    """Each variant as soon as it is finished, but those that are `done`.

    A parent that is done is trained again, to the same weights, where a child of it is not.
    """
    split = load_split(recipe.seed)
    trained: dict[str, DigitNetwork] = {}
    for name in _to_train(recipe, done):
        started = time.monotonic()
        report = _reporter(recipe, name, on_progress)
        trained[name] = _train(recipe, name, trained, split, report)
        if name not in done:
            report(0.75, "converting")
            yield _finished(recipe, name, trained[name], split, started)


def _scratch(epochs: int, **widths: Any) -> Scratch:
    return Scratch(DigitNetworkConfig(**widths), FitConfig(epochs=epochs))


def _to_train(recipe: FamilyRecipe, done: Collection[str]) -> list[str]:
    missing = [name for name in recipe.variants if name not in done]
    parents = {_parent(recipe.variants[name]) for name in missing}
    return [name for name in recipe.variants if name in missing or name in parents]


def _parent(recipe: Recipe) -> str:
    return recipe.parent if isinstance(recipe, Pruned) else ""


def _reporter(recipe: FamilyRecipe, name: str, on_progress: Progress) -> Progress:
    """Shares of one variant as shares of the family."""
    names = list(recipe.variants)
    place, count = names.index(name), len(names)

    def report(share: float, doing: str) -> None:
        on_progress((place + share) / count, f"{doing} {name} ({place + 1} of {count})")

    return report


def _train(
    family: FamilyRecipe,
    name: str,
    trained: Mapping[str, DigitNetwork],
    split: DigitSplit,
    report: Progress,
) -> DigitNetwork:
    recipe = family.variants[name]
    # A seed of its own: what a variant becomes does not depend on which were trained before it.
    seed = family.seed * 1000 + list(family.variants).index(name)
    seeded(seed)
    if isinstance(recipe, Pruned):
        network = pruned(trained[recipe.parent], recipe.pruning)
    else:
        network = DigitNetwork(recipe.network)
    report(0.0, "training")
    fit(network, split.train, recipe.fit, seed, lambda share: report(0.7 * share, "training"))
    return network


def _finished(
    family: FamilyRecipe, name: str, network: DigitNetwork, split: DigitSplit, started: float
) -> BuiltVariant:
    recipe = family.variants[name]
    data = convert_int8(network, split.calibration.images, RangeRule.AVERAGED)
    return BuiltVariant(
        name=name,
        data=data,
        evaluation=evaluate(data, split.held_out),
        float_accuracy=float_accuracy(network, split.held_out),
        parent=_parent(recipe),
        technique="structured pruning" if isinstance(recipe, Pruned) else "",
        params=_params(family, recipe, network, split),
        seconds=time.monotonic() - started,
    )


def _params(
    family: FamilyRecipe, recipe: Recipe, network: DigitNetwork, split: DigitSplit
) -> dict[str, Any]:
    """Everything that made this variant, flat, for a tracker."""
    own = asdict(recipe.pruning) if isinstance(recipe, Pruned) else asdict(recipe.network)
    return {
        **own,
        **{f"fit_{key}": value for key, value in asdict(recipe.fit).items()},
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "seed": family.seed,
        "train_images": len(split.train),
        "calibration_images": len(split.calibration),
        "held_out_images": len(split.held_out),
        "quantization": "static int8, weights and activations",
    }
