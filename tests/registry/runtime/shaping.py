"""Operators that move, cut, pad and join."""

from __future__ import annotations

from collections.abc import Iterator

from tests.registry.runtime.cases import TYPES, Case, one
from tests.registry.runtime.schema import Spec, whole


def shaping() -> Iterator[Case]:
    for dtype in TYPES:
        one_d, image, matrix = Spec((24,), dtype), Spec((1, 4, 4, 8), dtype), Spec((2, 12), dtype)
        yield one("RESHAPE", [one_d, whole((2, 12))], [matrix], "ReshapeOptions", newShape=[2, 12])
        yield one("RESHAPE", [one_d], [matrix], "ReshapeOptions", newShape=[2, 12])
        yield one("RESHAPE", [one_d.fixed(), whole((2, 12))], [matrix])
        yield one("RESHAPE", [Spec((1,), dtype), whole((), (0,))], [Spec((), dtype)])
        yield one(
            "SQUEEZE", [Spec((1, 2, 1, 12), dtype)], [matrix], "SqueezeOptions", squeezeDims=[0, 2]
        )
        yield one("SQUEEZE", [Spec((1, 2, 1, 12), dtype)], [matrix], "SqueezeOptions")
        yield one("EXPAND_DIMS", [matrix, whole((0,), ())], [Spec((1, 2, 12), dtype)])
        yield one("EXPAND_DIMS", [matrix, whole((-1,))], [Spec((2, 12, 1), dtype)])
        yield one("TRANSPOSE", [matrix, whole((1, 0))], [Spec((12, 2), dtype)])
        yield one("TRANSPOSE", [image, whole((0, 3, 1, 2))], [Spec((1, 8, 4, 4), dtype)])
        yield one("SLICE", [matrix, whole((0, 2)), whole((2, 5))], [Spec((2, 5), dtype)])
        yield one(
            "SLICE",
            [matrix, whole((0, 2), dtype="INT64"), whole((2, 5), dtype="INT64")],
            [Spec((2, 5), dtype)],
        )
        ends = [whole((0, 0)), whole((2, 12)), whole((1, 2))]
        yield one("STRIDED_SLICE", [matrix, *ends], [Spec((2, 6), dtype)], "StridedSliceOptions")
        yield one(
            "STRIDED_SLICE",
            [matrix, *ends],
            [Spec((6,), dtype)],
            "StridedSliceOptions",
            shrinkAxisMask=1,
        )
        yield one("REVERSE_V2", [matrix, whole((1,))], [matrix])
        yield one("BROADCAST_TO", [Spec((1, 12), dtype), whole((3, 12))], [Spec((3, 12), dtype)])
        yield one("GATHER", [matrix, whole((1, 0, 1))], [Spec((3, 12), dtype)], "GatherOptions")
        yield one("GATHER", [matrix, Spec((3,), "INT32")], [Spec((3, 12), dtype)], "GatherOptions")
        yield one("GATHER", [matrix, whole((1,), ())], [Spec((12,), dtype)], "GatherOptions")
        yield one("GATHER", [matrix, whole((3, 1))], [Spec((2, 2), dtype)], "GatherOptions", axis=1)
        yield one(
            "GATHER",
            [matrix, whole((1, 0, 1), dtype="INT64")],
            [Spec((3, 12), dtype)],
            "GatherOptions",
        )
        yield one("GATHER_ND", [matrix, whole((1, 0), (2, 1))], [Spec((2, 12), dtype)])
        yield one("GATHER_ND", [matrix, whole((1, 0), (1, 2))], [Spec((1,), dtype)])
        yield one("SHAPE", [matrix], [Spec((2,), "INT32")], "ShapeOptions", outType=2)
        yield one("SHAPE", [matrix], [Spec((2,), "INT64")], "ShapeOptions", outType=4)
        yield one("FILL", [whole((2, 12)), Spec((), dtype)], [matrix])
        yield one("FILL", [whole((2, 12)), Spec((), dtype, constant=True)], [matrix])
        yield one(
            "DEPTH_TO_SPACE",
            [image],
            [Spec((1, 8, 8, 2), dtype)],
            "DepthToSpaceOptions",
            blockSize=2,
        )
        yield one(
            "SPACE_TO_DEPTH",
            [image],
            [Spec((1, 2, 2, 32), dtype)],
            "SpaceToDepthOptions",
            blockSize=2,
        )
        blocks, crops = whole((2, 2)), whole((0, 0, 0, 0), (2, 2))
        yield one("SPACE_TO_BATCH_ND", [image, blocks, crops], [Spec((4, 2, 2, 8), dtype)])
        yield one("BATCH_TO_SPACE_ND", [Spec((4, 2, 2, 8), dtype), blocks, crops], [image])
        yield one(
            "RESIZE_BILINEAR",
            [image, whole((8, 8))],
            [Spec((1, 8, 8, 8), dtype)],
            "ResizeBilinearOptions",
        )
        yield one(
            "RESIZE_NEAREST_NEIGHBOR",
            [image, whole((8, 8))],
            [Spec((1, 8, 8, 8), dtype)],
            "ResizeNearestNeighborOptions",
        )
        yield one("DYNAMIC_UPDATE_SLICE", [matrix, Spec((1, 3), dtype), whole((0, 2))], [matrix])
        yield one(
            "DYNAMIC_UPDATE_SLICE", [matrix, Spec((1, 3), dtype), Spec((2,), "INT32")], [matrix]
        )
        yield one(
            "EMBEDDING_LOOKUP",
            [whole((1, 0, 1)), Spec((2, 12), dtype, constant=True)],
            [Spec((3, 12), dtype)],
        )
        if dtype == "INT8":
            yield one(
                "EMBEDDING_LOOKUP",
                [whole((1, 0, 1)), Spec((2, 12), dtype, constant=True)],
                [Spec((3, 12))],
            )
        yield one("SELECT_V2", [Spec((2, 12), "BOOL"), matrix, matrix], [matrix])
        yield one("SELECT_V2", [Spec((12,), "BOOL"), matrix, Spec((), dtype)], [matrix])
    for dtype in TYPES:
        yield one("BROADCAST_ARGS", [Spec((2,), dtype), Spec((2,), dtype)], [Spec((2,), dtype)])
        yield one(
            "BROADCAST_ARGS",
            [
                whole((1, 12), dtype=dtype)
                if dtype[0] == "I" and dtype != "INT4"
                else Spec((2,), dtype),
                whole((3, 1)),
            ],
            [Spec((2,), dtype)],
        )


def padding() -> Iterator[Case]:
    margins = whole((0, 0, 1, 1, 1, 1, 0, 0), (4, 2))
    for dtype in TYPES:
        image, padded = Spec((1, 4, 4, 3), dtype), Spec((1, 6, 6, 3), dtype)
        yield one("PAD", [image, margins], [padded])
        yield one("PAD", [Spec((2, 3), dtype), whole((0, 1, 1, 0), (2, 2))], [Spec((3, 4), dtype)])
        yield one("PADV2", [image, margins, Spec((1,), dtype, constant=True)], [padded])
        yield one("PAD", [image, whole((0, 0, 1, 1, 1, 1, 0, 0), (4, 2), "INT64")], [padded])
        for mode in (0, 1):
            yield one("MIRROR_PAD", [image, margins], [padded], "MirrorPadOptions", mode=mode)
            yield one(
                "MIRROR_PAD",
                [Spec((2, 3), dtype), whole((0, 0, 1, 1), (2, 2))],
                [Spec((2, 5), dtype)],
                "MirrorPadOptions",
                mode=mode,
            )


def joining() -> Iterator[Case]:
    for dtype in TYPES:
        part, fixed = Spec((2, 3), dtype), Spec((2, 3), dtype, constant=True)
        yield one(
            "CONCATENATION", [part, part], [Spec((2, 6), dtype)], "ConcatenationOptions", axis=1
        )
        yield one(
            "CONCATENATION",
            [part, fixed, part],
            [Spec((6, 3), dtype)],
            "ConcatenationOptions",
            axis=0,
        )
        yield one("CONCATENATION", [part], [part], "ConcatenationOptions", axis=-1)
        yield one(
            "CONCATENATION", [part] * 10, [Spec((2, 30), dtype)], "ConcatenationOptions", axis=1
        )
        yield one("PACK", [part, part], [Spec((2, 2, 3), dtype)], "PackOptions", valuesCount=2)
        yield one(
            "PACK", [part, fixed], [Spec((2, 3, 2), dtype)], "PackOptions", valuesCount=2, axis=-1
        )
        yield one("UNPACK", [part], [Spec((3,), dtype)] * 2, "UnpackOptions", num=2)
        yield one("UNPACK", [part], [Spec((2,), dtype)] * 3, "UnpackOptions", num=3, axis=1)
        yield one(
            "SPLIT", [whole((1,), ()), Spec((2, 6), dtype)], [part] * 2, "SplitOptions", numSplits=2
        )
        yield one(
            "SPLIT_V",
            [Spec((2, 6), dtype), whole((2, 4)), whole((1,), ())],
            [Spec((2, 2), dtype), Spec((2, 4), dtype)],
            "SplitVOptions",
            numSplits=2,
        )
        for count in (2, 3, 5):
            yield one("ADD_N", [part] * count, [part])
