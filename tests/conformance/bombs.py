"""Queries that mean harm, by name, and a graph on which they do it."""

from __future__ import annotations

import random
from collections.abc import Iterator

NAMESPACE = "http://example.org/"
PREFIX = f"PREFIX ex: <{NAMESPACE}> "
PEOPLE, FRIENDS, NOTES = 400, 8, 6_000
ONE_ROW = PREFIX + "SELECT ?name { ex:p7 ex:name ?name }"

_TWO = "?a ?b ?c . ?d ?e ?f"
_THREE = f"{_TWO} . ?g ?h ?i"
_COUNT = "SELECT (COUNT(*) AS ?n) {{ {} }}"


def n_quads() -> Iterator[str]:
    """People who know each other at random, and long notes of one letter."""
    chance = random.Random(0)
    graph = f"<{NAMESPACE}g>"
    for one in range(PEOPLE):
        yield f'<{NAMESPACE}p{one}> <{NAMESPACE}name> "person {one}" {graph} .\n'
        for other in chance.sample(range(PEOPLE), FRIENDS):
            yield f"<{NAMESPACE}p{one}> <{NAMESPACE}knows> <{NAMESPACE}p{other}> {graph} .\n"
    for number in range(NOTES):
        text = "a" * chance.randrange(100, 200)
        yield f'<{NAMESPACE}n{number}> <{NAMESPACE}note> "{text}" {graph} .\n'


def _doubling(times: int) -> str:
    """A text that doubles with each BIND."""
    steps = "".join(f"BIND(CONCAT(?t{n}, ?t{n}) AS ?t{n + 1}) " for n in range(times))
    return f'BIND("0123456789" AS ?t0) {steps}'


def _replacing(times: int) -> str:
    """A text that grows tenfold with each REPLACE."""
    steps = "".join(f'BIND(REPLACE(?t{n}, "a", "{"a" * 10}") AS ?t{n + 1}) ' for n in range(times))
    return f'BIND("aaaaaaaaaa" AS ?t0) {steps}'


def _numbers(count: int) -> str:
    return " ".join(map(str, range(count)))


# They run until a limit ends them.
LONG = {
    "a Cartesian three-way COUNT": _COUNT.format(_THREE),
    "an unbounded property path": PREFIX + _COUNT.format("?a (ex:knows|!ex:x)* ?b . ?c !ex:y* ?d"),
    "an ORDER BY over a cross product": f"SELECT ?a ?d {{ {_TWO} }} ORDER BY ?c ?f LIMIT 1",
    "a REGEX that backtracks": PREFIX
    + _COUNT.format(
        '?a ex:note ?s . ?b ex:note ?t FILTER REGEX(CONCAT(?s, ?t), "^(a|a?)+(a+)+b$")'
    ),
    "a REGEX of repeated repetitions": PREFIX
    + _COUNT.format('?a ex:note ?s . ?b ex:note ?t FILTER REGEX(?s, "((a{1,30}){1,30}){1,9}b")'),
    "a CONSTRUCT that multiplies one triple": PREFIX
    + f"CONSTRUCT {{ ex:a ex:b ex:c }} {{ {_THREE} }}",
    "a GROUP_CONCAT over a cross product": f"SELECT (GROUP_CONCAT(?c) AS ?all) {{ {_TWO} }}",
    "a COUNT of sub-selects": f"SELECT * {{ {{ {_COUNT.format(_THREE)} }} UNION {{ "
    f"{_COUNT.format(_THREE)} }} }}",
    "a DISTINCT over a cross product": f"SELECT (COUNT(DISTINCT *) AS ?n) {{ {_TWO} }}",
    "a GROUP BY over a cross product": f"SELECT ?c ?f (COUNT(*) AS ?n) {{ {_TWO} }} GROUP BY ?c ?f",
    "a NOT EXISTS over a cross product": f"ASK {{ {_THREE} FILTER NOT EXISTS {{ ?j ?k ?l }} }}",
    "a MINUS of cross products": f"ASK {{ {_TWO} MINUS {{ ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }} }}",
    "nested OPTIONALs": _COUNT.format("?a ?b ?c " + "OPTIONAL { ?d ?e ?f " * 50 + "}" * 50),
    "nested EXISTS": _COUNT.format(
        _TWO + " FILTER EXISTS { ?g ?h ?i" * 60 + " FILTER(?c = ?f) }" + "}" * 59
    ),
    "a chain of UNIONs": _COUNT.format(
        " UNION ".join(["{ ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"] * 500)
    ),
    "VALUES against VALUES": _COUNT.format(
        "".join(f"VALUES ?v{n} {{ {_numbers(5_000)} }} " for n in range(4))
    ),
    "an IN of many": _COUNT.format(
        f"{_THREE} FILTER(?c IN ({_numbers(20_000).replace(' ', ', ')}))"
    ),
    "a text that doubles": f"SELECT (STRLEN(?t40) AS ?n) {{ {_doubling(40)} }}",
    "a text that grows by REPLACE": f"SELECT (STRLEN(?t12) AS ?n) {{ {_replacing(12)} }}",
    "hashes of a text that doubles": f"SELECT (SHA512(?t23) AS ?n) {{ {_TWO} {_doubling(23)} }}",
}

# Their answers are longer than may be.
MANY = {
    "a SELECT * over three patterns": f"SELECT * {{ {_THREE} }}",
    "a CONSTRUCT that multiplies": f"CONSTRUCT {{ ?a ?e ?f . ?d ?b ?c }} {{ {_TWO} }}",
    "a DESCRIBE of everything": "DESCRIBE ?s { ?s ?p ?o }",
    "few rows of long texts": PREFIX
    + f"SELECT ?t17 {{ ?p ex:name ?name {_doubling(17)} }} LIMIT 9",
}

# They are read for long, or deeply, before anything runs.
DEEP = {
    "10,000 braces": "SELECT * " + "{" * 10_000 + "}" * 10_000,
    "10,000 parentheses": "SELECT * { FILTER(" + "(" * 10_000 + "1" + ")" * 10_000 + ") }",
    "10,000 brackets": "SELECT * { ?s ?p " + "[ ?p " * 10_000 + "1" + "]" * 10_000 + " }",
}
CHAINS = {
    "50,000 negations": "ASK { FILTER(" + "!" * 50_000 + "true) }",
    "50,000 minus signs": "ASK { FILTER(" + "- " * 50_000 + "1 = 1) }",
    "50,000 inverse paths": "ASK { ?s " + "^" * 50_000 + "?p ?o }",
    "20,000 sums": "ASK { FILTER(1" + " + 1" * 20_000 + " = 1) }",
    "20,000 alternatives": "ASK { FILTER(1 = 2" + " || 1 = 2" * 20_000 + ") }",
    "20,000 steps of a path": PREFIX + "ASK { ?s ex:p" + "/ex:p" * 20_000 + " ?o }",
    "quoted triples in quoted triples": "ASK { "
    + "<<( ?s ?p " * 5_000
    + "?o"
    + ")>>" * 5_000
    + " ?p ?o }",
    "quotes that never close": "SELECT * {" + '"' + '\\"' * 60_000,
    "names that never end": "SELECT * {" + "a." * 60_000,
    "signs without end": "SELECT * {" + "-a" * 60_000,
}
