"""Which axes are steps in time: those along which recurrent layers run, wherever they come from.

Rules: https://onnx.ai/onnx/operators/ (LSTM, GRU, RNN and those that are followed below).
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

_RANK = 3  # of X of a recurrent layer
_RECURRENT = for_each("LSTM GRU RNN DynamicQuantizeLSTM", True)
# What leaves the axes of its first input where they are.
_KEEPING = for_each(
    "BatchNormalization Cast Clip DequantizeLinear Dropout Elu Erf Gelu HardSigmoid HardSwish"
    " Identity LayerNormalization LeakyRelu Log MatMul MatMulInteger Mish Neg PRelu Pad"
    " QuantizeLinear Relu Selu Sigmoid Slice Softmax Softplus Softsign Split Sqrt Tanh"
    " DynamicQuantizeLinear",
    True,
)
# The same of all its inputs, which stretch to each other or stand side by side.
_STRETCHING = for_each("Add Concat Div Max Mean Min Mul Pow Sub Sum Where", True)
# What makes its second axis anew and leaves the others where they are.
_MIXING = for_each(
    "AveragePool Conv ConvInteger Gemm GlobalAveragePool GlobalMaxPool MaxPool QLinearConv", True
)
_REDUCING = for_each("ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum", True)


def time_axes(nodes: Sequence[Node], initializers: Iterable[Node]) -> frozenset[Axis]:
    """The axes of time of recurrent layers, also in subgraphs, followed back through `nodes`.

    Behind an operator that is not followed it is not known what becomes of an axis.
    """
    constants = {node.get("name", ""): node for node in (*initializers, *_constants(nodes))}
    given = {name: node for node in nodes for name in _followed(node)}
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


def _followed(node: Node) -> Sequence[str]:
    """The outputs whose axes are those of an input: of most operators the first alone."""
    outputs: Sequence[str] = node.get("output", ())
    return outputs if node.get("op_type") == "Split" else outputs[:1]


def _before(node: Node, axis: int, constants: Mapping[str, Node]) -> Iterator[Axis]:
    """Where an axis of a node's output is in its inputs."""
    inputs, operator = node.get("input", ()), node.get("op_type")
    if operator in _STRETCHING:
        yield from ((name, axis) for name in inputs)
    else:
        yield from ((name, at) for name in inputs[:1] for at in _sources(node, axis, constants))


def _sources(node: Node, axis: int, constants: Mapping[str, Node]) -> Iterable[int]:
    """The axes of a node's first input that an axis of its output is made of."""
    operator = node.get("op_type")
    if operator in _KEEPING or (operator in _MIXING and axis != 1):
        return [axis]
    if operator == "Transpose":
        turned: Sequence[int] = _attribute(node, "perm").get("ints", ())
        return turned[axis : axis + 1]
    if operator in {"Squeeze", "Unsqueeze"}:
        return [_moved(axis, _axes(node, constants), operator == "Unsqueeze")]
    if operator in _REDUCING:
        kept = _attribute(node, "keepdims").get("i", 1)
        return [axis if kept else _moved(axis, _axes(node, constants), added=False)]
    if operator == "Flatten":
        first = _attribute(node, "axis").get("i", 1)
        return range(first) if axis == 0 else range(first, MAX_RANK)
    if operator == "Reshape":
        return _before_reshape(axis, _held(node, constants))
    return _before_gather(node, axis, constants) if operator == "Gather" else []


def _before_reshape(axis: int, lengths: Sequence[int] | None) -> Iterable[int]:
    """A length that is stated is not open; one that is worked out, or copied, may be.

    Behind nothing but ones it begins with the first axis, else it is likely to be where it was.
    """
    if lengths is None:
        return [axis]
    if axis >= len(lengths) or lengths[axis] > 0:
        return []
    leads = lengths[axis] < 0 and all(length == 1 for length in lengths[:axis])
    return [0 if leads else axis]


def _before_gather(node: Node, axis: int, constants: Mapping[str, Node]) -> Iterable[int]:
    """One element takes its axis away; a row of them leaves it."""
    inputs = node.get("input", ())
    chosen = constants.get(inputs[1]) if len(inputs) > 1 else None
    if chosen is None or len(chosen.get("dims", ())) > 1:
        return []
    if chosen.get("dims", ()):
        return [axis]
    return [_moved(axis, {_attribute(node, "axis").get("i", 0)}, added=False)]


def _axes(node: Node, constants: Mapping[str, Node]) -> set[int]:
    """The axes that a node adds or takes away, from an attribute or, in newer opsets, an input."""
    inputs = node.get("input", ())
    if len(inputs) > 1 and inputs[1] in constants:
        return set(_held(node, constants) or ())
    return set(_attribute(node, "axes").get("ints", ()))


def _held(node: Node, constants: Mapping[str, Node]) -> Sequence[int] | None:
    """The whole numbers of a node's second input; None where that is no short constant row."""
    inputs = node.get("input", ())
    held = constants.get(inputs[1]) if len(inputs) > 1 else None
    dims = () if held is None else held.get("dims", ())
    if held is None or len(dims) > 1 or max(dims, default=1) > MAX_RANK:
        return None
    numbers = read_constant(held, "what a node takes beside its input").numbers()
    return [number for number in numbers if isinstance(number, int)]


def _moved(axis: int, axes: set[int], added: bool) -> int:
    """The axis before others were added or taken away; -1 where that is not known or it is new.

    Those counted from the end lie behind it in any tensor of three axes, as recurrent layers read.
    """
    if not axes or (min(axes) < 0 and axis - min(axes) >= _RANK):
        return -1
    axes = {other for other in axes if other >= 0}
    if added:
        return -1 if axis in axes else axis - sum(other < axis for other in axes)
    kept = (number for number in range(2 * MAX_RANK) if number not in axes)
    return next(itertools.islice(kept, axis, None), -1)


def _attribute(node: Node, name: str) -> Node:
    found: Iterator[Node] = (
        attribute for attribute in node.get("attribute", ()) if attribute.get("name") == name
    )
    return next(found, {})
