"""The smallest arena in which TFLite Micro runs a network on a 32-bit core.

It follows what the interpreter does from its construction to the end of AllocateTensors, allocation
by allocation, in the sizes that its structures have on Arm with 32-bit pointers and short enums.
Rules: tensorflow/lite/micro/{micro_allocator,micro_interpreter,micro_interpreter_graph}.cc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from registry.footprint.allocator import ArenaSimulation
from registry.footprint.kernels.need import KernelNeed, UnmodelledNode
from registry.footprint.kernels.table import kernel_need
from registry.footprint.lifetimes import LifetimeWalk, TooMuchToPlan
from registry.footprint.planner import Placement, aligned, height, place
from registry.formats.network import Network, Tensor

# Structures of the runtime in bytes, and the alignment that they are allocated with.
_RUNTIME_OBJECTS = (36, 44, 36, 8)  # arena allocator, planner, tensor allocator, options allocator
_SUBGRAPH = 8
_EVAL_TENSOR = 12
_NODE = 32
_TENSOR = 32
_QUANTIZATION = 12
_POINTER = 4
_SCRATCH_REQUEST = 12
_SPARE_SCRATCH_REQUESTS = 12
_SCRATCH_HANDLE = 4
_PLANNED_BUFFER = 24
_PLANNER_ENTRY = 40
_MAX_REASONS = 20


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


def predict_arena(network: Network, kernels: str = "cmsis_nn") -> ArenaPlan:
    """The arena that TFLite Micro needs for `network` with that kernel set.

    `kernels` is "cmsis_nn" (an Arm core with DSP instructions) or "reference"; anything else
    raises ValueError.
    """
    needs, unknown = _kernel_needs(network, kernels)
    scratch = {key: need.scratch for key, need in needs.items() if need.scratch}
    try:
        placements = place(LifetimeWalk(network, scratch).buffers())
    except TooMuchToPlan as error:
        return ArenaPlan(None, unknown=(*unknown, str(error)))
    timeline = _timeline(placements)
    if unknown:
        return ArenaPlan(None, {"tensors": height(placements)}, timeline, unknown)
    arena = ArenaSimulation()
    _start(arena, network, needs)
    _prepare(arena, network, needs)
    _finish(arena, network, needs, placements)
    _run(arena, network, needs)
    return ArenaPlan(aligned(arena.required), _parts(arena, placements), timeline)


def _kernel_needs(network: Network, kernels: str) -> tuple[_Needs, tuple[str, ...]]:
    needs: _Needs = {}
    unknown: dict[str, None] = {}
    for number, graph in enumerate(network.subgraphs):
        for operator in graph.operators:
            try:
                needs[number, operator.index] = kernel_need(operator, graph, kernels)
            except UnmodelledNode as reason:
                unknown[str(reason)] = None
    return needs, tuple(unknown)[:_MAX_REASONS]


def _start(arena: ArenaSimulation, network: Network, needs: _Needs) -> None:
    """The interpreter's objects, the arrays of tensors and nodes, every node's options."""
    for size in _RUNTIME_OBJECTS:
        arena.keep("runtime", size, 4)
    arena.set_head(_SCRATCH_REQUEST * _SPARE_SCRATCH_REQUESTS)
    arena.keep("runtime", _SUBGRAPH * len(network.subgraphs), 4)
    for graph in network.subgraphs:
        arena.keep("tensor_structures", _EVAL_TENSOR * len(graph.tensors), 4)
    for graph in network.subgraphs:
        arena.keep("node_structures", _NODE * len(graph.operators), 4)
    for need in needs.values():
        size, alignment = need.options
        arena.keep("node_structures", size, alignment)


def _prepare(arena: ArenaSimulation, network: Network, needs: _Needs) -> None:
    """Init of all kernels, then Prepare of each, which borrows what it looks at."""
    for need in needs.values():
        if need.state:
            arena.keep("kernel_data", need.state)
    requests = 0
    for (number, _), need in needs.items():
        for index in need.temporaries:
            _borrow_tensor(arena, network.subgraphs[number].tensors[index])
        for size in need.prepared:
            arena.keep("kernel_data", size)
        requests += len(need.scratch)
        arena.set_head(_SCRATCH_REQUEST * (requests + _SPARE_SCRATCH_REQUESTS))


def _finish(
    arena: ArenaSimulation, network: Network, needs: _Needs, placements: Sequence[Placement]
) -> None:
    """Scratch handles, variables, the plan with its working space, inputs and outputs."""
    requests = sum(len(need.scratch) for need in needs.values())
    arena.keep("runtime", _SCRATCH_HANDLE * requests, 4)
    for graph in network.subgraphs:
        for tensor in graph.tensors:
            if tensor.is_variable:
                arena.keep("variables", tensor.size_bytes or 0)
    tensors = sum(len(graph.tensors) for graph in network.subgraphs)
    arena.borrow(_POINTER * len(network.subgraphs))
    arena.borrow(_PLANNED_BUFFER * (tensors + requests))
    arena.require_between(_PLANNER_ENTRY * len(placements))
    arena.set_head(height(placements))
    for side in (network.inputs, network.outputs):
        arena.keep("tensor_structures", _POINTER * len(side))
        for tensor in side:
            _keep_tensor(arena, tensor)


def _run(arena: ArenaSimulation, network: Network, needs: _Needs) -> None:
    """One inference: what kernels look at lies above the planned buffers while they run."""
    for (number, _), need in needs.items():
        for index in need.running:
            _borrow_tensor(arena, network.subgraphs[number].tensors[index])
        arena.give_back()


def _keep_tensor(arena: ArenaSimulation, tensor: Tensor) -> None:
    arena.keep("tensor_structures", _TENSOR, 4)
    if _is_quantized(tensor):
        arena.keep("tensor_structures", _QUANTIZATION, 4)
        arena.keep("tensor_structures", _zero_points(tensor), 4)


def _borrow_tensor(arena: ArenaSimulation, tensor: Tensor) -> None:
    arena.borrow(_TENSOR)
    if _is_quantized(tensor):
        arena.borrow(_QUANTIZATION)
        arena.borrow(_zero_points(tensor))


def _is_quantized(tensor: Tensor) -> bool:
    return bool(tensor.quantization and tensor.quantization.zero_points)


def _zero_points(tensor: Tensor) -> int:
    assert tensor.quantization is not None
    return 4 + 4 * len(tensor.quantization.scales)


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
