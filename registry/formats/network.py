"""What a network is, whatever file it came in: tensors, operators and how they hang together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

# Bits of one element. Types that are not here (STRING, RESOURCE, VARIANT) have no fixed size.
DTYPE_BITS: Mapping[str, int] = {
    "FLOAT32": 32,
    "FLOAT16": 16,
    "INT32": 32,
    "UINT8": 8,
    "INT64": 64,
    "BOOL": 8,
    "INT16": 16,
    "COMPLEX64": 64,
    "INT8": 8,
    "FLOAT64": 64,
    "COMPLEX128": 128,
    "UINT64": 64,
    "UINT32": 32,
    "UINT16": 16,
    "INT4": 4,
    "BFLOAT16": 16,
    "INT2": 2,
    "UINT4": 4,
    "FLOAT8_E4M3FN": 8,
    "FLOAT8_E5M2": 8,
}

OptionValue = int | float | bool | str | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantization: real = scale * (q - zero_point), per tensor or along `dimension`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    dimension: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor. `data` is None unless the file holds its contents; sizes are bytes.

    `has_shape` tells a scalar whose shape is written as an empty list from one without a shape.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    is_variable: bool = False
    data: memoryview | None = field(default=None, repr=False)
    is_sparse: bool = False
    buffer: int = 0

    @property
    def elements(self) -> int:
        """The number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int | None:
        """The bytes that it takes in memory, or None where its type has no fixed size."""
        bits = DTYPE_BITS.get(self.dtype)
        return None if bits is None else (self.elements * bits + 7) // 8

    @property
    def buffer_bytes(self) -> int:
        """The bytes that the file holds for it: 0 unless it is a constant."""
        return 0 if self.data is None else len(self.data)

    @property
    def is_constant(self) -> bool:
        """Whether its contents stand in the file."""
        return self.data is not None and len(self.data) > 0


@dataclass(frozen=True, slots=True)
class Operator:
    """One node. `name` is the builtin's (CONV_2D) or `CUSTOM:name`; -1 among the inputs: left out.

    `options` is empty where the file has none or this product needs none of them.
    """

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    intermediates: tuple[int, ...] = ()
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    options_name: str = ""
    custom_bytes: int = 0

    def integer(self, name: str, default: int = 0) -> int:
        """An option as an integer, or the default where the file does not give it."""
        value = self.options.get(name, default)
        return int(value) if isinstance(value, (int, float)) else default


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A function of the network: the first one is what runs, the others are called by it."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str = ""

    def tensor(self, index: int) -> Tensor | None:
        """The tensor of that index, or None for -1, an input that is left out."""
        return None if index < 0 else self.tensors[index]


@dataclass(frozen=True, slots=True)
class Network:
    """A whole file. `operator_codes` counts the entries of its table, used or not."""

    schema_version: int
    subgraphs: tuple[Subgraph, ...]
    size_bytes: int
    operator_codes: int = 0
    description: str = ""
    metadata: Mapping[str, memoryview] = field(default_factory=dict, repr=False)

    @property
    def main(self) -> Subgraph:
        """The subgraph that runs."""
        return self.subgraphs[0]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors of the subgraph that runs."""
        return self.main.tensors

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators of the subgraph that runs, in execution order."""
        return self.main.operators

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that a caller fills."""
        return tuple(self.main.tensors[index] for index in self.main.inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The tensors that a caller reads."""
        return tuple(self.main.tensors[index] for index in self.main.outputs)

    @property
    def operator_versions(self) -> dict[str, int]:
        """Operator name to the highest version used, over all subgraphs."""
        versions: dict[str, int] = {}
        for subgraph in self.subgraphs:
            for operator in subgraph.operators:
                versions[operator.name] = max(operator.version, versions.get(operator.name, 0))
        return versions

    @property
    def dtypes(self) -> frozenset[str]:
        """The types of all tensors."""
        return frozenset(t.dtype for subgraph in self.subgraphs for t in subgraph.tensors)
