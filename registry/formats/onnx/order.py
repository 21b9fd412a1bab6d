"""The order in which nodes can run: each behind all that it reads from."""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterator, Mapping, Sequence

from registry.formats.errors import FormatError
from registry.formats.tree import Node

_REMEDY = "Export the model again; onnx.checker.check_model names such faults too."


def in_order(nodes: Sequence[Node], known: Container[str], where: str) -> list[int]:
    """Positions of the nodes, each behind those that give its inputs, else as they stand.

    `known` holds the names that are there beforehand. Raises FormatError for a name that two nodes
    give, for one that nothing gives, and for nodes that wait for each other.
    """
    giver = _givers(nodes, where)
    waits = [
        {giver[name] for name in names_read(node) if _is_given(name, giver, known, index, where)}
        for index, node in enumerate(nodes)
    ]
    readers: dict[int, list[int]] = {}
    for index, others in enumerate(waits):
        for other in others:
            readers.setdefault(other, []).append(index)
    missing = [len(others) for others in waits]
    ready = [index for index, count in enumerate(missing) if count == 0]
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers.get(index, ()):
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    if len(order) < len(nodes):
        raise _cycle(nodes, waits, set(order), where)
    return order


def names_read(node: Node) -> Iterator[str]:
    """What a node reads: its inputs, and what its subgraphs take from around them."""
    yield from (name for name in node.get("input", ()) if name)
    for graph in graphs_of(node):
        yield from _names_from_around(graph)


def graphs_of(node: Node) -> Iterator[Node]:
    """The subgraphs among a node's attributes."""
    for attribute in node.get("attribute", ()):
        if "g" in attribute:
            yield attribute["g"]
        yield from attribute.get("graphs", ())


def _names_from_around(graph: Node) -> set[str]:
    own = {
        entry.get("name", "") for key in ("input", "initializer") for entry in graph.get(key, ())
    }
    own |= {
        entry.get("values", {}).get("name", "") for entry in graph.get("sparse_initializer", ())
    }
    own |= {name for node in graph.get("node", ()) for name in node.get("output", ())}
    read = {name for node in graph.get("node", ()) for name in names_read(node)}
    read |= {entry.get("name", "") for entry in graph.get("output", ())}
    return read - own


def _givers(nodes: Sequence[Node], where: str) -> dict[str, int]:
    giver: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.get("output", ()):
            if name and giver.setdefault(name, index) != index:
                raise FormatError(
                    f"the nodes {giver[name]} and {index} both give {name!r}",
                    f"{where}.node[{index}]",
                    _REMEDY,
                )
    return giver


def _is_given(
    name: str, giver: Mapping[str, int], known: Container[str], index: int, where: str
) -> bool:
    """Whether a node of this graph gives it; FormatError where nothing does."""
    if name in giver:
        return True
    if name not in known:
        raise FormatError(f"nothing gives {name!r}", f"{where}.node[{index}].input", _REMEDY)
    return False


def _cycle(
    nodes: Sequence[Node], waits: Sequence[set[int]], done: set[int], where: str
) -> FormatError:
    """Follow what is waited for until a node comes a second time."""
    index = next(index for index in range(len(nodes)) if index not in done)
    seen: dict[int, None] = {}
    while index not in seen:
        seen[index] = None
        index = next(other for other in sorted(waits[index]) if other not in done)
    circle = list(seen)[list(seen).index(index) :]
    named = ", ".join(f"{place} ({nodes[place].get('op_type', '')})" for place in circle[:5])
    return FormatError(
        f"the graph is cyclic: the nodes {named} wait for each other's outputs",
        f"{where}.node[{index}]",
        _REMEDY,
    )
