"""Reading a .tflite file: bytes in, a checked `Network` out.

Structure is checked by `flatbuffer_reader`; here, what the numbers mean: every index leads
somewhere, every shape has a size that a 32-bit machine can address, every constant is as long as
its shape says. LiteRT and TFLite Micro trust these, so a file that fails here could read outside
its memory there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from registry.formats.errors import FormatError
from registry.formats.flatbuffer_reader import FlatbufferReader, RawTable
from registry.formats.network import (
    DTYPE_BITS,
    Network,
    Operator,
    Quantization,
    Subgraph,
    Tensor,
)
from registry.formats.tflite_model import MODEL
from registry.formats.tflite_names import operator_name, text, type_name
from registry.formats.tflite_options import BUILTIN_OPTIONS, BUILTIN_OPTIONS_2
from registry.formats.tflite_schema import Kind
from registry.formats.tflite_strip import strip_tree, write_model
from registry.formats.tree import Node

__all__ = ["FormatError", "Network", "Operator", "Quantization", "Subgraph", "Tensor"]
__all__ += ["parse", "read_tree", "strip_names"]

MEDIA_TYPE = "application/x-tflite"
SCHEMA_VERSION = 3
MAX_RANK = 8
# What the int32 sizes in TFLite Micro can hold.
MAX_TENSOR_BYTES = 2**31 - 1

_NOT_TFLITE = "Bring a .tflite file: an export by litert-torch, TensorFlow or a compatible tool."
_DAMAGED = "Export the model again or fetch the file again; this one is damaged."


def parse(data: bytes, *, max_bytes: int | None = None) -> Network:
    """The network in a .tflite file.

    Raises FormatError, and nothing else, for whatever is not a well-formed file of at most
    `max_bytes` bytes; takes time and memory in proportion to the file's size.
    """
    tree = read_tree(data, max_bytes=max_bytes)
    buffers = _contents(tree, data)
    codes = [operator_name(code) for code in tree.get("operator_codes", ())]
    subgraphs = tuple(
        _subgraph(node, f"subgraphs[{number}]", buffers, codes)
        for number, node in enumerate(tree["subgraphs"])
    )
    return Network(
        schema_version=tree["version"],
        subgraphs=subgraphs,
        size_bytes=len(data),
        operator_codes=len(codes),
        description=text(tree.get("description", "")),
        metadata=_metadata(tree, buffers),
    )


def strip_names(data: bytes) -> bytes:
    """The same network without what only people and tools read.

    Names of tensors, subgraphs and signatures, the description, metadata, signatures and the
    minimum and maximum that calibration saw go; what kernels read stays. Buffers stay aligned to
    16 bytes from the file's start, as TFLite Micro reads them in place. The result is never larger
    than the file that came. Raises FormatError as `parse` does, and where the file holds a field
    that the schema of this product does not know.
    """
    tree = read_tree(data)
    parse(data)
    stripped = write_model(strip_tree(tree, _contents(tree, data)), len(data))
    return data if stripped is None else stripped


def read_tree(data: bytes, *, max_bytes: int | None = None) -> Node:
    """The file's fields as nested mappings, structure and version checked.

    Raises FormatError.
    """
    if max_bytes is not None and len(data) > max_bytes:
        raise FormatError(
            f"the file has {len(data)} bytes, more than the {max_bytes} allowed",
            "the whole file",
            "Compress the model, or raise TINYFLEET_ARTIFACT_MAX_BYTES.",
        )
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise FormatError(
            "the file is not a TensorFlow Lite flatbuffer: bytes 4 to 7 are not 'TFL3'",
            "the start of the file",
            _NOT_TFLITE,
        )
    tree = FlatbufferReader(bytes(data)).root(MODEL)
    tree.setdefault("version", 0)
    if tree["version"] != SCHEMA_VERSION:
        raise FormatError(
            f"the schema version is {tree['version']}, not {SCHEMA_VERSION}", "version", _NOT_TFLITE
        )
    if not tree.get("subgraphs"):
        raise FormatError("the model has no subgraph", "subgraphs", _NOT_TFLITE)
    return tree


def _contents(tree: Node, data: bytes) -> list[memoryview | None]:
    return [
        _buffer_bytes(data, node, number) for number, node in enumerate(tree.get("buffers", ()))
    ]


def _buffer_bytes(data: bytes, node: Node, index: int) -> memoryview | None:
    """A buffer's contents, which may lie behind the flatbuffer; None where the file has none."""
    start, size = node.get("offset", 0), node.get("size", 0)
    if start <= 1:
        contents = node.get("data")
        return contents if isinstance(contents, memoryview) else None
    if start + size > len(data):
        raise FormatError(
            f"an offset reaches byte {start + size} of a file of {len(data)} bytes",
            f"buffers[{index}]",
            _DAMAGED,
        )
    return memoryview(data)[start : start + size]


def _subgraph(
    node: Node,
    where: str,
    buffers: Sequence[memoryview | None],
    codes: Sequence[tuple[str, int]],
) -> Subgraph:
    tensors = tuple(
        _tensor(tensor, index, f"{where}.tensors[{index}]", buffers)
        for index, tensor in enumerate(node.get("tensors", ()))
    )
    operators = tuple(
        _operator(operator, index, f"{where}.operators[{index}]", len(tensors), codes)
        for index, operator in enumerate(node.get("operators", ()))
    )
    inputs, outputs = node.get("inputs", ()), node.get("outputs", ())
    _check_indices(inputs, len(tensors), f"{where}.inputs")
    _check_indices(outputs, len(tensors), f"{where}.outputs")
    return Subgraph(tensors, operators, inputs, outputs, text(node.get("name", "")))


def _tensor(node: Node, index: int, where: str, buffers: Sequence[memoryview | None]) -> Tensor:
    shape = node.get("shape", ())
    dtype = type_name(node.get("type", 0))
    if dtype is None:
        raise FormatError(f"the tensor type {node['type']} is not known", f"{where}.type", _DAMAGED)
    _check_shape(shape, dtype, f"{where}.shape")
    if node.get("external_buffer", 0):
        raise FormatError("its contents lie in another file", where, _NOT_TFLITE)
    buffer = node.get("buffer", 0)
    if buffer and buffer >= len(buffers):
        raise FormatError(
            f"there is no buffer {buffer} among {len(buffers)}", f"{where}.buffer", _DAMAGED
        )
    tensor = Tensor(
        index=index,
        name=text(node.get("name", "")),
        shape=shape,
        dtype=dtype,
        quantization=_quantization(node.get("quantization")),
        is_variable=bool(node.get("is_variable", False)),
        data=buffers[buffer] if buffers else None,
        is_sparse="sparsity" in node,
        buffer=buffer,
    )
    _check_contents(tensor, where)
    return tensor


def _check_shape(shape: tuple[int, ...], dtype: str, where: str) -> None:
    if len(shape) > MAX_RANK:
        raise FormatError(f"{len(shape)} dimensions, more than {MAX_RANK}", where, _DAMAGED)
    if any(dimension < 0 for dimension in shape):
        raise FormatError(
            f"the shape {list(shape)} has a dimension below zero",
            where,
            "Export the model with fixed shapes: a microcontroller plans its memory beforehand.",
        )
    if math.prod(shape) * DTYPE_BITS.get(dtype, 8) // 8 > MAX_TENSOR_BYTES:
        raise FormatError(
            f"the shape {list(shape)} takes more than {MAX_TENSOR_BYTES} bytes",
            where,
            "Bring a network whose tensors a 32-bit machine can address.",
        )


def _check_contents(tensor: Tensor, where: str) -> None:
    if not tensor.is_constant or tensor.is_sparse or tensor.size_bytes is None:
        return
    if tensor.buffer_bytes != tensor.size_bytes:
        raise FormatError(
            f"its shape needs {tensor.size_bytes} bytes and its buffer has {tensor.buffer_bytes}",
            where,
            _DAMAGED,
        )


def _quantization(node: Node | None) -> Quantization | None:
    """None where there is no scale, or one that is no number: nothing can be told by it."""
    if not node or not node.get("scale") or not all(map(math.isfinite, node["scale"])):
        return None
    return Quantization(
        node["scale"], node.get("zero_point", ()), node.get("quantized_dimension", 0)
    )


def _operator(
    node: Node, index: int, where: str, tensors: int, codes: Sequence[tuple[str, int]]
) -> Operator:
    code = node.get("opcode_index", 0)
    if code >= len(codes):
        raise FormatError(
            f"there is no operator code {code} among {len(codes)}",
            f"{where}.opcode_index",
            _DAMAGED,
        )
    for name, lowest in (("inputs", -1), ("outputs", 0), ("intermediates", -1)):
        _check_indices(node.get(name, ()), tensors, f"{where}.{name}", lowest)
    options, options_name = _options(node)
    return Operator(
        index=index,
        name=codes[code][0],
        version=codes[code][1],
        inputs=node.get("inputs", ()),
        outputs=node.get("outputs", ()),
        intermediates=node.get("intermediates", ()),
        options=options,
        options_name=options_name,
        custom_bytes=len(node.get("custom_options", b"")),
    )


def _options(node: Node) -> tuple[Node, str]:
    """The decoded options with every default filled in, and the name of their table."""
    for value, tag, members in (
        (node.get("builtin_options"), "builtin_options_type", BUILTIN_OPTIONS),
        (node.get("builtin_options_2"), "builtin_options_2_type", BUILTIN_OPTIONS_2),
    ):
        table = members.get(node.get(tag, 0))
        if value is None or isinstance(value, RawTable) or table is None:
            continue
        defaults = {f.name: f.default for f in table.fields if f.kind is Kind.SCALAR}
        return {**defaults, **value}, table.name
    return {}, ""


def _check_indices(indices: Iterable[int], count: int, where: str, lowest: int = 0) -> None:
    for index in indices:
        if not lowest <= index < count:
            raise FormatError(f"there is no tensor {index} among {count}", where, _DAMAGED)


def _metadata(tree: Node, buffers: Sequence[memoryview | None]) -> dict[str, memoryview]:
    """Metadata by name; TFLite Micro reads an offline memory plan from there."""
    found: dict[str, memoryview] = {}
    for index, entry in enumerate(tree.get("metadata", ())):
        number = entry.get("buffer", 0)
        if number >= len(buffers):
            raise FormatError(
                f"there is no buffer {number} among {len(buffers)}",
                f"metadata[{index}].buffer",
                _DAMAGED,
            )
        contents = buffers[number]
        if contents is not None:
            found[text(entry.get("name", ""))] = contents
    return found
