"""Shapes behind what reduces, picks or makes tensors.

Rules: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import math

from registry.formats.onnx.values import Call, CannotInfer, Dim, Shape, axes_of, axis_of, product


def reduction(call: Call) -> list[Shape]:
    """Axes become one or go; without axes all of them."""
    source = call.shape(0)
    axes = call.listed("axes", 1)
    if not axes and call.integer("noop_with_empty_axes"):
        return [source]
    gone = set(axes_of(axes or tuple(range(len(source))), len(source)))
    return [_without(source, gone, bool(call.integer("keepdims", 1)))]


def arg_reduction(call: Call) -> list[Shape]:
    """The same along one axis."""
    source = call.shape(0)
    gone = {axis_of(call.integer("axis"), len(source))}
    return [_without(source, gone, bool(call.integer("keepdims", 1)))]


def _without(source: Shape, gone: set[int], keep: bool) -> Shape:
    if keep:
        return tuple(1 if axis in gone else n for axis, n in enumerate(source))
    return tuple(n for axis, n in enumerate(source) if axis not in gone)


def top_k(call: Call) -> list[Shape]:
    """k of an axis; values and indices alike."""
    source = call.shape(0)
    axis = axis_of(call.integer("axis", -1), len(source))
    count = call.lengths(1)[0] if call.has(1) and call.lengths(1) else call.attributes.get("k")
    if not isinstance(count, int):
        raise CannotInfer
    return [(*source[:axis], count, *source[axis + 1 :])] * call.outputs


def one_hot(call: Call) -> list[Shape]:
    """A new axis as long as there are classes."""
    source, depth = call.shape(0), call.lengths(1)
    if len(depth) != 1:
        raise CannotInfer
    axis = axis_of(call.integer("axis", -1), len(source) + 1)
    return [(*source[:axis], depth[0], *source[axis:])]


def shape_of(call: Call) -> list[Shape]:
    """As many numbers as the input has axes, from `start` to `end`."""
    return [(len(part_of_shape(call)),)]


def part_of_shape(call: Call) -> Shape:
    """What the Shape operator gives."""
    source = call.shape(0)
    start, end = call.integer("start"), call.integer("end", len(source))
    return source[slice(start, end)]


def scalar(call: Call) -> list[Shape]:
    """A single number."""
    return [()] * call.outputs


def shape_from_input(call: Call) -> list[Shape]:
    """ConstantOfShape: the input says the shape."""
    return [call.lengths(0)]


def shape_attribute(call: Call) -> list[Shape]:
    """RandomNormal and others: an attribute says the shape."""
    stated = call.integers("shape")
    if stated is None:
        raise CannotInfer
    return [stated]


def constant(call: Call) -> list[Shape]:
    """That of the attribute's value."""
    shape = call.attributes["value"].shape if "value" in call.attributes else None
    if shape is None:
        raise CannotInfer
    return [shape]


def range_(call: Call) -> list[Shape]:
    """As many as steps fit between start and limit."""
    return [(range_length(call),)]


def range_length(call: Call) -> Dim:
    """The number of elements of Range."""
    bounds = [
        call.numbers(position)[0] if call.numbers(position) else None for position in range(3)
    ]
    start, limit, step = bounds
    if start is None or limit is None or not step:
        return None
    steps = (limit - start) / step
    return max(0, math.ceil(steps)) if math.isfinite(steps) else None


def dynamic_quantization(call: Call) -> list[Shape]:
    """The quantized tensor, its scale and its zero point."""
    return [call.shape(0), (), ()]


def region_pool(call: Call) -> list[Shape]:
    """RoiAlign: one patch for each region."""
    source, regions = call.shape(0), call.shape(1)
    if len(source) != 4 or not regions:
        raise CannotInfer
    height, width = call.integer("output_height", 1), call.integer("output_width", 1)
    return [(regions[0], source[1], height, width)]


def sampled_grid(call: Call) -> list[Shape]:
    """GridSample: the grid's places, without its last axis of coordinates."""
    source, grid = call.shape(0), call.shape(1)
    if len(source) < 3 or len(grid) < 2:
        raise CannotInfer
    return [(*source[:2], *grid[1:-1])]


def determinant(call: Call) -> list[Shape]:
    """The last two axes go."""
    return [call.shape(0)[:-2]]


def elements(shape: Shape) -> int:
    """How many there are. Raises CannotInfer where a length is open."""
    count = product(shape)
    if count is None:
        raise CannotInfer
    return count
