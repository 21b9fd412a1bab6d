"""Training on the device: the published memory of two schemes, and what each part of it is for."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from registry.footprint.map_layers import MapLayer
from registry.footprint.sparse_update import UpdateScheme, update_memory

KB = 1024


@pytest.fixture
def mcunet(data_dir: Path) -> list[MapLayer]:
    """mcunet-5fps, as its authors give its convolutions."""
    said = json.loads((data_dir / "published/mcunet_5fps_layers.json").read_text())
    names = said["columns"].split(",")
    return [_layer(dict(zip(names, row, strict=True))) for row in said["convs"]]


def _layer(row: dict[str, int]) -> MapLayer:
    before, after, kernel = row["in_size"], row["out_size"], row["kernel"]
    stride = before // after
    return MapLayer(
        row["in_channels"],
        row["out_channels"],
        row["groups"],
        kernel=(kernel, kernel),
        stride=(stride, stride),
        in_size=(before, before),
        out_size=(after, after),
    )


def test_the_published_sparse_scheme(mcunet) -> None:
    whole = dict.fromkeys((21, 24, 27, 30), Fraction(1))
    scheme = UpdateScheme(22, {**whole, 36: Fraction(1, 8), 39: Fraction(1, 4)})
    assert round(update_memory(mcunet, scheme).total_bytes / KB, 2) == 99.84


def test_the_published_update_of_the_last_twelve_layers(mcunet) -> None:
    scheme = UpdateScheme.of_last(12, len(mcunet))
    assert round(update_memory(mcunet, scheme).total_bytes / KB, 2) == 448.05


LAYERS = [
    MapLayer(2, 4, 1, (3, 3), (1, 1), (8, 8), (8, 8)),
    MapLayer(4, 4, 4, (3, 3), (2, 2), (8, 8), (4, 4)),
    MapLayer(4, 6, 1, (1, 1), (1, 1), (4, 4), (4, 4)),
]


def test_biases_need_a_mask_and_no_activations() -> None:
    memory = update_memory(LAYERS, UpdateScheme(2))
    assert memory.mask_bits == 4 * 4 * 4 + 4 * 4 * 6
    assert memory.bias_bits == 32 * (4 + 6)
    assert memory.activation_bits == 8 * 6  # the classifier's input
    assert memory.weight_bits == 0


def test_weights_need_their_inputs_by_the_share_that_is_trained() -> None:
    memory = update_memory(LAYERS, UpdateScheme(1, {2: Fraction(1, 2)}))
    assert memory.weight_bits == 8 * 4 * 6 // 2
    assert memory.activation_bits == 8 * (4 * 4 * 4 // 2 + 6)


def test_a_classifier_alone_needs_its_input() -> None:
    assert update_memory(LAYERS, UpdateScheme(0)).total_bytes == 6


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        (UpdateScheme(4), "the last 4"),
        (UpdateScheme(1, {1: Fraction(1)}), "not its biases"),
        (UpdateScheme(3, {3: Fraction(1)}), "layer 3"),
        (UpdateScheme(3, {1: Fraction(3, 2)}), "at most 1"),
        (UpdateScheme(3, {1: Fraction(0)}), "above 0"),
    ],
)
def test_a_scheme_that_does_not_suit_is_refused(scheme, said) -> None:
    with pytest.raises(ValueError, match=said):
        update_memory(LAYERS, scheme)
