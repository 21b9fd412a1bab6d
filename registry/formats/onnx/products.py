"""Shapes behind products of tensors: matrices, recurrences, attention.

Rules: https://onnx.ai/onnx/operators/ (MatMul, Gemm, Einsum, LSTM, Attention).
"""

from __future__ import annotations

from registry.formats.onnx.values import Call, CannotInfer, Shape, broadcast


def matrix_product(call: Call) -> list[Shape]:
    """MatMul, by numpy's rule."""
    return [product_shape(call.shape(0), call.shape(1))]


def quantized_matrix_product(call: Call) -> list[Shape]:
    """QLinearMatMul: the second factor stands behind the first one's scale and zero point."""
    return [product_shape(call.shape(0), call.shape(3))]


def product_shape(left: Shape, right: Shape) -> Shape:
    """A vector on either side counts as a matrix of one row or column, which then goes."""
    if not left or not right:
        raise CannotInfer
    rows = left[-2:-1]
    columns = right[-1:] if len(right) > 1 else ()
    return (*broadcast(left[:-2], right[:-2]), *rows, *columns)


def gemm(call: Call) -> list[Shape]:
    """General matrix multiplication, either side turned on request."""
    left, right = call.shape(0), call.shape(1)
    if len(left) != 2 or len(right) != 2:
        raise CannotInfer
    rows = left[1] if call.integer("transA") else left[0]
    columns = right[0] if call.integer("transB") else right[1]
    return [(rows, columns)]


def labels_of(equation: str) -> tuple[list[str], str] | None:
    """Einsum's operand labels and its result's; None for the forms with an ellipsis."""
    text = equation.replace(" ", "")
    if "." in text:
        return None
    operands, arrow, result = text.partition("->")
    if not arrow:
        found = operands.replace(",", "")
        result = "".join(sorted(label for label in set(found) if found.count(label) == 1))
    return operands.split(","), result


def einsum(call: Call) -> list[Shape]:
    """Each letter of the equation is one length."""
    parsed = labels_of(call.text("equation"))
    if parsed is None or len(parsed[0]) != len(call.inputs):
        raise CannotInfer
    lengths: dict[str, int | None] = {}
    for position, labels in enumerate(parsed[0]):
        shape = call.shape(position)
        if len(labels) != len(shape):
            raise CannotInfer
        lengths |= dict(zip(labels, shape, strict=True))
    if not set(parsed[1]) <= lengths.keys():
        raise CannotInfer
    return [tuple(lengths[label] for label in parsed[1])]


def recurrence(call: Call) -> list[Shape]:
    """LSTM, GRU, RNN: every step's state, then the last state (twice for an LSTM)."""
    source, recurrent = call.shape(0), call.shape(2)
    if len(source) != 3 or len(recurrent) != 3:
        raise CannotInfer
    directions, hidden = recurrent[0], recurrent[2]
    if call.integer("layout"):
        batch, steps = source[:2]
        last: Shape = (batch, directions, hidden)
        return [(batch, steps, directions, hidden), last, last][: call.outputs]
    steps, batch = source[:2]
    last = (directions, batch, hidden)
    return [(steps, directions, batch, hidden), last, last][: call.outputs]


def attention(call: Call) -> list[Shape]:
    """The queries' shape with the values' width; caches beside it are not followed."""
    query, values = call.shape(0), call.shape(2)
    if len(query) != len(values) or len(query) not in {3, 4}:
        raise CannotInfer
    if len(query) == 4:
        return [(*query[:3], values[3])]
    heads, key_heads = call.integer("q_num_heads"), call.integer("kv_num_heads")
    if heads < 1 or key_heads < 1 or values[2] is None:
        raise CannotInfer
    return [(*query[:2], heads * (values[2] // key_heads))]
