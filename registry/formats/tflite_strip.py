"""Rewriting a model without the parts that only people and tools read."""

from __future__ import annotations

from typing import Any

from registry.formats.errors import FormatError
from registry.formats.flatbuffer_reader import UNKNOWN_SLOTS
from registry.formats.flatbuffer_writer import FlatbufferWriter, TooLarge
from registry.formats.tflite_model import MODEL
from registry.formats.tree import Node

_MODEL_DROPS = frozenset(
    {"description", "metadata_buffer", "metadata", "signature_defs", "external_buffer_groups"}
)
_SUBGRAPH_DROPS = frozenset({"name", "debug_metadata_index"})
_TENSOR_DROPS = frozenset({"name"})
_OPERATOR_DROPS = frozenset({"debug_metadata_index"})
_QUANTIZATION_DROPS = frozenset({"min", "max"})
# Entries that TFLite Micro itself reads: a memory plan made offline, and compressed weights.
_RUNTIME_METADATA = frozenset({"OfflineMemoryAllocation", "COMPRESSION_METADATA"})
_REMEDY = "Deploy the file as it is, or export it with the tools that requirements.txt pins."


def strip_tree(tree: Node, contents: list[memoryview | None]) -> Node:
    """The model's tree without names, description, metadata and signatures.

    `contents` are the buffers' bytes, wherever they lie. Buffers that nothing uses any more go.
    Raises FormatError where the tree has a field that the schema does not know: it could not be
    carried over.
    """
    _refuse_unknown(tree, "the model")
    numbers = {0: 0}
    kept = _without(tree, _MODEL_DROPS)
    kept["subgraphs"] = [_subgraph(node, contents, numbers) for node in tree["subgraphs"]]
    runtime_metadata = [
        {**entry, "buffer": _renumber(entry.get("buffer", 0), contents, numbers)}
        for entry in tree.get("metadata", ())
        if entry.get("name") in _RUNTIME_METADATA
    ]
    if runtime_metadata:
        kept["metadata"] = runtime_metadata
    if contents:
        kept["buffers"] = [_buffer(contents[old]) for old in numbers]
    return kept


def write_model(tree: Node, limit: int) -> bytes | None:
    """The tree as a file of at most `limit` bytes, or None where it takes more."""
    try:
        return FlatbufferWriter(limit).write(MODEL, tree, b"TFL3")
    except TooLarge:
        return None


def _without(node: Node, names: frozenset[str]) -> Node:
    return {name: value for name, value in node.items() if name not in names}


def _subgraph(node: Node, contents: list[memoryview | None], numbers: dict[int, int]) -> Node:
    kept = _without(node, _SUBGRAPH_DROPS)
    if "tensors" in node:
        kept["tensors"] = [_tensor(tensor, contents, numbers) for tensor in node["tensors"]]
    if "operators" in node:
        kept["operators"] = [_operator(operator) for operator in node["operators"]]
    return kept


def _tensor(node: Node, contents: list[memoryview | None], numbers: dict[int, int]) -> Node:
    kept = _without(node, _TENSOR_DROPS)
    kept["buffer"] = _renumber(node.get("buffer", 0), contents, numbers)
    if "quantization" in node:
        kept["quantization"] = _without(node["quantization"], _QUANTIZATION_DROPS)
    return kept


def _operator(node: Node) -> Node:
    if node.get("large_custom_options_offset", 0) > 1:
        raise FormatError("custom options lie behind the flatbuffer", "operators", _REMEDY)
    return _without(node, _OPERATOR_DROPS)


def _renumber(old: int, contents: list[memoryview | None], numbers: dict[int, int]) -> int:
    """A buffer's new number; all buffers without contents are number 0, which says "none"."""
    if not contents or contents[old] is None:
        return 0
    return numbers.setdefault(old, len(numbers))


def _buffer(contents: memoryview | None) -> Node:
    return {} if contents is None else {"data": contents}


def _refuse_unknown(value: Any, where: str) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_unknown(item, f"{where}[{index}]")
    elif isinstance(value, dict):
        if UNKNOWN_SLOTS in value:
            raise FormatError("a field is newer than the schema of this product", where, _REMEDY)
        for name, item in value.items():
            _refuse_unknown(item, f"{where}.{name}")
