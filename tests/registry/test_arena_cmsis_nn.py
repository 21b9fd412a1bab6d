"""What CMSIS-NN's kernels ask that the portable ones do not, by their own preparation."""

from __future__ import annotations

import pytest

from registry.footprint.arena import predict_arena
from registry.formats.model_file import read_network
from tests.registry.runtime.cases import Case, one
from tests.registry.runtime.schema import Spec, whole

DEEP = (1, 2, 3, 2, 2)


def arenas(case: Case) -> tuple[int | None, int | None]:
    """With CMSIS-NN and with reference kernels."""
    read = read_network(case.network)
    return predict_arena(read, "cmsis_nn").arena_bytes, predict_arena(read, "reference").arena_bytes


def pair(operator: str, shape: tuple[int, ...], dtype: str) -> Case:
    source = Spec(shape, dtype)
    return one(operator, [source, source], [source])


def transposed(shape: tuple[int, ...], dtype: str) -> Case:
    axes = whole(tuple(range(len(shape))))
    return one("TRANSPOSE", [Spec(shape, dtype), axes], [Spec(shape, dtype)])


@pytest.mark.parametrize("dtype", ["FLOAT32", "INT8", "INT16", "INT32"])
@pytest.mark.parametrize("operator", ["MAXIMUM", "MINIMUM"])
def test_larger_and_smaller_of_five_dimensions_end_with_cmsis_nn(operator, dtype) -> None:
    optimized, plain = arenas(pair(operator, DEEP[1:], dtype))
    assert optimized == plain is not None
    optimized, plain = arenas(pair(operator, DEEP, dtype))
    assert optimized is None
    assert plain is not None


@pytest.mark.parametrize("dtype", ["FLOAT32", "INT8", "INT16"])
def test_only_eight_bits_are_not_transposed_in_five_dimensions(dtype) -> None:
    optimized, plain = arenas(transposed(DEEP[1:], dtype))
    assert optimized == plain is not None
    optimized, plain = arenas(transposed(DEEP, dtype))
    assert plain is not None
    assert optimized == (None if dtype == "INT8" else plain)
