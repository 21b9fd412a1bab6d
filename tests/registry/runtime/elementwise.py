"""Operators that work element by element, in every type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.registry.runtime.cases import SHAPES, TYPES, Case, one
from tests.registry.runtime.schema import Spec

UNARY = "ABS CEIL COS ELU EXP FLOOR HARD_SWISH LOG LOGICAL_NOT NEG RELU RELU6 ROUND RSQRT SIN"


UNARY_PLAIN = (*UNARY.split(), "SQRT", "SQUARE", "ZEROS_LIKE", "L2_NORMALIZATION")


_BOUNDED = {  # scale and zero point that the kernels insist on
    ("LOGISTIC", "INT8"): (1 / 256, -128),
    ("LOGISTIC", "INT16"): (1 / 32768, 0),
    ("TANH", "INT8"): (1 / 128, 0),
    ("TANH", "INT16"): (1 / 32768, 0),
    ("SOFTMAX", "INT8"): (1 / 256, -128),
    ("SOFTMAX", "INT16"): (1 / 32768, 0),
    ("LOG_SOFTMAX", "INT8"): (16 / 256, 127),
    ("L2_NORMALIZATION", "INT8"): (1 / 128, 0),
}


def unary() -> Iterator[Case]:
    for operator in (*UNARY_PLAIN, "LOGISTIC", "TANH", "SOFTMAX", "LOG_SOFTMAX", "LEAKY_RELU"):
        for dtype in TYPES:
            for shape in SHAPES if dtype in ("FLOAT32", "INT8") else SHAPES[:1]:
                yield unary_case(operator, Spec(shape, dtype))


def unary_case(operator: str, source: Spec) -> Case:
    target = source
    if bounded := _BOUNDED.get((operator, source.dtype)):
        target = replace(source, scales=(bounded[0],), zero_point=bounded[1])
    if operator == "SOFTMAX":
        return one(operator, [source], [target], "SoftmaxOptions", beta=1.0)
    if operator == "LEAKY_RELU":
        return one(operator, [source], [target], "LeakyReluOptions", alpha=0.1)
    if operator == "L2_NORMALIZATION":
        return one(operator, [source], [target], "L2NormOptions")
    return one(operator, [source], [target])


ARITHMETIC = ("ADD", "SUB", "MUL", "DIV")


_PLAIN_PAIRS = ("FLOOR_DIV", "FLOOR_MOD", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU")


_COMPARED = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")


_LOGICAL = ("LOGICAL_AND", "LOGICAL_OR")


_PAIRS = (((1, 4, 4, 8), (1, 4, 4, 8)), ((2, 3, 8), (8,)), ((6,), (6,)), ((1, 3, 3, 2), ()))


def binary() -> Iterator[Case]:
    for operator in (*ARITHMETIC, *_PLAIN_PAIRS, *_COMPARED, *_LOGICAL):
        for dtype in TYPES:
            for left, right in _PAIRS if dtype in ("FLOAT32", "INT8") else _PAIRS[:1]:
                for fixed in (False, True):
                    second = Spec(right, dtype, constant=fixed)
                    yield binary_case(operator, Spec(left, dtype), second)
    for operator in ("ADD", "SUB", "MUL"):
        for activation in (1, 3):
            for dtype in ("FLOAT32", "INT8", "INT16", "INT32"):
                each = Spec((2, 8), dtype)
                yield binary_case(operator, each, each, fusedActivationFunction=activation)


def binary_case(operator: str, left: Spec, right: Spec, **values: Any) -> Case:
    dtype = "BOOL" if operator in _COMPARED or operator in _LOGICAL else left.dtype
    options = f"{operator.title()}Options" if operator in ARITHMETIC else ""
    return one(operator, [left, right], [Spec(left.shape, dtype)], options, **values)


def converting() -> Iterator[Case]:
    for operator in ("CAST", "QUANTIZE", "DEQUANTIZE"):
        for source in TYPES:
            for target in TYPES:
                options = "CastOptions" if operator == "CAST" else ""
                yield one(operator, [Spec((2, 8), source)], [Spec((2, 8), target)], options)
    for source in ("FLOAT32", "INT8", "INT16", "INT32", "UINT8"):
        for target in ("INT8", "INT16", "INT32", "UINT8"):
            yield one("QUANTIZE", [Spec((2, 8), source)], [Spec((2, 8), target, scales=(0.25,))])
