"""Networks of one operator each: every operator of TensorFlow Lite Micro's set, in every type.

Types that a kernel refuses are among them: what the runtime refuses must have no figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.registry.runtime.cases import Case
from tests.registry.runtime.convolving import (
    convolutions,
    depthwise_convolutions,
    transposed_convolutions,
)
from tests.registry.runtime.elementwise import binary, converting, unary
from tests.registry.runtime.limits import left_open, ranks
from tests.registry.runtime.multiplying import dense, products, recurrent
from tests.registry.runtime.reducing import pooling, reducing
from tests.registry.runtime.shaping import joining, padding, shaping

FAMILIES: Mapping[str, Callable[[], Iterator[Case]]] = {
    "one input": unary,
    "two inputs": binary,
    "conversions": converting,
    "convolutions": convolutions,
    "depthwise convolutions": depthwise_convolutions,
    "transposed convolutions": transposed_convolutions,
    "dense layers": dense,
    "matrix products": products,
    "recurrent layers": recurrent,
    "pooling": pooling,
    "reductions": reducing,
    "moving and cutting": shaping,
    "padding": padding,
    "joining and splitting": joining,
    "inputs that are no constants": left_open,
    "five and six dimensions": ranks,
}


def operator_networks() -> list[Case]:
    """All of them."""
    return [case for family in FAMILIES.values() for case in family()]
