"""The outermost message: versions, operator sets, the graph."""

from __future__ import annotations

from registry.formats.errors import FormatError
from registry.formats.network import FileFormat, Network
from registry.formats.onnx.graph import DEFAULT_DOMAINS, GraphReader
from registry.formats.onnx.schema import ROOT, SCHEMA
from registry.formats.protobuf_reader import ProtobufReader
from registry.formats.tflite_names import text
from registry.formats.tree import Node

MEDIA_TYPE = "application/x-onnx"
_NOT_ONNX = "Bring a .onnx file: an export by torch.onnx, tf2onnx or a compatible tool."


def parse(data: bytes) -> Network:
    """The network in a .onnx file.

    Operators carry the version of the operator set that the file imports for their domain. Raises
    FormatError, and nothing else, for whatever is not a well-formed file that holds all of its
    contents; takes time and memory in proportion to the file's size.
    """
    tree = ProtobufReader(data, SCHEMA).root(ROOT)
    if tree.get("ir_version", 0) < 1:
        raise FormatError("the model names no version of ONNX", "ir_version", _NOT_ONNX)
    if "graph" not in tree:
        raise FormatError("the model has no graph", "graph", _NOT_ONNX)
    reader = GraphReader(_opsets(tree), tree.get("functions", ()))
    reader.read(tree["graph"])
    subgraphs = tuple(graph for graph in reader.subgraphs if graph is not None)
    names = {(node.name, node.version) for graph in subgraphs for node in graph.operators}
    return Network(
        schema_version=tree["ir_version"],
        subgraphs=subgraphs,
        size_bytes=len(data),
        operator_codes=len(names),
        description=text(tree.get("doc_string", "")),
        file_format=FileFormat.ONNX,
        remarks=reader.batch.remarks,
    )


def _opsets(tree: Node) -> dict[str, int]:
    """Domain to version; the first files, of before there were operator sets, have the first."""
    found = {
        entry.get("domain", ""): entry.get("version", 0) for entry in tree.get("opset_import", ())
    }
    default = max((found[domain] for domain in DEFAULT_DOMAINS & found.keys()), default=1)
    for domain, version in found.items():
        if not 0 < version < 2**31:
            raise FormatError(
                f"the operator set {domain!r} has the version {version}", "opset_import", _NOT_ONNX
            )
    return {text(domain): version for domain, version in found.items()} | {"": default}
