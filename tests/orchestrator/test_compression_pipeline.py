"""From a torch network to the int8 file: what comes out, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from orchestrator.compression.conversion import ConversionError, convert_int8
from orchestrator.compression.digits import load_split
from orchestrator.compression.evaluation import Int8Classifier, evaluate
from orchestrator.compression.family import build_family, digit_family
from orchestrator.compression.last_layer import last_layer
from orchestrator.compression.networks import DigitNetwork, DigitNetworkConfig
from orchestrator.compression.pruning import PruningConfig, pruned
from registry.footprint.arena import predict_arena
from registry.formats.tflite import parse, strip_names
from tests.orchestrator.digit_models import quickly_built, well_built

pytestmark = pytest.mark.slow  # torch and litert-torch take ten seconds to load

NANO = DigitNetworkConfig(stem=8, body=12, features=16)


@pytest.fixture
def nano() -> bytes:
    return quickly_built("nano")["nano"].data


def test_the_file_is_int8_in_and_out_with_logits_and_features(nano: bytes) -> None:
    network = parse(nano)
    (image,), (logits, features) = network.inputs, network.outputs
    assert (image.dtype.lower(), tuple(image.shape)) == ("int8", (1, 8, 8, 1))
    assert (logits.dtype.lower(), tuple(logits.shape)) == ("int8", (1, 10))
    assert (features.dtype.lower(), tuple(features.shape)) == ("int8", (1, 16))


def test_the_graph_has_no_needless_operator(nano: bytes) -> None:
    names = [operator.name for graph in parse(nano).subgraphs for operator in graph.operators]
    assert names == ["DEPTHWISE_CONV_2D", "CONV_2D", "CONV_2D", "RESHAPE", "FULLY_CONNECTED"]


def test_names_are_stripped(nano: bytes) -> None:
    assert strip_names(nano) == nano
    assert b"torch" not in nano


def test_the_smallest_fits_a_part_with_20_kb(nano: bytes) -> None:
    assert len(nano) < 8 * 1024
    for kernels in ("cmsis_nn", "reference"):
        arena = predict_arena(parse(nano), kernels).arena_bytes
        assert arena is not None and arena < 4 * 1024


def test_the_same_recipe_gives_the_same_bytes(nano: bytes) -> None:
    recipe = digit_family(0).only(["nano"]).with_epochs(2)
    (again,) = build_family(recipe, lambda share, doing: None)
    assert again.data == nano


def test_what_is_done_is_not_built_again() -> None:
    recipe = digit_family(0).only(["nano"]).with_epochs(1)
    assert list(build_family(recipe, lambda share, doing: None, done=["nano"])) == []


def test_it_says_how_far_it_is_and_can_be_stopped() -> None:
    said: list[float] = []

    def report(share: float, doing: str) -> None:
        said.append(share)
        if share > 0.3:
            raise InterruptedError(doing)

    recipe = digit_family(0).only(["nano"]).with_epochs(5)
    with pytest.raises(InterruptedError, match="training nano"):
        list(build_family(recipe, report))
    assert said == sorted(said)


def test_a_strange_variant_is_named() -> None:
    with pytest.raises(ValueError, match="no variant huge .* there are nano, small"):
        digit_family(0).only(["huge"])


def test_pruning_makes_it_narrower_and_remembers_the_parent() -> None:
    built = quickly_built("large", "pruned")
    large, small = built["large"], built["pruned"]
    assert (small.parent, small.technique) == ("large", "structured pruning")
    assert len(small.data) < 0.5 * len(large.data)
    assert small.params["parameters"] < 0.5 * large.params["parameters"]


def test_pruning_leaves_its_argument_alone() -> None:
    torch.manual_seed(0)
    network = DigitNetwork(NANO)
    before = sum(weights.numel() for weights in network.parameters())
    narrower = pruned(network, PruningConfig(0.5))
    assert sum(weights.numel() for weights in network.parameters()) == before
    assert narrower.classifier.out_features == 10
    assert narrower.classifier.in_features < network.classifier.in_features


def test_hard_swish_is_an_operator_of_its_own() -> None:
    assert "HARD_SWISH" in parse(quickly_built("swish")["swish"].data).operator_versions


def test_the_evaluated_thing_is_the_file() -> None:
    built = quickly_built("nano")["nano"]
    held_out = load_split(0).held_out
    assert evaluate(built.data, held_out) == built.evaluation
    assert built.evaluation.images == len(held_out)


def test_the_last_layer_in_floats_says_what_the_file_says() -> None:
    model = well_built("nano")["nano"].data
    logits, features = Int8Classifier(model).run(load_split(0).held_out.images[:100])
    layer = last_layer(model)
    assert layer.shape == (17, 10)
    # An int8 output ends where calibration ended; a layer in floats does not.
    said = np.clip(features @ layer[:-1] + layer[-1], logits.min(), logits.max())
    assert np.abs(said - logits).max() < 0.01 * np.ptp(logits)


def test_the_tiny_one_is_good() -> None:
    assert well_built("nano")["nano"].accuracy >= 0.95


def test_weights_that_are_not_finite_are_refused_by_layer() -> None:
    network = DigitNetwork(NANO)
    with torch.no_grad():
        network.classifier.weight[0, 0] = float("nan")
    with pytest.raises(ConversionError, match="layer classifier.weight .* not finite"):
        convert_int8(network, load_split(0).calibration.images)


def test_calibration_without_images_is_refused() -> None:
    with pytest.raises(ConversionError, match="no calibration images"):
        convert_int8(DigitNetwork(NANO), load_split(0).calibration.images[:0])


def test_calibration_images_that_are_not_finite_are_refused() -> None:
    images = load_split(0).calibration.images.copy()
    images[0, 0, 0, 0] = np.inf
    with pytest.raises(ConversionError, match="not finite"):
        convert_int8(DigitNetwork(NANO), images)


def test_images_of_a_wrong_shape_are_refused_with_the_shape() -> None:
    images = np.zeros((3, 9, 7, 2), np.float32)
    with pytest.raises(ConversionError, match=r"does not take images of \(9, 7, 2\)"):
        convert_int8(DigitNetwork(NANO), images)


class _Sorted(nn.Module):
    """There is an operator for it, but no kernel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.sort(torch.flatten(images, 1))[0]


class _Branching(nn.Module):
    """What is done depends on the values: there is no one graph of it."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat = torch.flatten(images, 1)
        if flat.sum() > 0:
            return flat
        return -flat


class _Unwritten(nn.Module):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        flat = torch.flatten(images, 1)
        roots = torch.linalg.eigvals(flat.reshape(1, 8, 8)).real
        return roots, flat


def test_what_the_converter_cannot_express_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"layer 1 \(_Unwritten\), .*linalg_eig"):
        convert_int8(nn.Sequential(nn.ReLU(), _Unwritten()), load_split(0).calibration.images)


def test_what_cannot_be_traced_is_refused_with_the_line_of_its_layer() -> None:
    network = nn.Sequential(nn.ReLU(), _Branching())
    with pytest.raises(ConversionError, match=r"layer 1 \(_Branching\), .*`if flat.sum\(\) > 0:`"):
        convert_int8(network, load_split(0).calibration.images)


def test_what_no_kernel_runs_is_refused_by_operator_and_layer() -> None:
    network = nn.Sequential(nn.ReLU(), _Sorted())
    with pytest.raises(ConversionError, match=r"layer 1 \(_Sorted\), operator STABLEHLO_SORT"):
        convert_int8(network, load_split(0).calibration.images)


def test_statistics_that_are_not_finite_are_refused_by_layer() -> None:
    network = nn.Sequential(nn.BatchNorm2d(8)).eval()
    network[0].running_var[0] = float("inf")
    with pytest.raises(ConversionError, match="layer 0.running_var .* not finite"):
        convert_int8(network, load_split(0).calibration.images)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    convert_int8(DigitNetwork(NANO), load_split(0).calibration.images)
    assert capfd.readouterr() == ("", "")
