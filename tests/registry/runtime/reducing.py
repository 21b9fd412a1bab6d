"""Pooling, and operators along axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.registry.runtime.cases import TYPES, Case, one
from tests.registry.runtime.convolving import strided
from tests.registry.runtime.schema import Spec, whole


def pooling() -> Iterator[Case]:
    for operator in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
        for dtype in TYPES:
            for channels, stride, padding in ((8, 2, 0), (3, 1, 1)):
                sides = strided((8, 6), (2, 2), stride, 1, padding)
                yield one(
                    operator,
                    [Spec((1, 8, 6, channels), dtype)],
                    [Spec((1, *sides, channels), dtype)],
                    "Pool2DOptions",
                    padding=padding,
                    strideH=stride,
                    strideW=stride,
                    filterHeight=2,
                    filterWidth=2,
                )


def reducing() -> Iterator[Case]:
    shapes = ((1, 4, 4, 8), (3, 5), (2, 3, 4))
    for operator in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL"):
        for dtype in TYPES:
            for shape in shapes:
                for axes in ((1,), (0, 1), tuple(range(1, len(shape)))):
                    for keep in (True, False):
                        yield _reduce(operator, Spec(shape, dtype), axes, keep)
    for operator in ("ARG_MAX", "ARG_MIN"):
        for dtype in TYPES:
            for given in ("INT32", "INT64"):
                source, result = Spec((2, 3, 4), dtype), Spec((2, 4), given)
                kind = 2 if given == "INT32" else 4
                options = "ArgMaxOptions" if operator == "ARG_MAX" else "ArgMinOptions"
                axis = whole((1,), ())
                yield one(operator, [source, axis], [result], options, outputType=kind)
    for dtype in TYPES:
        yield one(
            "CUMSUM",
            [Spec((2, 3, 4), dtype), whole((1,), ())],
            [Spec((2, 3, 4), dtype)],
            "CumsumOptions",
        )


def _reduce(operator: str, source: Spec, axes: tuple[int, ...], keep: bool) -> Case:
    kept = [
        1 if axis in axes else size
        for axis, size in enumerate(source.shape)
        if keep or axis not in axes
    ]
    inputs = [source, whole(axes)]
    target = replace(source, shape=tuple(kept))
    return one(operator, inputs, [target], "ReducerOptions", keepDims=keep)
