"""Convolutions of many sizes, strides, dilations and paddings."""

from __future__ import annotations

from collections.abc import Iterator

from tests.registry.runtime.cases import BIAS, TYPES, Case, one, scaled_bias
from tests.registry.runtime.schema import Spec, whole


def convolutions() -> Iterator[Case]:
    sizes = ((1, 1), (3, 3), (1, 5), (5, 1), (2, 3), (10, 4))
    for dtype, weight in (("FLOAT32", "FLOAT32"), ("INT8", "INT8"), ("INT16", "INT8")):
        for size in sizes:
            for stride, dilation, padding in ((1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 1)):
                for channels, filters in ((1, 1), (3, 5), (8, 4)):
                    yield conv(dtype, weight, size, channels, filters, stride, dilation, padding)
    yield conv("INT8", "INT4", (3, 3), 8, 4)
    yield conv("INT8", "INT4", (1, 1), 7, 3)
    yield conv("INT8", "INT8", (3, 3), 4, 4, bias=False)
    yield conv("INT16", "INT8", (3, 3), 4, 4, bias=False)
    yield conv("INT16", "INT8", (3, 3), 4, 4, bias_type="INT32")
    yield conv("INT8", "INT8", (3, 3), 4, 8, per_channel=False)
    yield conv("INT8", "INT8", (3, 3), 4, 8, groups=2)
    yield conv("FLOAT32", "FLOAT32", (3, 3), 4, 8, groups=2)
    yield conv("INT8", "INT8", (3, 3), 4, 8, batch=2)
    yield conv("FLOAT32", "INT8", (3, 3), 4, 8)
    for dtype in TYPES:
        if dtype not in ("FLOAT32", "INT8", "INT16"):
            yield conv(dtype, dtype, (3, 3), 4, 8, bias=False)


def conv(
    dtype: str,
    weight: str,
    size: tuple[int, int],
    channels: int,
    filters: int,
    stride: int = 1,
    dilation: int = 1,
    padding: int = 0,
    *,
    bias: bool = True,
    bias_type: str = "",
    per_channel: bool = True,
    groups: int = 1,
    batch: int = 1,
) -> Case:
    """CONV_2D; padding 0 is SAME, 1 VALID."""
    source = Spec((batch, 12, 11, channels), dtype)
    scales = (0.5,) * (filters if per_channel else 1)
    kernel = Spec((filters, *size, channels // groups), weight, constant=True, scales=scales)
    extra = scaled_bias(filters, bias_type or BIAS.get(dtype, "INT32"), len(scales))
    target = Spec((batch, *strided((12, 11), size, stride, dilation, padding), filters), dtype)
    return one(
        "CONV_2D",
        [source, kernel, extra if bias else None],
        [target],
        "Conv2DOptions",
        padding=padding,
        strideH=stride,
        strideW=stride,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
    )


def strided(
    sides: tuple[int, int], size: tuple[int, int], stride: int, dilation: int, padding: int
) -> tuple[int, ...]:
    covered = [(width - 1) * dilation + 1 if padding else 1 for width in size]
    return tuple((side - width) // stride + 1 for side, width in zip(sides, covered, strict=True))


def depthwise_convolutions() -> Iterator[Case]:
    for dtype, weight in (("FLOAT32", "FLOAT32"), ("INT8", "INT8"), ("INT16", "INT8")):
        for size in ((3, 3), (1, 1), (5, 5), (3, 1)):
            for stride, dilation, padding in ((1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 1)):
                for channels, multiplier in ((8, 1), (3, 1), (1, 8), (4, 2)):
                    yield depthwise(
                        dtype, weight, size, channels, multiplier, stride, dilation, padding
                    )
    yield depthwise("INT8", "INT4", (3, 3), 8, 1)
    for dtype in ("FLOAT32", "INT8", "INT16"):
        weight = "FLOAT32" if dtype == "FLOAT32" else "INT8"
        yield depthwise(dtype, weight, (3, 3), 8, 1, bias=False)
    yield depthwise("INT8", "INT8", (3, 3), 8, 1, per_channel=False)
    for dtype in TYPES:
        if dtype not in ("FLOAT32", "INT8", "INT16"):
            yield depthwise(dtype, dtype, (3, 3), 4, 1, bias=False)


def depthwise(
    dtype: str,
    weight: str,
    size: tuple[int, int],
    channels: int,
    multiplier: int,
    stride: int = 1,
    dilation: int = 1,
    padding: int = 0,
    *,
    bias: bool = True,
    per_channel: bool = True,
) -> Case:
    """DEPTHWISE_CONV_2D."""
    filters = channels * multiplier
    scales = (0.5,) * (filters if per_channel else 1)
    kernel = Spec((1, *size, filters), weight, constant=True, scales=scales, axis=3)
    extra = scaled_bias(filters, BIAS.get(dtype, "INT32"), len(scales))
    target = Spec((1, *strided((12, 11), size, stride, dilation, padding), filters), dtype)
    return one(
        "DEPTHWISE_CONV_2D",
        [Spec((1, 12, 11, channels), dtype), kernel, extra if bias else None],
        [target],
        "DepthwiseConv2DOptions",
        padding=padding,
        strideH=stride,
        strideW=stride,
        depthMultiplier=multiplier,
        dilationHFactor=dilation,
        dilationWFactor=dilation,
    )


def transposed_convolutions() -> Iterator[Case]:
    for dtype, weight in (("FLOAT32", "FLOAT32"), ("INT8", "INT8"), ("INT16", "INT8")):
        for stride, size, channels, bias in (
            (1, (3, 3), 4, True),
            (2, (3, 3), 4, False),
            (2, (2, 2), 20, True),
            (3, (3, 3), 20, True),
        ):
            source = Spec((1, 4, 5, channels), dtype)
            kernel = Spec((6, *size, channels), weight, constant=True, scales=(0.5,) * 6)
            shape = (1, 4 * stride, 5 * stride, 6)
            inputs = [whole(shape), kernel, source]
            if bias:
                inputs.append(scaled_bias(6, BIAS[dtype], 6))
            yield one(
                "TRANSPOSE_CONV",
                inputs,
                [Spec(shape, dtype)],
                "TransposeConvOptions",
                strideH=stride,
                strideW=stride,
            )
    for dtype in TYPES:
        if dtype not in ("FLOAT32", "INT8", "INT16"):
            yield one(
                "TRANSPOSE_CONV",
                [
                    whole((1, 4, 4, 2)),
                    Spec((2, 3, 3, 2), dtype, constant=True),
                    Spec((1, 4, 4, 2), dtype),
                ],
                [Spec((1, 4, 4, 2), dtype)],
                "TransposeConvOptions",
                strideH=1,
                strideW=1,
            )
