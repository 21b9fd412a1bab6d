"""What a description says, as figures that matching can weigh against others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ontology.facts import Figure, Metric, RuntimeId, Status
from registry.footprint.arena import predict_arena
from registry.footprint.core_speed import arithmetic
from registry.footprint.description import Description
from registry.footprint.kernels.table import KERNEL_SETS
from registry.footprint.latency import predict_instructions
from registry.formats.network import FileFormat, Network

RUNTIME = "tflite-micro"
_POWER = {Metric.ENERGY_MJ: ", and the power that the board drew while it inferred"}


def derived_figures(description: Description) -> Iterator[Figure]:
    """Size, MACs, and of TFLite Micro the arena with each kernel set for which it is known and the
    instructions with CMSIS-NN; all derived.

    A .onnx file has no arena: what its runtime takes is for a measurement to say.
    """
    yield Figure(Metric.FLASH_BYTES, description.file_bytes, Status.DERIVED, "the file's own size")
    if description.macs is not None:
        yield Figure(Metric.MACS, description.macs, Status.DERIVED, "counted over its operators")
    if description.network.file_format is not FileFormat.TFLITE:
        return
    for kernels in KERNEL_SETS:
        arena = predict_arena(description.network, kernels)
        if arena.arena_bytes is not None:
            yield Figure(
                Metric.ARENA_BYTES,
                arena.arena_bytes,
                Status.DERIVED,
                "TFLite Micro's memory plan, worked out from the file",
                RuntimeId(RUNTIME, "", kernels),
            )
    yield from _instructions(description.network)


def _instructions(network: Network) -> Iterator[Figure]:
    found = predict_instructions(network)
    if found is not None:
        yield Figure(
            Metric.INSTRUCTIONS,
            found.value,
            Status.DERIVED,
            "kinds of work, at costs fitted to instructions counted on a Cortex-M4",
            RuntimeId(RUNTIME, "", "cmsis_nn"),
            conditions=arithmetic(network),
            error=found.error,
        )


def board_figures(description: Description) -> Iterator[Figure]:
    """Latency and energy on the board that the description was made for, where they are known."""
    board = description.board
    for metric, found in (
        (Metric.LATENCY_MS, description.latency_ms),
        (Metric.ENERGY_MJ, description.energy_mj),
    ):
        if board is not None and found is not None:
            source = "instructions, at the pace of the core" + _POWER.get(metric, "")
            runtime = RuntimeId(RUNTIME, "", "cmsis_nn")
            yield Figure(
                metric, found.value, Status.DERIVED, source, runtime, board.slug, error=found.error
            )


def figures_json(description: Description) -> list[dict[str, Any]]:
    """Every figure of a description with its status and source; the metric names its unit."""
    return [
        {
            "metric": figure.metric.value,
            "value": figure.value,
            "error": figure.error,
            "status": figure.status.value,
            "source": figure.source,
            "kernels": figure.runtime.kernels if figure.runtime else None,
            "board": figure.board,
        }
        for figure in (*derived_figures(description), *board_figures(description))
    ]
