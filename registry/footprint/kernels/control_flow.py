"""What branches, loops and subgraphs that run once ask of the subgraphs that they call.

Rules: if.cc, while.cc, call_once.cc and kernel_util.cc in tensorflow/lite/micro/kernels. Some of it
the runtime only finds when a branch is taken; but a network that may end so does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from registry.footprint.kernels.need import UnmodelledNode
from registry.formats.network import Network, Operator, Subgraph, Tensor


def require_callees(operator: Operator, graph: Subgraph, network: Network) -> None:
    """Raises UnmodelledNode where the runtime would not run what this operator calls."""
    check = _CHECKS.get(operator.name)
    if check is not None:
        check(operator, graph, network)


def _branch(operator: Operator, graph: Subgraph, network: Network) -> None:
    condition = graph.tensor(operator.inputs[0]) if operator.inputs else None
    if condition is None or condition.dtype != "BOOL" or condition.elements != 1:
        raise UnmodelledNode("IF takes one BOOL as its condition")
    for name in ("then_subgraph", "else_subgraph"):
        callee = _callee(operator, name, network)
        _require_alike(operator, graph, operator.inputs[1:], callee, callee.inputs)
        _require_alike(operator, graph, operator.outputs, callee, callee.outputs)


def _loop(operator: Operator, graph: Subgraph, network: Network) -> None:
    condition = _callee(operator, "condition_subgraph", network)
    body = _callee(operator, "body_subgraph", network)
    for callee in (condition, body):
        _require_alike(operator, graph, operator.inputs, callee, callee.inputs)
    _require_alike(operator, graph, operator.outputs, body, body.outputs)
    if not condition.outputs:
        raise UnmodelledNode("WHILE has a condition without an output")


def _once(operator: Operator, graph: Subgraph, network: Network) -> None:
    _callee(operator, "subgraph", network)


def _callee(operator: Operator, name: str, network: Network) -> Subgraph:
    number = operator.integer(name)
    if not 0 <= number < len(network.subgraphs):
        raise UnmodelledNode(f"{operator.name} calls subgraph {number}, which is not there")
    return network.subgraphs[number]


def _require_alike(
    operator: Operator,
    graph: Subgraph,
    passed: Sequence[int],
    callee: Subgraph,
    taken: Sequence[int],
) -> None:
    """What is copied to and fro is as many tensors, each of the same bytes."""
    here = [_size(graph.tensor(index)) for index in passed]
    there = [_size(callee.tensor(index)) for index in taken]
    if here != there:
        raise UnmodelledNode(f"{operator.name} and the subgraph that it calls differ in tensors")


def _size(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.size_bytes


_CHECKS: Mapping[str, Callable[[Operator, Subgraph, Network], None]] = {
    "IF": _branch,
    "WHILE": _loop,
    "CALL_ONCE": _once,
}
