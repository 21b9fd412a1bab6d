"""The smallest arena in which TFLite Micro runs a network on a 32-bit core.

It follows what the interpreter does from its construction to the end of AllocateTensors, allocation
by allocation, in the sizes that its structures have on Arm with 32-bit pointers and short enums.
Rules: tensorflow/lite/micro/{micro_allocator,micro_interpreter,micro_interpreter_graph}.cc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from registry.footprint.allocator import ArenaSimulation
from registry.footprint.kernels.control_flow import require_callees
from registry.footprint.kernels.need import KernelNeed, UnmodelledNode
from registry.footprint.kernels.table import kernel_need
from registry.footprint.layout import CORTEX_M, Layout
from registry.footprint.lifetimes import LifetimeWalk, TooMuchToPlan, arena_bytes
from registry.footprint.planner import Placement, aligned, height, place
from registry.formats.network import Network, Tensor

# Members of the runtime's structures, as `registry.footprint.layout` writes them.
_SUBGRAPH = "2PD"
_EVAL_TENSOR = "2Pe"
_NODE = "8P"
_TENSOR = "eP2i3P2e?"
_QUANTIZATION = "2Pi"
_SCRATCH_REQUEST = "P2i"
_SPARE_SCRATCH_REQUESTS = 12
_PLANNED_BUFFER = "2P3i?"
_PLANNER_ENTRY = "10i"
_POINTER = "P"
_INT = "i"
_MAX_REASONS = 20
_NO_TENSORS = frozenset(["STRING", "VARIANT", "INT2", "UINT2", "UINT4"])


@dataclass(frozen=True, slots=True)
class ArenaPlan:
    """What an arena must hold, in bytes.

    `arena_bytes` is None where an operator's need is not known; `unknown` says which and why.
    `parts` says what the bytes are for: `nonpersistent` (tensors and scratch buffers after
    planning), `persistent` with its own parts, and `planning` (what only planning needs on top).
    `memory_timeline` has the bytes of live buffers at each planning step.
    """

    arena_bytes: int | None
    parts: Mapping[str, int] = field(default_factory=dict)
    memory_timeline: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()


_Needs = dict[tuple[int, int], KernelNeed]


def predict_arena(
    network: Network, kernels: str = "cmsis_nn", layout: Layout = CORTEX_M
) -> ArenaPlan:
    """The arena that TFLite Micro needs for `network` with that kernel set.

    `kernels` is "cmsis_nn" (an Arm core with DSP instructions) or "reference"; anything else
    raises ValueError. Another `layout` than Arm's is for asking the runtime on this machine.
    """
    needs, unknown = _kernel_needs(network, kernels, layout)
    scratch = {key: need.scratch for key, need in needs.items() if need.scratch}
    try:
        placements = place(LifetimeWalk(network, scratch).buffers())
    except TooMuchToPlan as error:
        return ArenaPlan(None, unknown=(*unknown, str(error)))
    timeline = _timeline(placements)
    if unknown:
        return ArenaPlan(None, {"tensors": height(placements)}, timeline, unknown)
    arena = _Interpreter(network, needs, layout).allocate(placements)
    return ArenaPlan(aligned(arena.required), _parts(arena, placements), timeline)


def _kernel_needs(network: Network, kernels: str, layout: Layout) -> tuple[_Needs, tuple[str, ...]]:
    needs: _Needs = {}
    unknown: dict[str, None] = {}
    for number, graph in enumerate(network.subgraphs):
        for dtype in sorted({tensor.dtype for tensor in graph.tensors} & _NO_TENSORS):
            unknown[f"TFLite Micro has no tensors of {dtype}"] = None
        for operator in graph.operators:
            try:
                require_callees(operator, graph, network)
                needs[number, operator.index] = kernel_need(operator, graph, kernels, layout)
            except UnmodelledNode as reason:
                unknown[str(reason)] = None
    return needs, tuple(unknown)[:_MAX_REASONS]


class _Interpreter:
    """What an interpreter does to its arena from its construction to the end of one inference."""

    def __init__(self, network: Network, needs: _Needs, layout: Layout) -> None:
        self._network = network
        self._needs = needs
        self._layout = layout
        self._arena = ArenaSimulation()

    def allocate(self, placements: Sequence[Placement]) -> ArenaSimulation:
        """The arena after all of it, with the buffers where the planner put them."""
        self._start()
        self._prepare()
        self._finish(placements)
        self._run()
        return self._arena

    def _start(self) -> None:
        """The interpreter's objects, the arrays of tensors and nodes, every node's options."""
        for members in self._layout.runtime_objects:
            self._keep("runtime", members)
        self._request_scratch(0)
        graphs = self._network.subgraphs
        self._keep("runtime", _SUBGRAPH, len(graphs))
        for graph in graphs:
            self._keep("tensor_structures", _EVAL_TENSOR, len(graph.tensors))
        for graph in graphs:
            self._keep("node_structures", _NODE, len(graph.operators))
        for need in self._needs.values():
            self._keep("node_structures", need.options)

    def _prepare(self) -> None:
        """Init of all kernels, then Prepare of each, which borrows what it looks at."""
        for need in self._needs.values():
            if need.state:
                self._arena.keep("kernel_data", self._layout.size(need.state))
        requests = 0
        for (number, _), need in self._needs.items():
            self._borrow_tensors(number, need.temporaries)
            for size in need.prepared:
                self._arena.keep("kernel_data", size)
            self._borrow_tensors(number, need.afterwards)
            requests += len(need.scratch)
            self._request_scratch(requests)

    def _request_scratch(self, requests: int) -> None:
        size = self._layout.size(_SCRATCH_REQUEST)
        self._arena.set_head(size * (requests + _SPARE_SCRATCH_REQUESTS))

    def _finish(self, placements: Sequence[Placement]) -> None:
        """Scratch handles, variables, the plan with its working space, inputs and outputs."""
        arena, graphs = self._arena, self._network.subgraphs
        requests = sum(len(need.scratch) for need in self._needs.values())
        self._keep("runtime", _POINTER, requests)
        for graph in graphs:
            for tensor in graph.tensors:
                if tensor.is_variable:
                    arena.keep("variables", arena_bytes(tensor))
        tensors = sum(len(graph.tensors) for graph in graphs)
        self._borrow(_POINTER, len(graphs))
        self._borrow(_PLANNED_BUFFER, tensors + requests)
        arena.require_between(self._layout.size(_PLANNER_ENTRY) * len(placements))
        arena.set_head(height(placements))
        for side in (self._network.inputs, self._network.outputs):
            arena.keep("tensor_structures", self._layout.pointer * len(side))
            for tensor in side:
                for members, count, _ in _tensor_structures(tensor):
                    self._keep("tensor_structures", members, count)

    def _run(self) -> None:
        """One inference: what kernels look at lies above the planned buffers while they run."""
        for (number, _), need in self._needs.items():
            self._borrow_tensors(number, need.running)
            self._arena.give_back()

    def _borrow_tensors(self, number: int, indices: Sequence[int]) -> None:
        for index in indices:
            for members, count, spare in _tensor_structures(
                self._network.subgraphs[number].tensors[index]
            ):
                size, alignment = self._layout.size_and_alignment(members)
                self._arena.borrow(size * count, alignment, self._layout.size(spare))

    def _keep(self, part: str, members: str, count: int = 1) -> None:
        size, alignment = self._layout.size_and_alignment(members)
        self._arena.keep(part, size * count, alignment)

    def _borrow(self, members: str, count: int = 1) -> None:
        size, alignment = self._layout.size_and_alignment(members)
        self._arena.borrow(size * count, alignment)


def _tensor_structures(tensor: Tensor) -> Iterator[tuple[str, int, str]]:
    """The structures of a tensor that is looked at whole: members, how many, and those members at
    the end that nothing reads any more when the next one is kept."""
    yield _TENSOR, 1, "2P2e?"
    if tensor.quantization and tensor.quantization.zero_points:
        zero_points = 1 + len(tensor.quantization.scales)
        yield _QUANTIZATION, 1, "i"
        yield _INT, zero_points, f"Pi{zero_points}i"


def _timeline(placements: Sequence[Placement]) -> tuple[int, ...]:
    """Bytes of live buffers at each step, from the differences at their ends."""
    steps = max((placement.buffer.last for placement in placements), default=-1) + 1
    changes = [0] * (steps + 1)
    for placement in placements:
        changes[max(placement.buffer.first, 0)] += placement.buffer.size
        changes[placement.buffer.last + 1] -= placement.buffer.size
    live, timeline = 0, []
    for change in changes[:steps]:
        live += change
        timeline.append(live)
    return tuple(timeline)


def _parts(arena: ArenaSimulation, placements: Sequence[Placement]) -> dict[str, int]:
    nonpersistent = height(placements)
    used = nonpersistent + arena.persistent
    return {
        "nonpersistent": nonpersistent,
        "persistent": arena.persistent,
        **{f"persistent.{part}": size for part, size in sorted(arena.parts.items())},
        "planning": max(arena.required - used, 0),
    }
