"""Which axes are steps in time: those along which recurrent layers run, wherever they come from.

Rules: https://onnx.ai/onnx/operators/ (LSTM, GRU, RNN, Transpose).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from registry.formats.onnx.order import graphs_of
from registry.formats.onnx.tensors import MAX_RANK
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


def time_axes(nodes: Sequence[Node]) -> frozenset[Axis]:
    """The axes of time of recurrent layers, also in subgraphs, followed back through `nodes`.

    Behind an operator that is not followed it is not known what becomes of an axis.
    """
    given = {name: node for node in nodes for name in node.get("output", ())[:1]}
    pending = list(_walked(nodes))
    found: set[Axis] = set()
    while pending:
        place = pending.pop()
        if place in found or place[1] not in range(MAX_RANK):
            continue
        found.add(place)
        if place[0] in given:
            pending.extend(_before(given[place[0]], place[1]))
    return frozenset(found)


def _walked(nodes: Iterable[Node]) -> Iterator[Axis]:
    """X of every recurrent layer: time is its first axis, its second where `layout` is 1."""
    for node in nodes:
        if node.get("op_type") in _RECURRENT:
            layout = _attribute(node, "layout").get("i", 0)
            yield from ((name, int(layout == 1)) for name in node.get("input", ())[:1])
        for graph in graphs_of(node):
            yield from _walked(graph.get("node", ()))


def _before(node: Node, axis: int) -> Iterator[Axis]:
    """Where an axis of a node's first output is in its inputs."""
    inputs, operator = node.get("input", ()), node.get("op_type")
    if operator == "Transpose":
        turned = _attribute(node, "perm").get("ints", ())
        if axis < len(turned):
            yield from ((name, turned[axis]) for name in inputs[:1])
    elif operator in _KEEPING:
        yield from ((name, axis) for name in inputs[:1])
    elif operator in _STRETCHING:
        yield from ((name, axis) for name in inputs)


def _attribute(node: Node, name: str) -> Node:
    found: Iterator[Node] = (
        attribute for attribute in node.get("attribute", ()) if attribute.get("name") == name
    )
    return next(found, {})
