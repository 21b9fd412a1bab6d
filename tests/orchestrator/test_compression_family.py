"""The whole family as the product builds it: sizes, arenas, lineage, accuracy of the int8 files."""

from __future__ import annotations

import pytest

from orchestrator.compression.family import BuiltVariant, digit_family
from registry.footprint.arena import predict_arena
from registry.formats.tflite import parse
from tests.orchestrator.digit_models import well_built

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def family() -> dict[str, BuiltVariant]:
    return well_built(*digit_family(0).variants)


def arena(built: BuiltVariant) -> int:
    needed = predict_arena(parse(built.data)).arena_bytes
    assert needed is not None, f"{built.name} has an operator whose need is not known"
    return needed


def test_sizes_span_more_than_ten_times(family) -> None:
    sizes = sorted(len(built.data) for built in family.values())
    assert len(sizes) >= 6
    assert sizes[0] < 4 * 1024
    assert sizes[-1] > 60_000
    assert sizes[-1] > 10 * sizes[0]


def test_arenas_span_small_and_large_parts(family) -> None:
    arenas = sorted(arena(built) for built in family.values())
    assert arenas[0] < 4 * 1024
    assert arenas[-1] > 30 * 1024


@pytest.mark.parametrize("name", digit_family(0).variants)
def test_every_int8_file_is_good(family, name: str) -> None:
    assert family[name].accuracy >= {"nano": 0.93, "small": 0.95}.get(name, 0.97)


@pytest.mark.parametrize("name", digit_family(0).variants)
def test_quantizing_costs_next_to_nothing(family, name: str) -> None:
    assert family[name].accuracy > family[name].float_accuracy - 0.01


def test_the_largest_is_the_best_of_those_that_small_parts_cannot_run(family) -> None:
    assert family["wide"].accuracy > family["small"].accuracy > family["nano"].accuracy


def test_features_are_few_enough_for_a_layer_in_tiny_ram(family) -> None:
    for built in family.values():
        (_, features) = parse(built.data).outputs
        assert 16 <= features.shape[-1] <= 64


def test_one_operator_is_not_everywhere(family) -> None:
    having = {name for name in family if "HARD_SWISH" in parse(family[name].data).operator_versions}
    assert having == {"swish"}


def test_lineage_names_a_member(family) -> None:
    assert {built.parent for built in family.values()} == {"", "large"}
