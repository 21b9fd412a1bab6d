"""Checks of search: section 7.3.2.4."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from tests.conformance.directory_client import Directory, new_id
from tests.conformance.discovery_assertions import absent, asserts
from tests.conformance.discovery_http import is_problem
from tests.conformance.plain_http import Reply

TITLE = "https://www.w3.org/2019/wot/td#title"


def ask(directory: Directory, query: str, **headers: str) -> Reply:
    return directory.get(f"/search/sparql?query={quote(query)}", **headers)


_TITLES: dict[str, str] = {}


def _titled(directory: Directory) -> str:
    """A title that one thing in the graph has; one serves for all queries to a directory."""
    if directory.base not in _TITLES:
        title = f"Searched {new_id()}"
        directory.created(title=title)
        directory.tick()
        _TITLES[directory.base] = title
    return _TITLES[directory.base]


def _having(title: str) -> str:
    return f"?thing <{TITLE}> ?title FILTER(STR(?title) = '{title}')"


def _count(reply: Reply) -> int:
    assert reply.status == 200, reply.body
    said: Any = json.loads(reply.body)
    return len(said["results"]["bindings"])


@asserts("tdd-search-sparql", "tdd-search-sparql-method-get")
def things_are_found_by_sparql(directory: Directory) -> None:
    title = _titled(directory)
    assert _count(ask(directory, f"SELECT ?thing {{ {_having(title)} }}")) == 1
    assert _count(ask(directory, f"SELECT ?thing {{ {_having(new_id())} }}")) == 0


@asserts("tdd-search-large-tdds")
def clients_search_instead_of_listing(directory: Directory) -> None:
    title = f"Searched {new_id()}"
    thing_id = directory.created(title=title)
    for query in (f"$[?@.title == '{title}'].id", f"$[?search(@.title, '{title}')].id"):
        reply = directory.get(f"/search/jsonpath?query={quote(query)}")
        assert (reply.status, json.loads(reply.body)) == (200, [thing_id])
    is_problem(directory.get(f"/search/jsonpath?query={quote('*/id')}"), 400)
    is_problem(directory.get("/search/jsonpath"), 400)


@asserts("tdd-search-sparql-version")
def the_query_language_is_sparql_1_1(directory: Directory) -> None:
    """What SPARQL 1.0 had not: aggregates, paths, sub-queries, BIND, VALUES, MINUS, EXISTS."""
    title = _titled(directory)
    found = _having(title)
    for query in (
        f"SELECT (COUNT(?thing) AS ?n) {{ {found} }} GROUP BY ?title HAVING (COUNT(?thing) = 1)",
        f"SELECT ?thing {{ ?thing (<{TITLE}>|<urn:none>) ?t FILTER(STR(?t) = '{title}') }}",
        f"SELECT ?thing {{ {{ SELECT ?thing {{ {found} }} }} }}",
        f"SELECT ?x {{ {found} BIND(STRLEN(?title) AS ?x) }}",
        f"SELECT ?thing {{ VALUES ?wanted {{ '{title}' }} ?thing <{TITLE}> ?t"
        " FILTER(STR(?t) = ?wanted) }",
        f"SELECT ?thing {{ {found} MINUS {{ ?thing <urn:none> ?y }} }}",
        f"SELECT ?thing {{ {found} FILTER NOT EXISTS {{ ?thing <urn:none> ?y }} }}",
    ):
        assert _count(ask(directory, query)) == 1, query


@asserts("tdd-search-sparql-method-post")
def queries_may_be_posted(directory: Directory) -> None:
    query = f"SELECT ?thing {{ {_having(_titled(directory))} }}"
    for media_type, body in (
        ("application/sparql-query", query),
        ("application/x-www-form-urlencoded", urlencode({"query": query})),
    ):
        headers = {"Content_Type": media_type}
        path = "/search/sparql"
        reply = directory.ask("POST", path, directory.reader, body.encode(), **headers)
        assert _count(reply) == 1


@asserts("tdd-search-sparql-resp-select-ask")
def tables_are_json(directory: Directory) -> None:
    for query in ("SELECT * { ?s ?p ?o } LIMIT 1", "ASK { ?s ?p ?o }"):
        for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
            reply = ask(directory, query, **headers)
            assert (reply.status, reply.media_type) == (200, "application/json")
            assert "head" in json.loads(reply.body)
    reply = ask(directory, "ASK { ?s ?p ?o }", Accept="application/sparql-results+xml")
    assert reply.media_type == "application/sparql-results+xml"


@asserts("tdd-search-sparql-resp-describe-construct")
def graphs_are_json_ld(directory: Directory) -> None:
    found = _having(_titled(directory))
    for query in (
        f"CONSTRUCT {{ ?thing <{TITLE}> ?title }} {{ {found} }}",
        f"DESCRIBE ?thing {{ {found} }}",
    ):
        reply = ask(directory, query)
        assert (reply.status, reply.media_type) == (200, "application/ld+json"), reply.body
        assert TITLE in reply.body.decode()


@asserts("tdd-search-sparql-error")
def nothing_but_queries_is_taken(directory: Directory) -> None:
    for text in ("INSERT DATA { <urn:a> <urn:b> <urn:c> }", "CLEAR ALL", "nonsense", ""):
        is_problem(ask(directory, text), 400)
        headers = {"Content_Type": "application/x-www-form-urlencoded"}
        body = urlencode({"query": text}).encode()
        is_problem(directory.ask("POST", "/search/sparql", directory.reader, body, **headers), 400)


@absent(
    "tdd-search-sparql-federation",
    "tdd-search-sparql-federation-version",
    reason="SERVICE is refused: a user's query must not make the server call other hosts",
)
def other_services_are_not_asked(directory: Directory) -> None:
    is_problem(ask(directory, "SELECT * { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }"), 400)
