"""The digit family as a space: its seven hand-made networks are where the search begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from torch import nn

from ontology.facts import Metric
from orchestrator.compression.digits import load_split
from orchestrator.compression.evaluation import Floats, evaluate
from orchestrator.compression.family import Recipe, Scratch, digit_family
from orchestrator.compression.fitting import FitConfig, fit, float_accuracy, seeded
from orchestrator.compression.networks import Activation, DigitNetwork, DigitNetworkConfig
from orchestrator.compression.pruning import PruningConfig, pruned
from orchestrator.compression.ranges import RangeRule
from orchestrator.compression.search.choices import Choice, OneOf, Space, Value, Whole, key
from orchestrator.compression.search.task import OnEpoch, Trained, further_epochs
from orchestrator.compression.soft_targets import SoftTargets

_KEPT = 0.5
"""The share of its parent's channels that a pruned network keeps."""

_PARENT_EPOCHS = 30
_FAMILY_RATE = FitConfig().learning_rate
_FAMILY_RANGES = RangeRule.AVERAGED  # by which the hand-made family is quantized
_LEAST_EXPANSION = 16
_WIDTHS = ("stem", "body", "features")
_NETWORK = (*_WIDTHS, "body_blocks", "residual_blocks", "expansion", "padded", "activation")

SPACE: Space = {
    "stem": Whole(2, 24),
    "body": Whole(2, 40),
    "features": Whole(4, 64, 4),
    "body_blocks": OneOf((0, 1)),
    "residual_blocks": OneOf((0, 1)),
    "expansion": Whole(_LEAST_EXPANSION, 208, 16),
    "padded": OneOf((False, True)),
    "activation": OneOf(tuple(each.value for each in Activation)),
    "origin": OneOf(("scratch", "pruned", "distilled")),
    "quantization": OneOf((RangeRule.AVERAGED.value, RangeRule.WIDEST.value)),
    "epochs": Whole(10, 60),
    "learning_rate": OneOf((_FAMILY_RATE, 1e-2)),
}


class DigitTask:
    """Handwritten digits."""

    space = SPACE
    measure = Metric.ACCURACY

    def starts(self) -> Sequence[Choice]:
        """The family made by hand, in its order."""
        recipes = digit_family().variants
        return [_choice_of(recipe, recipes) for recipe in recipes.values()]

    def smallest(self) -> Choice:
        """Two channels throughout, then four features."""
        network = DigitNetworkConfig(2, 2, 4)
        return _choice(network, "scratch", epochs=60)

    def prepare(self, seed: int) -> DigitBench:
        """The split of that seed."""
        return DigitBench(seed, [_network_key(choice) for choice in self.starts()])


class DigitBench:
    """One split of the images, and the parents that were trained on it."""

    def __init__(self, seed: int, known: Sequence[str]) -> None:
        self._seed = seed
        self._known = known
        self._split = load_split(seed)
        self._parents: dict[str, DigitNetwork] = {}

    @property
    def calibration(self) -> Floats:
        """100 images that are in no other part."""
        return self._split.calibration.images

    def ranges(self, choice: Choice) -> RangeRule:
        """The choice's own."""
        return RangeRule(str(choice["quantization"]))

    def untrained(self, choice: Choice) -> nn.Module:
        """Pruning takes as many channels of random weights as of trained ones.

        The same weights each time: by a few bytes the file's size depends on them.
        """
        seeded(self._seed)
        if choice["origin"] == "pruned":
            return pruned(DigitNetwork(_config(_parent_of(choice))), _pruning(choice))
        return DigitNetwork(_config(choice))

    def trained(self, choice: Choice, seed: int, on_epoch: OnEpoch) -> Trained:
        """From scratch, taught by a larger network, or pruned from one of twice the width."""
        network, technique = self._untaught(choice, seed, on_epoch)
        config = _fit_config(choice)
        self._fit(network, choice, config, seed, on_epoch)
        self._remember(choice, network)
        return Trained(
            network,
            float_accuracy(network, self._split.held_out),
            technique,
            {**choice, **{f"fit_{name}": value for name, value in asdict(config).items()}}
            | {"seed": self._seed, "network_seed": seed, "train_images": len(self._split.train)},
        )

    def train_further(
        self, network: nn.Module, choice: Choice, seed: int, on_epoch: OnEpoch
    ) -> None:
        """By the recipe of the family, for a share of the epochs."""
        epochs = further_epochs(int(choice["epochs"]))
        self._fit(network, choice, FitConfig(epochs=epochs), seed, on_epoch)

    def score(self, model: bytes) -> float:
        """On the 540 images held out."""
        return evaluate(model, self._split.held_out).accuracy

    def _untaught(self, choice: Choice, seed: int, on_epoch: OnEpoch) -> tuple[DigitNetwork, str]:
        if choice["origin"] == "pruned":
            parent = self._parent(_parent_of(choice), on_epoch)
            seeded(seed)
            return pruned(parent, _pruning(choice)), "structured pruning"
        seeded(seed)
        technique = "distillation" if choice["origin"] == "distilled" else ""
        return DigitNetwork(_config(choice)), technique

    def _fit(
        self, network: nn.Module, choice: Choice, config: FitConfig, seed: int, on_epoch: OnEpoch
    ) -> None:
        fit(network, self._split.train, config, seed, on_epoch, self._teaching(choice, on_epoch))

    def _teaching(self, choice: Choice, on_epoch: OnEpoch) -> SoftTargets | None:
        """By a large network of the family."""
        if choice["origin"] != "distilled":
            return None
        return SoftTargets(self._parent(_teacher(), on_epoch))

    def _remember(self, choice: Choice, network: DigitNetwork) -> None:
        """One of the family is the parent that would be trained, with the same seed, again."""
        name = _network_key(choice)
        if name in self._known and choice["origin"] == "scratch":
            self._parents[name] = network

    def _parent(self, choice: Choice, on_epoch: OnEpoch) -> DigitNetwork:
        """Trained once; with the seed of the family where it is one of the family."""
        name = _network_key(choice)
        if name not in self._parents:
            place = self._known.index(name) if name in self._known else len(self._known)
            seed = self._seed * 1000 + place
            seeded(seed)
            network = DigitNetwork(_config(choice))
            fit(network, self._split.train, _fit_config(choice), seed, lambda share: on_epoch(0.0))
            self._parents[name] = network
        return self._parents[name]


def _fit_config(choice: Choice) -> FitConfig:
    return FitConfig(epochs=int(choice["epochs"]), learning_rate=float(choice["learning_rate"]))


def _network_key(choice: Choice) -> str:
    """Equal where the trained networks are: how they are quantized and run does not count."""
    return key({name: choice[name] for name in SPACE if name != "quantization"})


def _choice_of(recipe: Recipe, family: Mapping[str, Recipe]) -> Choice:
    """A recipe of the family as a choice; of a pruned one the widths that are left."""
    if isinstance(recipe, Scratch):
        return _choice(recipe.network, "scratch", recipe.fit.epochs)
    parent = family[recipe.parent]
    assert isinstance(parent, Scratch)
    left = {name: round(getattr(parent.network, name) * _KEPT) for name in _WIDTHS}
    return _choice(replace(parent.network, **left), "pruned", recipe.fit.epochs)


def _choice(network: DigitNetworkConfig, origin: str, epochs: int) -> Choice:
    values = {name: getattr(network, name) for name in _NETWORK}
    expansion = network.expansion or _LEAST_EXPANSION  # without a block it says nothing
    own = {"expansion": expansion, "activation": network.activation.value}
    made = {"origin": origin, "quantization": _FAMILY_RANGES.value, "epochs": epochs}
    return {**values, **own, **made, "learning_rate": _FAMILY_RATE}


def _config(choice: Choice) -> DigitNetworkConfig:
    return DigitNetworkConfig(
        stem=int(choice["stem"]),
        body=int(choice["body"]),
        features=int(choice["features"]),
        body_blocks=int(choice["body_blocks"]),
        residual_blocks=int(choice["residual_blocks"]),
        expansion=int(choice["expansion"]),
        padded=bool(choice["padded"]),
        activation=Activation(str(choice["activation"])),
    )


def _teacher() -> Choice:
    """As good as the widest of the family to within 0.003, and an epoch costs two fifths of it."""
    return _choice_of(digit_family().variants["large"], {})


def _parent_of(choice: Choice) -> Choice:
    """Twice as wide, from scratch."""
    wider = {name: round(int(choice[name]) / _KEPT) for name in _WIDTHS}
    made: dict[str, Value] = {
        "origin": "scratch",
        "epochs": _PARENT_EPOCHS,
        "learning_rate": _FAMILY_RATE,
    }
    return {**choice, **wider, **made}


def _pruning(choice: Choice) -> PruningConfig:
    """Channels stay multiples of 4, as kernels like them, unless there are too few of them."""
    is_even = all(int(choice[name]) % 4 == 0 for name in _WIDTHS)
    return PruningConfig(1 - _KEPT, round_to=4 if is_even else 1)
