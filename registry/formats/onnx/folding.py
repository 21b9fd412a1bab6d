"""Small constants carried through the nodes that compute shapes.

Exporters write a reshape's target as Shape, Gather, Concat and arithmetic; followed beforehand, it
is a constant. Only numbers of at most MAX_FOLDED elements and of 64 bits are followed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

from registry.formats.onnx.layouts import sliced
from registry.formats.onnx.selections import elements, part_of_shape, range_length
from registry.formats.onnx.values import MAX_FOLDED, Call, CannotInfer, Number, axis_of

Numbers = tuple[Number | None, ...]
_Fold = Callable[[Call], Numbers]
_LIMIT = 2**63


def fold(call: Call) -> Numbers | None:
    """The first output's numbers, flat, or None where they are not known beforehand."""
    rule = _FOLDS.get(call.name)
    if rule is None:
        return None
    try:
        numbers = rule(call)
    except CannotInfer:
        return None
    return tuple(map(_bounded, numbers)) if len(numbers) <= MAX_FOLDED else None


def _bounded(number: Number | None) -> Number | None:
    """A number that 64 bits hold; products of products would grow without end."""
    return number if number is not None and -_LIMIT <= number < _LIMIT else None


def _same(call: Call) -> Numbers:
    return call.numbers(0)


def _cast(call: Call) -> Numbers:
    if call.integer("to") in {1, 10, 11, 16}:
        return call.numbers(0)
    return tuple(None if n is None or not math.isfinite(n) else int(n) for n in call.numbers(0))


def _constant(call: Call) -> Numbers:
    value = call.attributes.get("value")
    if value is None or value.numbers is None:
        raise CannotInfer
    numbers: Numbers = value.numbers
    return numbers


def _filled(call: Call) -> Numbers:
    count = elements(call.lengths(0))
    value = call.attributes.get("value")
    numbers = (0,) if value is None else value.numbers
    if not numbers or not 0 <= count <= MAX_FOLDED:
        raise CannotInfer
    return tuple(numbers[:1]) * count


def _stretched(call: Call) -> Numbers:
    numbers, count = call.numbers(0), elements(call.lengths(1))
    if len(numbers) != 1 or not 0 <= count <= MAX_FOLDED:
        raise CannotInfer
    return numbers * count


def _concatenated(call: Call) -> Numbers:
    joined: list[Number | None] = []
    for position in range(len(call.inputs)):
        if len(call.shape(position)) != 1:
            raise CannotInfer
        joined += call.numbers(position)
        if len(joined) > MAX_FOLDED:
            raise CannotInfer
    return tuple(joined)


def _gathered(call: Call) -> Numbers:
    source, places = call.numbers(0), call.lengths(1)
    if len(call.shape(0)) != 1 or call.integer("axis") not in {0, -1}:
        raise CannotInfer
    return tuple(source[axis_of(place, len(source))] for place in places)


def _cut(call: Call) -> Numbers:
    source = call.numbers(0)
    starts, ends = call.listed("starts", 1), call.listed("ends", 2)
    steps = call.lengths(4) if call.has(4) else (1,)
    if len(call.shape(0)) != 1 or not starts or not ends or len(steps) != 1:
        raise CannotInfer
    if sliced(len(source), starts[0], ends[0], steps[0]) is None:
        raise CannotInfer
    return source[slice(starts[0], ends[0], steps[0])]


def _range(call: Call) -> Numbers:
    count = range_length(call)
    if count is None or count > MAX_FOLDED:
        raise CannotInfer
    start, step = call.numbers(0)[0], call.numbers(2)[0]
    if start is None or step is None:
        raise CannotInfer
    return tuple(start + step * place for place in range(count))


def _pairwise(compute: Callable[[Number, Number], Number]) -> _Fold:
    def rule(call: Call) -> Numbers:
        left, right = call.numbers(0), call.numbers(1)
        count = max(len(left), len(right))
        if not left or not right or min(len(left), len(right)) not in {1, count}:
            raise CannotInfer
        pairs = zip(left * (count // len(left)), right * (count // len(right)), strict=True)
        return tuple(None if None in pair else compute(*pair) for pair in pairs)  # type: ignore[arg-type]

    return rule


def _each(compute: Callable[[Number], Number]) -> _Fold:
    def rule(call: Call) -> Numbers:
        return tuple(
            None if n is None or not math.isfinite(n) else compute(n) for n in call.numbers(0)
        )

    return rule


def _all(compute: Callable[[list[Number]], Number]) -> _Fold:
    def rule(call: Call) -> Numbers:
        numbers = [n for n in call.numbers(0) if n is not None]
        if len(numbers) != len(call.numbers(0)) or not numbers or call.listed("axes", 1):
            raise CannotInfer
        return (compute(numbers),)

    return rule


def _divided(left: Number, right: Number) -> Number:
    """Whole numbers are cut towards zero."""
    if right == 0:
        raise CannotInfer
    if isinstance(left, int) and isinstance(right, int):
        return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return left / right


def _remainder(left: Number, right: Number) -> Number:
    if right == 0:
        raise CannotInfer
    return left % right


def _chosen(call: Call) -> Numbers:
    conditions, first, second = call.numbers(0), call.numbers(1), call.numbers(2)
    if not len(conditions) == len(first) == len(second) or None in conditions:
        raise CannotInfer
    return tuple(
        yes if condition else no
        for condition, yes, no in zip(conditions, first, second, strict=True)
    )


_FOLDS: Mapping[str, _Fold] = {
    **dict.fromkeys(("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"), _same),
    "Shape": part_of_shape,
    "Size": lambda call: (elements(call.shape(0)),),
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Expand": _stretched,
    "Concat": _concatenated,
    "Gather": _gathered,
    "Slice": _cut,
    "Range": _range,
    "Cast": _cast,
    "Where": _chosen,
    "Add": _pairwise(operator.add),
    "Sub": _pairwise(operator.sub),
    "Mul": _pairwise(operator.mul),
    "Div": _pairwise(_divided),
    "Mod": _pairwise(_remainder),
    "Max": _pairwise(max),
    "Min": _pairwise(min),
    "Equal": _pairwise(lambda left, right: int(left == right)),
    "Greater": _pairwise(lambda left, right: int(left > right)),
    "Less": _pairwise(lambda left, right: int(left < right)),
    "Neg": _each(operator.neg),
    "Abs": _each(abs),
    "Floor": _each(math.floor),
    "Ceil": _each(math.ceil),
    "ReduceProd": _all(math.prod),
    "ReduceSum": _all(sum),
    "ReduceMax": _all(max),
    "ReduceMin": _all(min),
}
