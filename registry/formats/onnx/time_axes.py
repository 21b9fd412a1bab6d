"""Which axes are steps in time: those along which recurrent layers run, wherever they come from.

Rules: https://onnx.ai/onnx/operators/ (LSTM, GRU, RNN, Squeeze, Transpose, Unsqueeze).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from registry.formats.onnx.order import graphs_of
from registry.formats.onnx.tensors import MAX_RANK, read_constant
from registry.formats.onnx.values import for_each
from registry.formats.tree import Node

# A tensor's name and an axis of it, counted from the front.
Axis = tuple[str, int]

_RECURRENT = for_each("LSTM GRU RNN DynamicQuantizeLSTM", True)
# What leaves the axes of its first input where they are.
_KEEPING = for_each(
    "BatchNormalization Cast Clip DequantizeLinear Dropout Elu Erf Gelu HardSigmoid HardSwish"
    " Identity LayerNormalization LeakyRelu Log MatMul MatMulInteger Mish Neg PRelu QuantizeLinear"
    " Relu Selu Sigmoid Softmax Softplus Softsign Sqrt Tanh DynamicQuantizeLinear",
    True,
)
# The same of all its inputs, which stretch to each other.
_STRETCHING = for_each("Add Div Max Mean Min Mul Pow Sub Sum Where", True)


def time_axes(nodes: Sequence[Node], initializers: Iterable[Node]) -> frozenset[Axis]:
    """The axes of time of recurrent layers, also in subgraphs, followed back through `nodes`.

    Behind an operator that is not followed it is not known what becomes of an axis.
    """
    constants = {node.get("name", ""): node for node in (*initializers, *_constants(nodes))}
    given = {name: node for node in nodes for name in node.get("output", ())[:1]}
    pending = list(_walked(nodes))
    found: set[Axis] = set()
    while pending:
        place = pending.pop()
        if place in found or place[1] not in range(MAX_RANK):
            continue
        found.add(place)
        if place[0] in given:
            pending.extend(_before(given[place[0]], place[1], constants))
    return frozenset(found)


def _walked(nodes: Iterable[Node]) -> Iterator[Axis]:
    """X of every recurrent layer: time is its first axis, its second where `layout` is 1."""
    for node in nodes:
        if node.get("op_type") in _RECURRENT:
            layout = _attribute(node, "layout").get("i", 0)
            yield from ((name, int(layout == 1)) for name in node.get("input", ())[:1])
        for graph in graphs_of(node):
            yield from _walked(graph.get("node", ()))


def _constants(nodes: Iterable[Node]) -> Iterator[Node]:
    """What Constant nodes hold, under the names that they give it."""
    for node in nodes:
        if node.get("op_type") == "Constant":
            held = _attribute(node, "value").get("t", {})
            yield from ({**held, "name": name} for name in node.get("output", ())[:1])


def _before(node: Node, axis: int, constants: Mapping[str, Node]) -> Iterator[Axis]:
    """Where an axis of a node's first output is in its inputs."""
    inputs, operator = node.get("input", ()), node.get("op_type")
    if operator == "Transpose":
        turned = _attribute(node, "perm").get("ints", ())
        if axis < len(turned):
            yield from ((name, turned[axis]) for name in inputs[:1])
    elif operator in {"Squeeze", "Unsqueeze"}:
        moved = _moved(axis, _axes(node, constants), operator == "Unsqueeze")
        yield from ((name, moved) for name in inputs[:1])
    elif operator in _KEEPING:
        yield from ((name, axis) for name in inputs[:1])
    elif operator in _STRETCHING:
        yield from ((name, axis) for name in inputs)


def _axes(node: Node, constants: Mapping[str, Node]) -> set[int]:
    """The axes that a node adds or takes away, from an attribute or, in newer opsets, an input."""
    inputs = node.get("input", ())
    held = constants.get(inputs[1]) if len(inputs) > 1 else None
    if held is None:
        return set(_attribute(node, "axes").get("ints", ()))
    dims = held.get("dims", ())
    if len(dims) > 1 or max(dims, default=1) > MAX_RANK:
        return set()
    numbers = read_constant(held, "the axes of a node").numbers()
    return {number for number in numbers if isinstance(number, int)}


def _moved(axis: int, axes: set[int], added: bool) -> int:
    """The axis before others were added or taken away; -1 where that is not known or it is new."""
    if not axes or min(axes) < 0:
        return -1
    if added:
        return -1 if axis in axes else axis - sum(other < axis for other in axes)
    kept = (number for number in range(2 * MAX_RANK) if number not in axes)
    return next(itertools.islice(kept, axis, None), -1)


def _attribute(node: Node, name: str) -> Node:
    found: Iterator[Node] = (
        attribute for attribute in node.get("attribute", ()) if attribute.get("name") == name
    )
    return next(found, {})
