"""A graph with those inside it, from messages to subgraphs of a Network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from registry.formats.errors import FormatError
from registry.formats.network import Operator, OptionValue, Subgraph
from registry.formats.onnx.attributes import attribute_values, constant_of, options_of
from registry.formats.onnx.batch import Batch, find_batch, input_value
from registry.formats.onnx.control_flow import body_inputs, outputs_of_bodies
from registry.formats.onnx.declared import completed, declared_value
from registry.formats.onnx.functions import OPSETS, FunctionUnfolder
from registry.formats.onnx.inference import infer
from registry.formats.onnx.order import in_order
from registry.formats.onnx.quantized import note_quantization
from registry.formats.onnx.scope import Scope
from registry.formats.onnx.tensors import Constant, check_shape, read_constant, read_sparse
from registry.formats.onnx.values import Call, Dim, Value
from registry.formats.tflite_names import text
from registry.formats.tree import Node

DEFAULT_DOMAINS = {"", "ai.onnx"}
MAX_GRAPH_DEPTH = 40
_REMEDY = "Export the model again; onnx.checker.check_model names such faults too."
# How a description names the subgraph of each attribute.
_SUBGRAPH_NAMES = {"then_branch": "then_subgraph", "else_branch": "else_subgraph"}


class GraphReader:
    """Reads the graphs of one file into `subgraphs`, the main one first; `batch` is what is one."""

    def __init__(self, opsets: Mapping[str, int], functions: Sequence[Node] = ()) -> None:
        self._opsets = opsets
        self._functions = FunctionUnfolder(functions)
        self.batch = Batch()
        self.subgraphs: list[Subgraph | None] = []

    def read(self, graph: Node) -> None:
        """The main graph and all inside it. Raises FormatError for one that cannot run."""
        nodes = self._functions.unfold(graph.get("node", ()), "graph")
        constants = _constant_names(graph)
        inputs = [entry for entry in graph.get("input", ()) if entry.get("name") not in constants]
        self.batch = find_batch(inputs, nodes, graph.get("initializer", ()))
        self._graph({**graph, "node": nodes}, "graph", None, None)

    def _graph(
        self, graph: Node, where: str, outer: Scope | None, given: Sequence[Value] | None
    ) -> tuple[int, list[Value]]:
        """Its number among the subgraphs and its outputs; `given` are the inputs of a body."""
        number = len(self.subgraphs)
        self.subgraphs.append(None)
        scope = Scope(outer, depth=0 if outer is None else outer.depth + 1)
        if scope.depth > MAX_GRAPH_DEPTH:
            raise FormatError(
                f"graphs lie more than {MAX_GRAPH_DEPTH} deep in each other", where, _REMEDY
            )
        inputs = self._define_inputs(graph, where, scope, given)
        declared = self._declared(graph, where)
        nodes = self._functions.unfold(graph.get("node", ()), where)
        operators = [
            self._node(nodes[place], index, f"{where}.node[{place}]", scope, declared)
            for index, place in enumerate(in_order(nodes, scope, where))
        ]
        outputs = [entry.get("name", "") for entry in graph.get("output", ())]
        for index, name in enumerate(outputs):
            if name not in scope:
                raise FormatError(f"nothing gives {name!r}", f"{where}.output[{index}]", _REMEDY)
        out = scope.index_all(outputs)
        self.subgraphs[number] = Subgraph(
            scope.tensors(), tuple(operators), inputs, out, text(graph.get("name", ""))
        )
        return number, [scope.value(name) for name in outputs]

    def _define_inputs(
        self, graph: Node, where: str, scope: Scope, given: Sequence[Value] | None
    ) -> tuple[int, ...]:
        """Inputs, then initializers; an input that has an initializer is a constant."""
        constants = dict(_constants(graph, where))
        inputs = []
        for index, entry in enumerate(graph.get("input", ())):
            name = entry.get("name", "")
            if name and name not in constants:
                place = f"{where}.input[{index}]"
                if given is None:
                    value = input_value(entry, self.batch, place)
                else:
                    value = declared_value(entry, self.batch.symbols, place)
                if given is not None and index < len(given):
                    value = completed(given[index], value)
                inputs.append(scope.define(name, value))
        for name, constant in constants.items():
            scope.define(name, constant.value(), constant)
        return tuple(inputs)

    def _declared(self, graph: Node, where: str) -> dict[str, Value]:
        return {
            entry.get("name", ""): declared_value(
                entry, self.batch.symbols, f"{where}.{key}[{index}]"
            )
            for key in ("value_info", "output")
            for index, entry in enumerate(graph.get(key, ()))
        }

    def _node(
        self, node: Node, index: int, where: str, scope: Scope, declared: Mapping[str, Value]
    ) -> Operator:
        name, opset = self._identity(node, where)
        attributes = attribute_values(node, where)
        inputs, outputs = node.get("input", []), node.get("output", [])
        given = tuple(scope.value(item) if item else None for item in inputs)
        call = Call(name, opset, given, len(outputs), attributes)
        bodies, found = self._bodies(node, call, where, scope)
        values, constant = _results(call, found)
        for output, value in zip(outputs, values, strict=True):
            if output:
                known = _sound(completed(value, declared.get(output)), f"{where}.output")
                scope.define(output, known, constant)
        note_quantization(scope, name, inputs, outputs, call.integer("axis", 1))
        return Operator(
            index=index,
            name=name,
            version=opset,
            inputs=scope.index_all(inputs),
            outputs=tuple(scope.index(output) for output in outputs if output),
            options={**options_of(attributes), **bodies},
            options_name=name,
        )

    def _identity(self, node: Node, where: str) -> tuple[str, int]:
        """The operator's name, with its domain unless it is ONNX's own, and its opset version."""
        domain = text(node.get("domain", ""))
        name = text(node.get("op_type", ""))
        if not name:
            raise FormatError("the node names no operator", f"{where}.op_type", _REMEDY)
        opsets = node.get(OPSETS) or self._opsets
        if domain in DEFAULT_DOMAINS:
            return name, opsets.get("", 1)
        return f"{domain}.{name}", opsets.get(domain, 1)

    def _bodies(
        self, node: Node, call: Call, where: str, scope: Scope
    ) -> tuple[dict[str, OptionValue], list[Value] | None]:
        """Numbers of the subgraphs that the node holds, and what they make of its outputs."""
        options: dict[str, OptionValue] = {}
        results: list[list[Value]] = []
        for place, attribute in enumerate(node.get("attribute", ())):
            for graph in [attribute["g"]] if "g" in attribute else attribute.get("graphs", ()):
                number, outputs = self._graph(
                    graph, f"{where}.attribute[{place}].g", scope, body_inputs(call)
                )
                attribute_name = text(attribute.get("name", ""))
                options[_SUBGRAPH_NAMES.get(attribute_name, f"{attribute_name}_subgraph")] = number
                results.append(outputs)
        return options, outputs_of_bodies(call, results) if results else None


def _constant_names(graph: Node) -> set[str]:
    sparse = (node.get("values", {}) for node in graph.get("sparse_initializer", ()))
    return {node.get("name", "") for node in (*graph.get("initializer", ()), *sparse)}


def _constants(graph: Node, where: str) -> list[tuple[str, Constant]]:
    dense = [
        (node.get("name", ""), read_constant(node, f"{where}.initializer[{index}]"))
        for index, node in enumerate(graph.get("initializer", ()))
    ]
    return dense + [
        read_sparse(node, f"{where}.sparse_initializer[{index}]")
        for index, node in enumerate(graph.get("sparse_initializer", ()))
    ]


def _results(call: Call, found: list[Value] | None) -> tuple[list[Value], Constant | None]:
    """The outputs' values, and the contents of a Constant node's output."""
    if found is not None:
        return (found + [Value()] * call.outputs)[: call.outputs], None
    if call.name == "Constant" and call.outputs == 1:
        value, constant = constant_of(call.attributes)
        return [value], constant
    return infer(_with_values(call)), None


def _with_values(call: Call) -> Call:
    """Attributes that are constants, as the rules see them."""
    attributes: dict[str, Any] = {
        name: value.value() if isinstance(value, Constant) else value
        for name, value in call.attributes.items()
    }
    return replace(call, attributes=attributes)


def _sound(value: Value, where: str) -> Value:
    """A length below zero says that the rules or the file err; it is then not known."""
    if value.shape is None:
        return value
    shape = tuple(_length(n) for n in value.shape)
    check_shape(shape, value.dtype, where)
    return replace(value, shape=shape)


def _length(length: Dim) -> Dim:
    return None if length is None or length < 0 else length
