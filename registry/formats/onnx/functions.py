"""Functions that a file defines for itself, unfolded where they are called.

A runtime needs the operators inside, so a call gives way to the nodes of the function's body, under
names that no other call has. https://onnx.ai/onnx/repo-docs/IR.html#functions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from registry.formats.errors import FormatError
from registry.formats.tree import Node

# Names and nodes that all calls together may unfold to: functions of functions grow without end.
MAX_UNFOLDED = 200_000
_REMEDY = "Export the model again without functions of its own (onnx.inliner does away with them)."
_Key: TypeAlias = tuple[str, str, str]

# The key under which an unfolded node carries the operator sets of its function.
OPSETS = "operator sets"
_PACKED = ("int32_data", "int64_data", "uint64_data")
_LISTS = ("input", "output", "value_info", "initializer")


class FunctionUnfolder:
    """The functions of one file, and how much their calls have unfolded to."""

    def __init__(self, functions: Sequence[Node]) -> None:
        self._functions = {_key_of_function(function): function for function in functions}
        self._unfolded = 0
        self._calls = 0

    def unfold(self, nodes: Sequence[Node], where: str) -> list[Node]:
        """The nodes with every call of a function replaced by its body.

        Raises FormatError for functions that call themselves or unfold to more than MAX_UNFOLDED.
        """
        return list(self._unfold(nodes, where, ())) if self._functions else list(nodes)

    def _unfold(
        self, nodes: Sequence[Node], where: str, active: tuple[_Key, ...]
    ) -> Iterator[Node]:
        for node in nodes:
            key = _key_of_call(node)
            function = self._functions.get(key)
            if function is None:
                yield node
                continue
            if key in active:
                raise FormatError(f"the function {key[1]!r} calls itself", where, _REMEDY)
            yield from self._unfold(self._body(node, function, where), where, (*active, key))

    def _body(self, call: Node, function: Node, where: str) -> list[Node]:
        self._calls += 1
        names = _Renaming(call, function, f"@{self._calls}")
        given = {attribute.get("name", ""): attribute for attribute in call.get("attribute", ())}
        defaults = {a.get("name", ""): a for a in function.get("attribute_proto", ())}
        opsets = {
            entry.get("domain", ""): entry.get("version", 1)
            for entry in function.get("opset_import", ())
        }
        nodes = _Copy(names, {**defaults, **given}, opsets)
        body = [nodes.node(node) for node in function.get("node", ())]
        self._spend(nodes.names_copied, where)
        return body

    def _spend(self, cost: int, where: str) -> None:
        self._unfolded += cost
        if self._unfolded > MAX_UNFOLDED:
            raise FormatError(
                f"functions unfold to more than {MAX_UNFOLDED} names and nodes", where, _REMEDY
            )


def _key_of_function(function: Node) -> _Key:
    return function.get("domain", ""), function.get("name", ""), function.get("overload", "")


def _key_of_call(node: Node) -> _Key:
    return node.get("domain", ""), node.get("op_type", ""), node.get("overload", "")


class _Renaming:
    """A function's names as the caller knows them; inner names get the call's own ending."""

    def __init__(self, call: Node, function: Node, ending: str) -> None:
        self._ending = ending
        # A formal input that the caller leaves out is left out inside too.
        self._known = dict.fromkeys(function.get("input", ()), "")
        self._known |= zip(function.get("input", ()), call.get("input", ()), strict=False)
        outputs = zip(function.get("output", ()), call.get("output", ()), strict=False)
        self._known |= {formal: actual for formal, actual in outputs if actual}

    def __getitem__(self, name: str) -> str:
        if not name:
            return ""
        return self._known.get(name, f"{name}{self._ending}")


class _Copy:
    """Copies nodes and graphs under other names, with what the call says of attributes."""

    def __init__(
        self, names: _Renaming, attributes: Mapping[str, Node], opsets: Mapping[str, int]
    ) -> None:
        self._names = names
        self._attributes = attributes
        self._opsets = opsets
        self.names_copied = 0

    def node(self, node: Node) -> Node:
        return {
            **node,
            "input": self._renamed(node.get("input", ())),
            "output": self._renamed(node.get("output", ())),
            "attribute": list(self._copied_attributes(node.get("attribute", ()))),
            OPSETS: self._opsets,
        }

    def _renamed(self, names: Sequence[str]) -> list[str]:
        self.names_copied += 1 + len(names)
        return [self._names[name] for name in names]

    def _copied_attributes(self, attributes: Sequence[Node]) -> Iterator[Node]:
        for attribute in attributes:
            self.names_copied += 1 + _weight(attribute)
            reference = attribute.get("ref_attr_name", "")
            found = self._attributes.get(reference) if reference else attribute
            if found is None:
                continue
            copy: dict[str, Any] = {**found, "name": attribute.get("name", "")}
            # What the caller gives is written in the caller's names already.
            if not reference and "g" in copy:
                copy["g"] = self._graph(copy["g"])
            if not reference and "graphs" in copy:
                copy["graphs"] = [self._graph(graph) for graph in copy["graphs"]]
            yield copy

    def _graph(self, graph: Node) -> Node:
        copy = {**graph, "node": [self.node(node) for node in graph.get("node", ())]}
        for key in _LISTS:
            entries = graph.get(key, ())
            self.names_copied += len(entries)
            copy[key] = [{**entry, "name": self._names[entry.get("name", "")]} for entry in entries]
        return copy


def _weight(attribute: Node) -> int:
    """What reading an attribute again costs, in names: listed numbers, not raw contents."""
    listed = sum(len(attribute.get(key, ())) for key in ("ints", "floats", "strings"))
    packed = sum(len(part) for key in _PACKED for part in attribute.get("t", {}).get(key, ()))
    return listed + packed // 8
