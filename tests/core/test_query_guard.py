"""What the guard refuses before anything is run, and how long it takes to look."""

from __future__ import annotations

import gc
import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ontology.query_guard import QueryForm, QueryRefused, examine, refuse_many_steps, tokens

LONG = 32_000  # characters
# Quotes, escapes, brackets of IRIs, names, numbers, signs: whatever begins a token or is in one.
LETTERS = "\"'\\<>a.:#@?-{[1_ \n%"


# Linear time takes a fiftieth of it; quadratic time, which a guard once took, ten times as long.
MOST_S = 1.0


def least_s(query: str) -> float:
    """The processor time that looking takes, whatever it comes to: the least of three looks.

    Without the collector, which in a large process takes longer than what is measured.
    """
    gc.disable()
    try:
        return min(_seconds(query) for _ in range(3))
    finally:
        gc.enable()


def _seconds(query: str) -> float:
    began = time.process_time()
    with suppress(QueryRefused):
        examine(query)
    for _ in tokens(query):
        pass
    return time.process_time() - began


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.text(LETTERS, min_size=1, max_size=4), st.sampled_from(["", '"""', "<", "'"]))
@example('\\"', '"')
@example("a.", "")
@example("-a", "")
def test_looking_takes_time_in_proportion(piece: str, opening: str) -> None:
    assert least_s(f"SELECT * {{ SERVICE {opening}" + piece * (LONG // len(piece))) < MOST_S


@pytest.mark.parametrize(
    "query",
    [
        "PREFIX service: <http://example.org/> SELECT * { ?a service:service ?b }",
        "PREFIX service: <http://example.org/> SELECT * { GRAPH service:a { ?a ?b ?c } }",
        "PREFIX service: <http://example.org/> SELECT * FROM NAMED service:a { ?a ?b ?c }",
        "SELECT ?service ?x { ?service ?p ?x }",
        "SELECT * { ?a <http://example.org/SERVICE> 'SERVICE <x> {' } # SERVICE <x> {",
    ],
)
def test_a_service_that_is_only_a_name_passes(query: str) -> None:
    assert examine(query) is QueryForm.SELECT


@pytest.mark.parametrize(
    "query",
    ["SELECT * { ?a ?b 1.5 }", "SELECT * { ?a ?b -1.FILTER(1 < 2) }", "ASK { ?a ?b 'x'@en-GB.}"],
)
def test_numbers_and_dots_are_told_apart(query: str) -> None:
    assert examine(query)
    assert "".join(token.text for token in tokens(query)) == query.replace(" ", "")


CALL = "SERVICE <http://127.0.0.1:1/> { ?s ?p ?o }"


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT * {{ OPTIONAL {{ FILTER(?a<'>') }} {CALL} OPTIONAL {{ FILTER(1>'') }} }}",
        f"SELECT * {{ FILTER(?a<'x>#') {CALL} }}",
        f"SELECT * {{ ?s ?p ?a FILTER(?a<#>'''\n?s) {CALL} #'''\n }}",
        f"SELECT * {{ ?s ?p ?a FILTER(?a<?s#>'''\n) {CALL} #'''\n }}",
        "SELECT * { ?s ?p ?a FILTER(?a<?s)SERVICE#>\n?s{?s ?p ?o} }",
        f"PREFIX a: <http://a/> SELECT * {{ ?s a:b\\' ?o . {CALL} FILTER(1>'') }}",
        f"PREFIX a: <http://a/> SELECT * {{ ?s a:b\\# ?o . {CALL} }}",
    ],
)
def test_what_may_be_a_comparison_hides_no_service(query: str) -> None:
    with pytest.raises(QueryRefused, match="SERVICE"):
        examine(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * { ?a ?b <http://dbpedia.org/resource/Rubik's_Cube> }",
        "SELECT * { ?a <http://example.org/service#Thing> 'SERVICE <x> {' } # SERVICE",
        "PREFIX s: <urn:service#> SELECT * { ?a s:b\\'c ?d FILTER(?a<?d) }",
        "SELECT ?service { ?service ?p <http://a/it's> FILTER(?a<'b') }",
    ],
)
def test_what_is_surely_no_service_passes_beside_it(query: str) -> None:
    assert examine(query) is QueryForm.SELECT


def test_nothing_nests_behind_what_may_be_a_comparison() -> None:
    deep = "{" * 6_000 + "}" * 6_000
    with pytest.raises(QueryRefused, match="nest"):
        examine(f"SELECT * {{ FILTER(?a<'>') {deep} FILTER(1>'') }}")


CHAINS = {
    "not": lambda n: "!" * n + "true",
    "or": lambda n: "||".join(["true"] * n),
    "plus": lambda n: "+".join(["1"] * n),
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_long_chains_are_refused_where_an_engine_must_not_die(chain) -> None:
    refuse_many_steps(f"ASK {{ ?s ?p ?o FILTER({chain(200)}) }}", 500)
    with pytest.raises(QueryRefused, match="more than 500 operators"):
        refuse_many_steps(f"ASK {{ ?s ?p ?o FILTER({chain(600)}) }}", 500)


@pytest.mark.parametrize(
    "body",
    [
        "{ ?s ?p ?o }" + "UNION { ?s ?p ?o }" * 600,
        "?s ?p ?o ." * 600,
        "?s ?p ?o " + "; ?p ?o" * 600,
        "?s " + "/".join(["<a:b>"] * 600) + " ?o",
        "".join(f"BIND(1 AS ?v{n}) " for n in range(600)),
        "OPTIONAL { ?s ?p ?o }" * 600,
    ],
)
def test_many_patterns_are_refused_there_too(body: str) -> None:
    with pytest.raises(QueryRefused, match="patterns"):
        refuse_many_steps(f"ASK {{ {body} }}", 500)
