"""What most files do not have: inputs that are no constants, and many dimensions."""

from __future__ import annotations

from collections.abc import Iterator

from tests.registry.runtime.cases import Case, one
from tests.registry.runtime.elementwise import ARITHMETIC, binary_case, unary_case
from tests.registry.runtime.schema import Spec, whole


def left_open() -> Iterator[Case]:
    """What is a constant in most files, but need not be."""
    for dtype in ("FLOAT32", "INT8"):
        data, image = Spec((2, 12), dtype), Spec((1, 4, 4, 8), dtype)
        number, pair = Spec((1,), "INT32"), Spec((2,), "INT32")
        yield one("RESHAPE", [data, pair], [Spec((12, 2), dtype)])
        yield one("EXPAND_DIMS", [data, number], [Spec((2, 1, 12), dtype)])
        yield one("TRANSPOSE", [data, pair], [data])
        yield one("SLICE", [data, pair, pair], [Spec((1, 1), dtype)])
        yield one("SLICE", [data, whole((0, 0)), pair], [Spec((1, 1), dtype)])
        yield one(
            "STRIDED_SLICE", [data, whole((0, 0)), pair, whole((1, 1))], [Spec((1, 1), dtype)]
        )
        yield one("REVERSE_V2", [data, number], [data])
        yield one("BROADCAST_TO", [Spec((1, 1), dtype), pair], [Spec((1, 1), dtype)])
        yield one("FILL", [pair, Spec((), dtype)], [Spec((1, 1), dtype)])
        yield one("RESIZE_BILINEAR", [image, pair], [Spec((1, 1, 1, 8), dtype)])
        yield one("RESIZE_NEAREST_NEIGHBOR", [image, pair], [Spec((1, 1, 1, 8), dtype)])
        yield one("MEAN", [data, number], [Spec((2,), dtype)])
        yield one("REDUCE_MAX", [data, number], [Spec((2,), dtype)])
        yield one("ARG_MAX", [data, number], [Spec((2,), "INT32")])
        yield one("CUMSUM", [data, number], [data])
        yield one("PAD", [data, Spec((2, 2), "INT32")], [Spec((4, 14), dtype)])
        yield one("MIRROR_PAD", [data, Spec((2, 2), "INT32")], [Spec((4, 14), dtype)])
        yield one("SPLIT", [number, data], [Spec((2, 6), dtype)] * 2, "SplitOptions", numSplits=2)
        sizes = Spec((2,), "INT32")
        parts = [Spec((1, 12), dtype)] * 2
        yield one("SPLIT_V", [data, sizes, whole((0,), ())], parts, "SplitVOptions", numSplits=2)
        yield one("SPLIT_V", [data, whole((1, 1)), number], parts, "SplitVOptions", numSplits=2)
        yield one("GATHER_ND", [data, Spec((2, 1), "INT32")], [data])
        blocks, crops = Spec((2,), "INT32"), Spec((2, 2), "INT32")
        yield one("SPACE_TO_BATCH_ND", [image, blocks, whole((0, 0, 0, 0), (2, 2))], [image])
        yield one("BATCH_TO_SPACE_ND", [image, blocks, whole((0, 0, 0, 0), (2, 2))], [image])
        yield one("BATCH_TO_SPACE_ND", [image, whole((1, 1)), crops], [image])
        yield one(
            "PADV2", [data, whole((0, 0, 1, 1), (2, 2)), Spec((1,), dtype)], [Spec((2, 14), dtype)]
        )
        yield one("EMBEDDING_LOOKUP", [Spec((3,), "INT32"), data.fixed()], [Spec((3, 12), dtype)])
        yield one("EMBEDDING_LOOKUP", [whole((1, 0)), data], [Spec((2, 12), dtype)])
        kernel = Spec((4, 3, 3, 8), dtype, scales=(0.5,) * 4)
        yield one(
            "CONV_2D",
            [image, kernel],
            [Spec((1, 4, 4, 4), dtype)],
            "Conv2DOptions",
            strideH=1,
            strideW=1,
        )
        yield one(
            "DEPTHWISE_CONV_2D",
            [image, Spec((1, 3, 3, 8), dtype, axis=3, scales=(0.5,) * 8, constant=True)],
            [image],
            "DepthwiseConv2DOptions",
            strideH=1,
            strideW=1,
            depthMultiplier=1,
        )
        yield one(
            "TRANSPOSE_CONV",
            [Spec((4,), "INT32"), Spec((1, 3, 3, 8), dtype, constant=True), image],
            [Spec((1, 1, 1, 1), dtype)],
            "TransposeConvOptions",
            strideH=1,
            strideW=1,
        )
        yield one("SHAPE", [data.fixed()], [Spec((2,), "INT32")], "ShapeOptions", outType=2)
        yield one("PRELU", [image, Spec((1, 1, 8), dtype, constant=True)], [image])
        yield one("SELECT_V2", [Spec((2, 12), "BOOL", constant=True), data, data.fixed()], [data])
        yield one(
            "L2_NORMALIZATION",
            [Spec((4,), dtype)],
            [Spec((4,), dtype, scales=(1 / 128,))],
            "L2NormOptions",
        )


def ranks() -> Iterator[Case]:
    """Tensors of five and six dimensions, where kernels have limits of their own."""
    for rank in (5, 6):
        for dtype in ("FLOAT32", "INT8"):
            data = Spec((1,) * (rank - 2) + (2, 3), dtype)
            for operator in ("RELU", "TANH", "LOGISTIC", "SOFTMAX", "ABS"):
                yield unary_case(operator, data)
            for operator in (*ARITHMETIC, "MAXIMUM", "SQUARED_DIFFERENCE", "EQUAL", "PRELU"):
                yield binary_case(operator, data, data)
                yield binary_case(operator, data, Spec((3,), dtype))
            axes = whole(tuple(range(rank)))
            yield one("TRANSPOSE", [data, axes], [data])
            yield one("SLICE", [data, whole((0,) * rank), whole(data.shape)], [data])
            ones = whole((1,) * rank)
            yield one(
                "STRIDED_SLICE",
                [data, whole((0,) * rank), whole(data.shape), ones],
                [data],
                "StridedSliceOptions",
            )
            yield one(
                "MEAN", [data, whole((rank - 1,))], [Spec(data.shape[:-1], dtype)], "ReducerOptions"
            )
            yield one(
                "REDUCE_MAX",
                [data, whole((rank - 1,))],
                [Spec(data.shape[:-1], dtype)],
                "ReducerOptions",
            )
            yield one("PAD", [data, whole((0,) * 2 * rank, (rank, 2))], [data])
            yield one(
                "MIRROR_PAD", [data, whole((0,) * 2 * rank, (rank, 2))], [data], "MirrorPadOptions"
            )
            yield one(
                "CONCATENATION",
                [data, data],
                [Spec((*data.shape[:-1], 6), dtype)],
                "ConcatenationOptions",
                axis=-1,
            )
            yield one(
                "PACK", [data, data], [Spec((2, *data.shape), dtype)], "PackOptions", valuesCount=2
            )
            yield one("RESHAPE", [data], [Spec((6,), dtype)])
            yield one("BROADCAST_TO", [data, whole(data.shape)], [data])
            yield one("GATHER", [data, whole((0,))], [data], "GatherOptions")
            yield one("REVERSE_V2", [data, whole((1,))], [data])
            yield one("EXPAND_DIMS", [data, whole((0,))], [Spec((1, *data.shape), dtype)])
            yield one(
                "SPLIT",
                [whole((rank - 2,)), data],
                [Spec((*data.shape[:-2], 1, 3), dtype)] * 2,
                "SplitOptions",
                numSplits=2,
            )
            yield one("CUMSUM", [data, whole((0,))], [data])
            yield one("ARG_MAX", [data, whole((rank - 1,))], [Spec(data.shape[:-1], "INT32")])
            yield one("DYNAMIC_UPDATE_SLICE", [data, data, whole((0,) * rank)], [data])
            yield one("SELECT_V2", [Spec(data.shape, "BOOL"), data, data], [data])
            left = Spec((*(1,) * (rank - 2), 3, 4), dtype)
            right = Spec((*(1,) * (rank - 2), 4, 3), dtype)
            yield one(
                "BATCH_MATMUL",
                [left, right],
                [Spec((*(1,) * (rank - 2), 3, 3), dtype)],
                "BatchMatMulOptions",
            )
            yield one(
                "FULLY_CONNECTED",
                [data, Spec((4, 3), dtype, constant=True)],
                [Spec((*data.shape[:-1], 4), dtype)],
                "FullyConnectedOptions",
                keepNumDims=True,
            )
