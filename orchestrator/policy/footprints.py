"""What one candidate file needs, kept small enough for a row: read from bytes, judged as a need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ontology.facts import Figure, Metric, Need, RuntimeId, SensorNeed, Status
from registry.footprint.core_speed import pace_of, predict_latency
from registry.footprint.description import Board, describe
from registry.footprint.figures import RUNTIME, derived_figures
from registry.footprint.map_layers import map_chain
from registry.footprint.patch import PatchSchedule, schedules
from registry.formats.network import Network

YARDSTICK = Board("yardstick", "cortex-m4", 64_000_000)
"""The core and clock on which candidates' latencies are compared: a Cortex-M4 at 64 MHz."""

PATCHING_RUNTIME = "tinyengine"
"""The interpreter that runs a network's first layers patch by patch, as MCUNetV2 has it."""

LEAST_PATCHES = 0
"""In place of a number of patches: as many as take the least memory."""

EVALUATED = "evaluation of the file on held-out data"
_SOURCE = "worked out from the candidate's file"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Sizes in bytes, times in milliseconds; what is not in a mapping is not known.

    `arena_bytes` is by kernel set, `latency_ms` by board, the yardstick among them. `patch` is the
    schedule by which a runtime for patches would run it: layers, grid, peak_bytes, extra_macs.
    """

    flash_bytes: int
    arena_bytes: Mapping[str, int]
    operators: Mapping[str, int]
    dtypes: frozenset[str] | None
    macs: int | None
    latency_ms: Mapping[str, float]
    patch: Mapping[str, Any] | None = None

    @property
    def ram_bytes(self) -> int | None:
        """The arena under the kernels that take most of it."""
        return max(self.arena_bytes.values(), default=None)

    @property
    def yardstick_ms(self) -> float | None:
        """One inference on the yardstick."""
        return self.latency_ms.get(YARDSTICK.slug)

    def need(
        self, name: str, sensors: tuple[SensorNeed, ...] | None, quality: Figure | None = None
    ) -> Need:
        """The same in the vocabulary of matching, with how well it does where that is known."""
        return Need(
            variant=name,
            flash_bytes=self.flash_bytes,
            figures=(*self._figures(), *([] if quality is None else [quality])),
            operators=self.operators,
            dtypes=self.dtypes,
            sensors=sensors,
            runtimes=frozenset({RUNTIME} if self.patch is None else {RUNTIME, PATCHING_RUNTIME}),
        )

    def patch_figures(self) -> list[Figure]:
        """What a runtime for patches needs of RAM; none where no schedule is known."""
        if self.patch is None:
            return []
        told = "patch-based inference, {layers} layers on a grid of {grid}".format_map(self.patch)
        runtime = RuntimeId(PATCHING_RUNTIME)
        peak_bytes = self.patch["peak_bytes"]
        return [Figure(Metric.ARENA_BYTES, peak_bytes, Status.DERIVED, told, runtime)]

    def _figures(self) -> list[Figure]:
        arenas = [
            Figure(Metric.ARENA_BYTES, size, Status.DERIVED, _SOURCE, RuntimeId(RUNTIME, "", kind))
            for kind, size in self.arena_bytes.items()
        ]
        times = [
            Figure(Metric.LATENCY_MS, value, Status.DERIVED, _SOURCE, board=board)
            for board, value in self.latency_ms.items()
        ]
        return [*arenas, *self.patch_figures(), *times]

    def as_json(self) -> dict[str, Any]:
        """As a row keeps it."""
        return {
            "flash_bytes": self.flash_bytes,
            "arena_bytes": dict(self.arena_bytes),
            "operators": dict(self.operators),
            "dtypes": None if self.dtypes is None else sorted(self.dtypes),
            "macs": self.macs,
            "latency_ms": dict(self.latency_ms),
            "patch": None if self.patch is None else dict(self.patch),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Footprint:
        """What `as_json` gave."""
        dtypes = raw["dtypes"]
        return cls(**{**raw, "dtypes": None if dtypes is None else frozenset(dtypes)})


def quality(measure: Metric, score: float) -> Figure:
    """What the file itself reached on held-out data, by what its task is judged by."""
    return Figure(measure, score, Status.MEASURED, EVALUATED)


def footprint_of(data: bytes, boards: Collection[Board] = (), patches: int = 1) -> Footprint:
    """What a .tflite file needs, and its latency on these boards and on the yardstick.

    `patches` are those along an axis that a runtime for patches is to use. A board without a core
    speed that was measured gets no latency. FormatError for other bytes.
    """
    description = describe(data)
    arenas = {
        figure.runtime.kernels: int(figure.value)
        for figure in derived_figures(description)
        if figure.metric is Metric.ARENA_BYTES and figure.runtime is not None
    }
    times = {
        board.slug: predict_latency(
            description.network, description.instructions, pace_of(board.core, board.clock_hz)
        )
        for board in (YARDSTICK, *boards)
    }
    return Footprint(
        flash_bytes=description.file_bytes,
        arena_bytes=arenas,
        operators=description.network.operator_versions,
        dtypes=description.known_dtypes,
        macs=description.macs,
        latency_ms={slug: found.value for slug, found in times.items() if found is not None},
        patch=_patch(description.network, patches),
    )


def _patch(network: Network, patches: int) -> dict[str, Any] | None:
    """The schedule of so many patches that takes least memory, of equals the least work."""
    chain = map_chain(network)
    if chain is None:
        return None
    fitting = [each for each in schedules(chain) if patches in {LEAST_PATCHES, each.grid[0]}]
    found = min(fitting, key=lambda each: (each.peak_bytes, each.extra_macs), default=None)
    return None if found is None else _patch_json(found)


def _patch_json(found: PatchSchedule) -> dict[str, Any]:
    return {
        "layers": found.layers,
        "grid": list(found.grid),
        "peak_bytes": found.peak_bytes,
        "extra_macs": found.extra_macs,
    }
