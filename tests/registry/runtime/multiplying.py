"""Dense layers, matrix products and recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.registry.runtime.cases import BIAS, TYPES, Case, one, scaled_bias
from tests.registry.runtime.schema import Spec


def dense() -> Iterator[Case]:
    pairs = [("FLOAT32", "FLOAT32"), ("INT8", "INT8"), ("INT16", "INT8"), ("INT8", "INT4")]
    pairs += [("INT16", "INT16"), ("FLOAT32", "INT8"), ("INT16", "INT4"), ("UINT8", "UINT8")]
    pairs += [("INT32", "INT32"), ("FLOAT16", "FLOAT16"), ("INT4", "INT4")]
    for dtype, weight in pairs:
        for shape in ((1, 8), (4, 8), (2, 3, 8), (1, 1, 1, 8), (2, 2, 7), (24,)):
            for channels in (1, 5):
                kernel = Spec((5, shape[-1]), weight, constant=True, scales=(0.5,) * channels)
                bias = scaled_bias(5, BIAS.get(dtype, "INT32"), channels)
                for extra in (bias, None):
                    yield one(
                        "FULLY_CONNECTED",
                        [Spec(shape, dtype), kernel, extra],
                        [Spec((*shape[:-1], 5), dtype)],
                        "FullyConnectedOptions",
                        keepNumDims=len(shape) > 2,
                    )
    for dtype in ("INT8", "FLOAT32", "INT16"):
        weight = "FLOAT32" if dtype == "FLOAT32" else "INT8"
        moving = Spec((5, 8), weight)
        yield one(
            "FULLY_CONNECTED",
            [Spec((2, 8), dtype), moving, None],
            [Spec((2, 5), dtype)],
            "FullyConnectedOptions",
        )
        fixed = Spec((5, 8), weight, constant=True)
        yield one(
            "FULLY_CONNECTED",
            [Spec((2, 8), dtype), fixed],
            [Spec((2, 5), dtype)],
            "FullyConnectedOptions",
        )


def products() -> Iterator[Case]:
    for dtype in TYPES:
        for fixed in (False, True):
            for x, y in ((False, False), (True, False), (False, True), (True, True)):
                for batch in ((), (2,), (2, 3)):
                    left = Spec((*batch, *((4, 3) if x else (3, 4))), dtype)
                    right = Spec((*batch, *((5, 4) if y else (4, 5))), dtype, constant=fixed)
                    target = Spec((*batch, 3, 5), dtype)
                    yield one(
                        "BATCH_MATMUL",
                        [left, right],
                        [target],
                        "BatchMatMulOptions",
                        adjX=x,
                        adjY=y,
                    )
            if dtype not in ("FLOAT32", "INT8", "INT16"):
                break


def recurrent() -> Iterator[Case]:
    for source, weight, time, state in (
        ("FLOAT32", "FLOAT32", "FLOAT32", "FLOAT32"),
        ("INT8", "INT8", "INT16", "INT16"),
        ("INT8", "INT8", "INT8", "INT8"),
        ("INT16", "INT8", "INT16", "INT16"),
    ):
        bias = scaled_bias(8, "FLOAT32" if source == "FLOAT32" else "INT32", 1)
        for extra in (bias, None):
            for batch in (1, 2):
                yield one(
                    "SVDF",
                    [
                        Spec((batch, 10), source),
                        Spec((16, 10), weight, constant=True),
                        Spec((16, 4), time, constant=True),
                        extra,
                        Spec((batch, 16 * 4), state, variable=True),
                    ],
                    [Spec((batch, 8), source)],
                    "SVDFOptions",
                    rank=2,
                    fusedActivationFunction=1,
                )
        for major in (False, True):
            for batch in (1, 3):
                yield lstm(source, weight, major, batch)


def lstm(source: str, weight: str, time_major: bool, batch: int) -> Case:
    """UNIDIRECTIONAL_SEQUENCE_LSTM of 6 units on 3 features over 5 steps."""
    scale = (1 / 32768,)
    own = Spec((6, 3), weight, constant=True)
    recurrent = Spec((6, 6), weight, constant=True)
    bias = Spec((6,), {"INT8": "INT32", "INT16": "INT64"}.get(source, "FLOAT32"), constant=True)
    cell = Spec(
        (batch, 6), "FLOAT32" if source == "FLOAT32" else "INT16", variable=True, scales=scale
    )
    hidden = Spec((batch, 6), source, variable=True, scales=(1 / 128,))
    first = (5, batch) if time_major else (batch, 5)
    inputs: list[Spec | None] = [Spec((*first, 3), source)]
    inputs += [own] * 4 + [recurrent] * 4 + [None] * 3 + [bias] * 4 + [None] * 2
    inputs += [hidden, cell] + [None] * 4
    gates = [Spec((0,), "INT16" if source != "FLOAT32" else "FLOAT32", scales=(0.01,))] * 5
    return one(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs,
        [replace(hidden, shape=(*first, 6), variable=False)],
        "UnidirectionalSequenceLSTMOptions",
        gates,
        timeMajor=time_major,
        fusedActivationFunction=4,
    )
