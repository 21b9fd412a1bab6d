"""Branches, loops and calls that the runtime refuses have no arena, and so never fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.footprint.arena import predict_arena
from registry.formats.model_file import read_network
from tests.registry.runtime import peer
from tests.registry.runtime.schema import Call, Graph, Spec, write_network

ROW, SHORT, LONG = Spec((1, 8)), Spec((1, 4)), Spec((1, 16))
FLAG, FLAGS = Spec((1,), "BOOL"), Spec((2,), "BOOL")


def relu(spec: Spec = ROW) -> Graph:
    return Graph([spec, spec], [Call("RELU", (0,), (1,), "", {}, ())], (0,), (1,))


def added() -> Graph:
    """Takes one tensor too many."""
    call = Call("ADD", (0, 1), (2,), "AddOptions", {}, ())
    return Graph([ROW, ROW, ROW], [call], (0, 1), (2,))


def doubled() -> Graph:
    """Gives one tensor too many."""
    calls = [Call("RELU", (0,), (place,), "", {}, ()) for place in (1, 2)]
    return Graph([ROW, ROW, ROW], calls, (0,), (1, 2))


def compared(spec: Spec = ROW) -> Graph:
    return Graph([spec, FLAG], [Call("GREATER", (0, 0), (1,), "", {}, ())], (0,), (1,))


def branch(then: int = 1, other: int = 2, condition: Spec = FLAG, reads=(0, 1)) -> Graph:
    values = {"thenSubgraphIndex": then, "elseSubgraphIndex": other}
    call = Call("IF", reads, (2,), "IfOptions", values, ())
    return Graph([condition, ROW, ROW], [call], (0, 1), (2,))


def loop(condition: int = 1, body: int = 2) -> Graph:
    values = {"condSubgraphIndex": condition, "bodySubgraphIndex": body}
    return Graph([ROW, ROW], [Call("WHILE", (0,), (1,), "WhileOptions", values, ())], (0,), (1,))


def once(callee: int) -> Graph:
    first = Call("CALL_ONCE", (), (), "CallOnceOptions", {"initSubgraphIndex": callee}, ())
    return Graph([ROW, ROW], [first, Call("RELU", (0,), (1,), "", {}, ())], (0,), (1,))


EMPTY = Graph([], [], (), ())
RUNS = {
    "branch": (branch(), relu(), relu()),
    "branch on a scalar": (branch(condition=Spec((), "BOOL")), relu(), relu()),
    "loop": (loop(), compared(), relu()),
    "once": (once(1), EMPTY),
}
# Refused by the runtime however it is fed.
REFUSED = {
    "then far": (branch(then=7), relu(), relu()),
    "else far": (branch(other=7), relu(), relu()),
    "then below zero": (branch(then=-1), relu(), relu()),
    "a number as condition": (branch(condition=Spec((1,))), relu(), relu()),
    "two conditions": (branch(condition=FLAGS), relu(), relu()),
    "no condition": (branch(reads=()), relu(), relu()),
    "then takes more": (branch(), added(), relu()),
    "then gives more": (branch(), doubled(), relu()),
    "loop condition far": (loop(condition=9), compared(), relu()),
    "loop body far": (loop(body=9), compared(), relu()),
    "loop body below zero": (loop(body=-1), compared(), relu()),
    "loop body takes more": (loop(), compared(), added()),
    "loop body gives more": (loop(), compared(), doubled()),
    "loop condition takes more": (loop(), added(), relu()),
    "loop condition takes less": (loop(), compared(SHORT), relu()),
    "once far": (once(9), EMPTY),
    "once below zero": (once(-1), EMPTY),
}
# Refused only where it comes to that.
MAY_END = {
    "else takes more": (branch(), relu(), added()),
    "else gives more": (branch(), relu(), doubled()),
    "else below zero": (branch(other=-1), relu(), relu()),
    "then is smaller": (branch(), relu(SHORT), relu()),
    "then is larger": (branch(), relu(LONG), relu()),
    "loop body is smaller": (loop(), compared(), relu(SHORT)),
}


def arena(graphs: tuple[Graph, ...]) -> int | None:
    return predict_arena(read_network(write_network(*graphs)), "reference").arena_bytes


@pytest.mark.parametrize("name", RUNS)
def test_what_runs_has_an_arena(name) -> None:
    assert arena(RUNS[name]) is not None


@pytest.mark.parametrize("name", [*REFUSED, *MAY_END])
def test_what_is_refused_or_may_end_has_none_and_says_why(name) -> None:
    network = read_network(write_network(*(REFUSED | MAY_END)[name]))
    plan = predict_arena(network, "reference")
    assert plan.arena_bytes is None
    assert any("IF" in why or "WHILE" in why or "CALL_ONCE" in why for why in plan.unknown)


@pytest.mark.skipif(not peer.is_installed(), reason=peer.MISSING)
def test_the_runtime_says_the_same(tmp_path: Path) -> None:
    cases = RUNS | REFUSED
    files = [write_network(*graphs) for graphs in cases.values()]
    found = peer.allocate(tmp_path, files, [None] * len(files))
    refused = {name for name, each in zip(cases, found, strict=True) if each.refused}
    assert refused == set(REFUSED)
