"""When each buffer of a network is in use, counted in the steps of TFLite Micro's planning.

One step is one operator; a subgraph that an operator calls takes steps of its own before the
operator ends. Rule: tensorflow/lite/micro/micro_allocation_info.cc.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.footprint.planner import Buffer, aligned
from registry.formats.network import Network, Operator, Subgraph, Tensor

# (subgraph, operator) to the bytes of each scratch buffer that its kernel asks for.
ScratchRequests = Mapping[tuple[int, int], Sequence[int]]

OFFLINE_PLAN = "OfflineMemoryAllocation"
_PLANNED_ONLINE = -1
_NEVER = -1
# Beyond these no microcontroller's network goes, and planning would take minutes.
MAX_VISITS = 1_000_000
MAX_BUFFERS = 4096
MAX_DEPTH = 100


class TooMuchToPlan(ValueError):
    """Subgraphs that call one another without end, or more buffers than can be planned."""


@dataclass(slots=True)
class _Life:
    first: int = _NEVER
    last: int = _NEVER

    def create(self, step: int) -> None:
        self.first = self.last = step

    def use(self, step: int) -> None:
        self.last = step


class LifetimeWalk:
    """Walks the main subgraph and all that it calls, as the runtime does when it plans."""

    def __init__(self, network: Network, scratch: ScratchRequests) -> None:
        self._network = network
        self._scratch = scratch
        self._step = 0
        self._depth = 0
        self._visits = 0
        self._tensors = [[_Life() for _ in graph.tensors] for graph in network.subgraphs]
        self._scratch_lives = {key: [_Life() for _ in sizes] for key, sizes in scratch.items()}

    def buffers(self) -> tuple[Buffer, ...]:
        """All that the planner places: tensors of every subgraph, then scratch buffers.

        Raises TooMuchToPlan for more than MAX_VISITS visits of a tensor, for calls deeper than
        MAX_DEPTH, as of subgraphs that call themselves, and for more than MAX_BUFFERS buffers.
        """
        self._walk(0)
        found = (*self._tensor_buffers(), *self._scratch_buffers())
        if len(found) > MAX_BUFFERS:
            raise TooMuchToPlan(f"{len(found)} buffers are more than {MAX_BUFFERS}")
        return found

    def _walk(self, number: int) -> None:
        graph, lives = self._network.subgraphs[number], self._tensors[number]
        self._visit(1 + len(graph.inputs) + len(graph.outputs))
        for index in (*graph.inputs, *graph.outputs):
            lives[index].create(self._step)
        for operator in graph.operators:
            self._walk_operator(number, operator, lives)
        for index in graph.outputs:
            lives[index].use(self._step)

    def _walk_operator(self, number: int, operator: Operator, lives: list[_Life]) -> None:
        self._visit(1 + len(operator.inputs) + len(operator.outputs))
        self._step += 1
        start = self._step
        for index in operator.outputs:
            lives[index].create(start)
        for callee in called_subgraphs(operator, len(self._network.subgraphs)):
            self._step += 1
            self._enter(callee)
        for index in (*operator.inputs, *operator.outputs):
            if index >= 0:
                lives[index].use(self._step)
        for life in self._scratch_lives.get((number, operator.index), ()):
            life.first, life.last = start, self._step

    def _visit(self, count: int) -> None:
        self._visits += count
        if self._visits > MAX_VISITS:
            raise TooMuchToPlan(f"planning takes more than {MAX_VISITS} visits of a tensor")

    def _enter(self, callee: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TooMuchToPlan("subgraphs call one another without end")
        self._walk(callee)
        self._depth -= 1

    def _tensor_buffers(self) -> list[Buffer]:
        offline = offline_offsets(self._network)
        return [
            Buffer(
                f"tensor {index}" if number == 0 else f"subgraph {number} tensor {index}",
                aligned(arena_bytes(graph.tensors[index])),
                life.first,
                life.last,
                _fixed(offline, index),
            )
            for number, graph in enumerate(self._network.subgraphs)
            for index, life in enumerate(self._tensors[number])
            if _is_planned(graph, index)
        ]

    def _scratch_buffers(self) -> list[Buffer]:
        return [
            Buffer(f"scratch of operator {key[1]}", aligned(size), life.first, life.last)
            for key, sizes in self._scratch.items()
            for size, life in zip(sizes, self._scratch_lives[key], strict=True)
        ]


def arena_bytes(tensor: Tensor) -> int:
    """What a tensor takes in the arena: numbers of four bits are not packed there."""
    return tensor.elements if tensor.dtype == "INT4" else tensor.size_bytes or 0


def called_subgraphs(operator: Operator, count: int) -> tuple[int, ...]:
    """The subgraphs that a control-flow operator runs, of `count` in the file."""
    names = _CALLS.get(operator.name, ())
    callees = tuple(operator.integer(name) for name in names)
    return tuple(callee for callee in callees if 0 <= callee < count)


_CALLS: Mapping[str, tuple[str, ...]] = {
    "IF": ("then_subgraph", "else_subgraph"),
    "CALL_ONCE": ("subgraph",),
    "WHILE": ("condition_subgraph", "body_subgraph"),
    "If": ("then_subgraph", "else_subgraph"),
    "Loop": ("body_subgraph",),
    "Scan": ("body_subgraph",),
}


def _is_planned(graph: Subgraph, index: int) -> bool:
    tensor = graph.tensors[index]
    return not tensor.is_constant and not tensor.is_variable and bool(tensor.size_bytes)


def offline_offsets(network: Network) -> tuple[int, ...]:
    """The memory plan that the file brings along, one offset a tensor; empty where it has none.

    Layout: version, subgraph, count, then the offsets; int32 each; -1 leaves a tensor to the
    planner.
    """
    plan = network.metadata.get(OFFLINE_PLAN)
    if plan is None or len(plan) < 12:
        return ()
    count = struct.unpack_from("<i", plan, 8)[0]
    if count < 0 or 12 + 4 * count > len(plan):
        return ()
    return struct.unpack_from(f"<{count}i", plan, 12)


def _fixed(offsets: tuple[int, ...], index: int) -> int | None:
    if index >= len(offsets) or offsets[index] == _PLANNED_ONLINE:
        return None
    return offsets[index]
