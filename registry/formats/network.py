"""What a network is, whatever file it came in: tensors, operators and how they hang together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# The type of a tensor whose type is not known.
UNDEFINED = "UNDEFINED"
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
    "FLOAT8_E4M3FNUZ": 8,
    "FLOAT8_E5M2FNUZ": 8,
    "FLOAT8_E8M0": 8,
    "FLOAT6_E2M3": 6,
    "FLOAT6_E3M2": 6,
    "FLOAT4_E2M1": 4,
    "UINT2": 2,
}


class FileFormat(StrEnum):
    """The kind of file that a network came in."""

    TFLITE = "tflite"
    ONNX = "onnx"


# How options are named that hold the number of a subgraph, or several.
_SUBGRAPH_OPTIONS = ("subgraph", "subgraphs")
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

    A length that is not known before the network runs is -1 in `shape`; where not even the number
    of axes is known, `has_shape` is false and `shape` empty.
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
    has_shape: bool = True

    @property
    def is_sized(self) -> bool:
        """Whether every length of its shape is known."""
        return self.has_shape and min(self.shape, default=0) >= 0

    @property
    def elements(self) -> int:
        """The number of elements; 1 for a scalar, 0 where the shape is not known."""
        return math.prod(self.shape) if self.is_sized else 0

    @property
    def size_bytes(self) -> int | None:
        """The bytes that it takes in memory, or None where its type or shape has no fixed size."""
        bits = DTYPE_BITS.get(self.dtype)
        return None if bits is None or not self.is_sized else (self.elements * bits + 7) // 8

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
    """One node. `name` is CONV_2D or `CUSTOM:name` in a .tflite file, Conv or `domain.name` in a
    .onnx file, where `version` is that of the operator set; -1 among the inputs: left out.

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

    @property
    def subgraphs(self) -> tuple[int, ...]:
        """The numbers of the subgraphs that its options name, as they stand in the file."""
        named = [value for name, value in self.options.items() if name.endswith(_SUBGRAPH_OPTIONS)]
        listed = [value if isinstance(value, tuple) else (value,) for value in named]
        return tuple(number for some in listed for number in some if isinstance(number, int))

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
    """A whole file. `operator_codes` counts the entries of its table, used or not.

    `remarks` are sentences about what was taken for granted where the file leaves it open.
    """

    schema_version: int
    subgraphs: tuple[Subgraph, ...]
    size_bytes: int
    operator_codes: int = 0
    description: str = ""
    metadata: Mapping[str, memoryview] = field(default_factory=dict, repr=False)
    file_format: FileFormat = FileFormat.TFLITE
    remarks: tuple[str, ...] = ()

    @property
    def main(self) -> Subgraph:
        """The subgraph that runs."""
        return self.subgraphs[0]

    @property
    def running(self) -> tuple[Subgraph, ...]:
        """The main subgraph and those that it leads to: branches, bodies of loops, functions.

        Others belong to further signatures, which a caller runs on their own.
        """
        reached, waiting = {0}, [0]
        while waiting:
            for operator in self.subgraphs[waiting.pop()].operators:
                new = set(operator.subgraphs) & set(range(len(self.subgraphs))) - reached
                reached |= new
                waiting += new
        return tuple(self.subgraphs[number] for number in sorted(reached))

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
