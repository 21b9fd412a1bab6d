"""Networks written with LiteRT's own schema classes: any operator, type, shape and option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_WIDTHS = {"FLOAT32": 4, "INT32": 4, "UINT32": 4, "INT64": 8, "FLOAT64": 8}
_WIDTHS |= {"FLOAT16": 2, "INT16": 2, "UINT16": 2, "INT8": 1, "UINT8": 1, "BOOL": 1}
QUANTIZED = ("INT4", "INT8", "UINT8", "INT16")
SCALED = (*QUANTIZED, "INT32", "INT64")


@dataclass(frozen=True, slots=True)
class Spec:
    """A tensor to write. `values` make it a constant; `scales` are for types that have them."""

    shape: tuple[int, ...]
    dtype: str = "FLOAT32"
    values: Sequence[int] | None = None
    constant: bool = False
    variable: bool = False
    scales: tuple[float, ...] | None = None
    zero_point: int = 0
    axis: int = 0

    @property
    def quantization(self) -> tuple[float, ...]:
        """Its scales: one where nothing else is said and its type has them."""
        if self.scales is None:
            return (0.5,) if self.dtype in QUANTIZED else ()
        return self.scales if self.dtype in SCALED else ()

    def fixed(self) -> Spec:
        """The same as a constant, of ones."""
        return replace(self, constant=True)

    @property
    def elements(self) -> int:
        """Of its shape."""
        return int(np.prod(self.shape)) if self.shape else 1


def whole(
    values: Sequence[int], shape: tuple[int, ...] | None = None, dtype: str = "INT32"
) -> Spec:
    """A constant of whole numbers: axes, shapes, indices."""
    return Spec((len(values),) if shape is None else shape, dtype, tuple(values), True)


@dataclass(frozen=True, slots=True)
class Call:
    """An operator with the positions of its tensors; -1 is an input left out."""

    operator: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    intermediates: tuple[int, ...] = ()
    version: int = 1


@dataclass(frozen=True, slots=True)
class Graph:
    """One subgraph."""

    tensors: Sequence[Spec]
    calls: Sequence[Call]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def write_network(*graphs: Graph) -> bytes:
    """The .tflite file of these subgraphs."""
    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT()]
    codes = sorted({(call.operator, call.version) for graph in graphs for call in graph.calls})
    model.operatorCodes = [_code(*code) for code in codes]
    model.subgraphs = [_subgraph(graph, codes, model.buffers) for graph in graphs]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _code(operator: str, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, operator)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = version
    return code


def _subgraph(graph: Graph, codes: list[tuple[str, int]], buffers: list[Any]) -> Any:
    subgraph = schema.SubGraphT()
    subgraph.tensors = [_tensor(spec, buffers) for spec in graph.tensors]
    subgraph.inputs, subgraph.outputs = list(graph.inputs), list(graph.outputs)
    subgraph.operators = [_operator(call, codes) for call in graph.calls]
    return subgraph


def _operator(call: Call, codes: list[tuple[str, int]]) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = codes.index((call.operator, call.version))
    operator.inputs, operator.outputs = list(call.inputs), list(call.outputs)
    operator.intermediates = list(call.intermediates) or None
    if call.options:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, call.options)
        operator.builtinOptions = getattr(schema, f"{call.options}T")()
        for name, value in call.values.items():
            assert hasattr(operator.builtinOptions, name), (call.options, name)
            setattr(operator.builtinOptions, name, value)
    return operator


def _tensor(spec: Spec, buffers: list[Any]) -> Any:
    tensor = schema.TensorT()
    tensor.shape, tensor.type = list(spec.shape), getattr(schema.TensorType, spec.dtype)
    tensor.isVariable, tensor.buffer = spec.variable, 0
    if spec.quantization:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = list(spec.quantization)
        tensor.quantization.zeroPoint = [spec.zero_point] * len(spec.quantization)
        tensor.quantization.quantizedDimension = spec.axis
    if spec.constant:
        tensor.buffer = len(buffers)
        buffers.append(schema.BufferT())
        buffers[-1].data = np.frombuffer(_contents(spec), np.uint8)
    return tensor


def _contents(spec: Spec) -> bytes:
    values = [1] * spec.elements if spec.values is None else list(spec.values)
    if spec.dtype == "INT4":
        return bytes((spec.elements + 1) // 2)
    if spec.dtype.startswith("FLOAT"):
        return np.array(values, f"<f{_WIDTHS[spec.dtype]}").tobytes()
    return np.array(values, f"<i{_WIDTHS[spec.dtype]}").tobytes()
