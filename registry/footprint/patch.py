"""Patch-based inference: the first layers piece by piece, so that no whole map has to be kept.

Lin et al., "MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning" (2021),
section 3. A patch of the stage's output is computed from the part of the input that it depends on;
neighbouring patches overlap there, and what overlaps is computed again.

What is counted, in bytes: a layer holds its input and its output; a depthwise layer works in place,
so the larger of the two; the input of a residual block counts once while the block runs, and the
block's output is added into it. In the stage that runs by patches the image is streamed, and the
last layer writes into the whole output of the stage, which is held throughout. That is what a
runtime needs that is built for patches; TFLite Micro's arena is another figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from registry.footprint.map_layers import MapChain, MapLayer, Size, map_chain
from registry.formats.network import Network

MAX_GRID = 16  # beyond so many patches along an axis the overlap outweighs what is saved


@dataclass(frozen=True, slots=True)
class PatchSchedule:
    """The first `layers` run patch by patch on a grid of rows x columns; 0 layers: none does.

    `patch` is the part of the network's input that one patch reads. `peak_bytes` is the most that
    is alive at once in the whole network, `stage_bytes` in the stage. MACs are those of the stage.
    """

    layers: int
    grid: Size
    patch: Size
    peak_bytes: int
    stage_bytes: int
    stage_macs: int
    whole_stage_macs: int

    @property
    def extra_macs(self) -> int:
        """What is computed more than once."""
        return self.stage_macs - self.whole_stage_macs

    @property
    def stage_overhead(self) -> float:
        """The same as a fraction of what the stage takes without patches."""
        return self.extra_macs / self.whole_stage_macs if self.whole_stage_macs else 0.0


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """What patches do for a network that is to take at most `ram_bytes`.

    `whole` is the network without patches, None where it does not begin with layers that slide a
    window over a map; `cheapest` the schedule that fits, if there is one.
    """

    ram_bytes: int
    whole: PatchSchedule | None
    cheapest: PatchSchedule | None

    def as_json(self) -> dict[str, Any]:
        """The form that the command shows; sizes are bytes, `overhead` a fraction."""
        found = self.cheapest
        return {
            "ram_bytes": self.ram_bytes,
            "whole_peak_bytes": self.whole.peak_bytes if self.whole else None,
            "cheapest": None
            if found is None
            else {
                "layers": found.layers,
                "grid": list(found.grid),
                "patch": list(found.patch),
                "peak_bytes": found.peak_bytes,
                "extra_macs": found.extra_macs,
                "stage_overhead": found.stage_overhead,
            },
        }


def plan_within(network: Network, ram_bytes: int) -> PatchPlan:
    """The cheapest schedule of a .tflite network that takes at most so much RAM."""
    chain = map_chain(network)
    if chain is None:
        return PatchPlan(ram_bytes, None, None)
    return PatchPlan(ram_bytes, without_patches(chain), cheapest_within(chain, ram_bytes))


def without_patches(chain: MapChain) -> PatchSchedule:
    """Layer by layer, each as a whole."""
    whole = chain.layers[0].in_size
    peak_bytes = max(_rest_bytes(chain, 0), chain.rest_bytes)
    return PatchSchedule(0, (1, 1), whole, peak_bytes, 0, 0, 0)


def schedule(chain: MapChain, layers: int, grid: Size) -> PatchSchedule:
    """The first `layers` by patches on this grid.

    Raises ValueError where the stage would end inside a residual block or is empty, and where the
    grid has more patches along an axis than the stage's output has elements.
    """
    if not 1 <= layers <= len(chain.layers) or _is_inside(chain, layers):
        raise ValueError(f"a stage of {layers} layers does not end between two blocks")
    last = chain.layers[layers - 1]
    if not all(1 <= n <= length for n, length in zip(grid, last.out_size, strict=True)):
        raise ValueError(f"a grid of {grid} does not divide a map of {last.out_size}")
    outputs = _patch_outputs(chain.layers[:layers], grid)
    stage_bytes = _stage_bytes(chain, outputs)
    pieces = list(zip(chain.layers, outputs, strict=False))
    return PatchSchedule(
        layers=layers,
        grid=grid,
        patch=chain.layers[0].reads(outputs[0]),
        peak_bytes=max(stage_bytes, _rest_bytes(chain, layers), chain.rest_bytes),
        stage_bytes=stage_bytes,
        stage_macs=grid[0] * grid[1] * sum(layer.macs(size) for layer, size in pieces),
        whole_stage_macs=sum(layer.macs(layer.out_size) for layer, _ in pieces),
    )


def schedules(chain: MapChain) -> Iterator[PatchSchedule]:
    """Every schedule on square grids and in strips of whole rows, and the one without patches."""
    yield without_patches(chain)
    for layers in range(1, len(chain.layers) + 1):
        if _is_inside(chain, layers):
            continue
        rows, columns = chain.layers[layers - 1].out_size
        for count in range(2, min(MAX_GRID, rows) + 1):
            yield schedule(chain, layers, (count, 1))
            if count <= columns:
                yield schedule(chain, layers, (count, count))


def cheapest_within(chain: MapChain, ram_bytes: int) -> PatchSchedule | None:
    """The schedule that computes least twice of those that fit, of equals the smallest; or None."""
    fitting = (each for each in schedules(chain) if each.peak_bytes <= ram_bytes)
    return min(fitting, key=lambda each: (each.extra_macs, each.peak_bytes), default=None)


def _patch_outputs(layers: Sequence[MapLayer], grid: Size) -> list[Size]:
    """The part of each layer's output that one patch needs, from the last layer backwards."""
    rows, columns = (
        -(-length // count) for length, count in zip(layers[-1].out_size, grid, strict=True)
    )
    needed: list[Size] = [(rows, columns)]
    for layer in reversed(layers[1:]):
        needed.append(layer.reads(needed[-1]))
    return needed[::-1]


def _stage_bytes(chain: MapChain, outputs: Sequence[Size]) -> int:
    """The most that is alive while a patch runs, with the stage's whole output."""
    last = len(outputs) - 1
    whole = chain.layers[last].out_bytes(chain.layers[last].out_size)
    return whole + max(
        _alive_bytes(chain, place, outputs, is_streamed=place == 0, is_gathered=place == last)
        for place in range(len(outputs))
    )


def _rest_bytes(chain: MapChain, first: int) -> int:
    """The most that is alive from a layer on, each as a whole."""
    outputs = [layer.out_size for layer in chain.layers]
    places = range(first, len(chain.layers))
    return max((_alive_bytes(chain, place, outputs) for place in places), default=0)


def _alive_bytes(
    chain: MapChain,
    place: int,
    outputs: Sequence[Size],
    *,
    is_streamed: bool = False,
    is_gathered: bool = False,
) -> int:
    """What one layer holds, and the inputs of the residual blocks that it stands in."""
    layer, size = chain.layers[place], outputs[place]
    around = [(first, last) for first, last in chain.residuals if first <= place <= last]
    kept = [chain.layers[first] for first, _ in around if first < place]
    kept_sizes = [outputs[first] for first, _ in around if first < place]
    is_added = any(first < place == last for first, last in around)
    read = 0 if is_streamed else layer.in_bytes(layer.reads(size))
    written = 0 if is_gathered or is_added else layer.out_bytes(size)
    may_overwrite = layer.works_in_place and all(first < place for first, _ in around)
    own = max(read, written) if may_overwrite else read + written
    return own + sum(
        each.in_bytes(each.reads(out)) for each, out in zip(kept, kept_sizes, strict=True)
    )


def _is_inside(chain: MapChain, layers: int) -> bool:
    """Whether a stage of so many layers would end inside a residual block."""
    return any(first < layers <= last for first, last in chain.residuals)
