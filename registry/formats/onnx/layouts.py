"""Shapes behind what moves, cuts, joins and stretches tensors without computing on them.

Rules: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import math

from registry.formats.onnx.values import (
    Call,
    CannotInfer,
    Dim,
    Shape,
    axes_of,
    axis_of,
    broadcast,
    product,
)


def reshape(call: Call) -> list[Shape]:
    """0 keeps the input's length, -1 takes what is left."""
    wanted = call.listed("shape", 1)
    if wanted is None:
        raise CannotInfer
    source = call.value(0).shape
    lengths = [_kept(n, position, source, call) for position, n in enumerate(wanted)]
    whole = None if source is None else product(source)
    if lengths.count(-1) == 1:
        place = lengths.index(-1)
        rest = product([n for n in lengths if n != -1])
        lengths[place] = None if whole is None or not rest else _whole_share(whole, rest)
    if None not in {whole, product(lengths)} and whole != product(lengths):
        raise CannotInfer
    return [tuple(lengths)]


def _kept(length: Dim, position: int, source: Shape | None, call: Call) -> Dim:
    if length != 0 or call.integer("allowzero"):
        return length
    if source is None or position >= len(source):
        return None
    return source[position]


def _whole_share(whole: int, rest: int) -> int:
    if whole % rest:
        raise CannotInfer
    return whole // rest


def flatten(call: Call) -> list[Shape]:
    """Two axes: what is before the axis, what is from it on."""
    source = call.shape(0)
    axis = call.integer("axis", 1)
    if not -len(source) <= axis <= len(source):
        raise CannotInfer
    at = axis + len(source) if axis < 0 else axis
    return [(product(source[:at]), product(source[at:]))]


def transpose(call: Call) -> list[Shape]:
    """The axes in another order; reversed where none is said."""
    source = call.shape(0)
    order = call.integers("perm") or tuple(reversed(range(len(source))))
    if sorted(order) != list(range(len(source))):
        raise CannotInfer
    return [tuple(source[axis] for axis in order)]


def squeeze(call: Call) -> list[Shape]:
    """Without the axes of length one."""
    source, axes = call.shape(0), call.listed("axes", 1)
    if axes is None:
        if None in source:
            raise CannotInfer
        return [tuple(n for n in source if n != 1)]
    gone = set(axes_of(axes, len(source)))
    return [tuple(n for axis, n in enumerate(source) if axis not in gone)]


def unsqueeze(call: Call) -> list[Shape]:
    """With axes of length one."""
    source, axes = call.shape(0), call.listed("axes", 1)
    if axes is None:
        raise CannotInfer
    rank = len(source) + len(axes)
    new, old = set(axes_of(axes, rank)), iter(source)
    if len(new) != len(axes):
        raise CannotInfer
    return [tuple(1 if axis in new else next(old) for axis in range(rank))]


def concat(call: Call) -> list[Shape]:
    """One behind the other along an axis."""
    shapes = [call.shape(position) for position in range(len(call.inputs))]
    if not shapes or len({len(shape) for shape in shapes}) != 1:
        raise CannotInfer
    axis = axis_of(call.integer("axis", 1), len(shapes[0]))
    along = [shape[axis] for shape in shapes]
    whole = None if None in along else sum(n for n in along if n is not None)
    # Of the other axes any one shape speaks for all.
    others = [
        next((n for n in column if n is not None), None) for column in zip(*shapes, strict=True)
    ]
    return [tuple(whole if place == axis else n for place, n in enumerate(others))]


def split(call: Call) -> list[Shape]:
    """Parts along an axis: of stated lengths, or as equal as they come."""
    source = call.shape(0)
    axis = axis_of(call.integer("axis"), len(source))
    lengths = call.listed("split", 1)
    if lengths is None:
        lengths = _equal_parts(source[axis], call.outputs)
    if len(lengths) != call.outputs:
        raise CannotInfer
    return [(*source[:axis], n, *source[axis + 1 :]) for n in lengths]


def _equal_parts(length: Dim, count: int) -> tuple[Dim, ...]:
    if length is None or count < 1:
        return (None,) * count
    part = -(-length // count)
    return tuple(max(0, min(part, length - part * place)) for place in range(count))


def slice_(call: Call) -> list[Shape]:
    """From starts to ends along axes, in steps."""
    source = call.shape(0)
    starts, ends = call.listed("starts", 1), call.listed("ends", 2)
    if starts is None or ends is None or len(starts) != len(ends):
        raise CannotInfer
    axes = axes_of(call.listed("axes", 3) or tuple(range(len(starts))), len(source))
    steps = call.lengths(4) if call.has(4) else (1,) * len(starts)
    if not len(axes) == len(steps) == len(starts):
        raise CannotInfer
    lengths = list(source)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        lengths[axis] = sliced(source[axis], start, end, step)
    return [tuple(lengths)]


def sliced(length: Dim, start: Dim, end: Dim, step: Dim) -> Dim:
    """How many elements a slice has; out-of-range ends are clamped as Python does."""
    if length is None or start is None or end is None or not step:
        return None
    return len(range(length)[slice(start, end, step)])


def gather(call: Call) -> list[Shape]:
    """An axis is replaced by the shape of the indices."""
    source, indices = call.shape(0), call.shape(1)
    axis = axis_of(call.integer("axis"), len(source))
    return [(*source[:axis], *indices, *source[axis + 1 :])]


def gather_nd(call: Call) -> list[Shape]:
    """The last axis of the indices says how many leading axes they address."""
    source, indices = call.shape(0), call.shape(1)
    batch = call.integer("batch_dims")
    depth = indices[-1] if indices else None
    if depth is None or not 0 <= batch <= len(source) or batch + depth > len(source):
        raise CannotInfer
    return [(*indices[:-1], *source[batch + depth :])]


def like_second(call: Call) -> list[Shape]:
    """GatherElements, and whatever else has the shape of its second input."""
    return [call.shape(1)]


def expand(call: Call) -> list[Shape]:
    """Stretched to a shape, both ways."""
    return [broadcast(call.shape(0), call.lengths(1))]


def tile(call: Call) -> list[Shape]:
    """Repeated along each axis."""
    source, times = call.shape(0), call.lengths(1)
    if len(times) != len(source):
        raise CannotInfer
    return [tuple(product(pair) for pair in zip(source, times, strict=True))]


def pad(call: Call) -> list[Shape]:
    """Longer by the padding on both ends."""
    source = call.shape(0)
    pads = call.integers("paddings") if call.opset < 2 else call.listed("pads", 1)
    if pads is None:
        raise CannotInfer
    axes = axes_of(call.lengths(3), len(source)) if call.has(3) else tuple(range(len(source)))
    if len(pads) != 2 * len(axes):
        raise CannotInfer
    lengths = list(source)
    for place, axis in enumerate(axes):
        parts = (source[axis], pads[place], pads[len(axes) + place])
        lengths[axis] = None if None in parts else sum(n for n in parts if n is not None)
    return [tuple(lengths)]


def resize(call: Call) -> list[Shape]:
    """To stated sizes, or by stated scales rounded down."""
    source = call.shape(0)
    axes = axes_of(call.integers("axes") or tuple(range(len(source))), len(source))
    if call.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise CannotInfer
    if call.has(3):
        return [_replaced(source, axes, call.lengths(3))]
    scales = call.numbers(1 if call.opset < 11 else 2)
    if len(scales) != len(axes):
        raise CannotInfer
    return [
        _replaced(source, axes, [_scaled(source[a], s) for a, s in zip(axes, scales, strict=True)])
    ]


def upsample(call: Call) -> list[Shape]:
    """Resize as it was before opset 10, with the scales as an attribute at first."""
    source = call.shape(0)
    stated = call.attributes.get("scales")
    scales = call.numbers(1) if call.has(1) else stated
    if not isinstance(scales, tuple) or len(scales) != len(source):
        raise CannotInfer
    return [tuple(_scaled(n, scale) for n, scale in zip(source, scales, strict=True))]


def _replaced(source: Shape, axes: tuple[int, ...], lengths: tuple[Dim, ...] | list[Dim]) -> Shape:
    if len(lengths) != len(axes):
        raise CannotInfer
    new = dict(zip(axes, lengths, strict=True))
    return tuple(new.get(axis, n) for axis, n in enumerate(source))


def _scaled(length: Dim, scale: object) -> Dim:
    if length is None or not isinstance(scale, (int, float)) or not math.isfinite(scale):
        return None
    return math.floor(length * scale)


def depth_to_space(call: Call) -> list[Shape]:
    """Channels become places."""
    batch, depth, height, width, block = _blocked(call)
    if depth % block**2:
        raise CannotInfer
    return [(batch, depth // block**2, height * block, width * block)]


def space_to_depth(call: Call) -> list[Shape]:
    """Places become channels."""
    batch, depth, height, width, block = _blocked(call)
    return [(batch, depth * block**2, height // block, width // block)]


def _blocked(call: Call) -> tuple[Dim, int, int, int, int]:
    source, block = call.shape(0), call.integer("blocksize")
    if len(source) != 4 or None in source[1:] or block < 1:
        raise CannotInfer
    depth, height, width = (int(n) for n in source[1:] if n is not None)
    return source[0], depth, height, width, block
