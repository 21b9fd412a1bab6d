"""W3C's test manifests, read into values: requests in HTTP-in-RDF, and what is expected of each.

Terms: mf: is the test manifest's vocabulary, ht: HTTP Vocabulary in RDF 1.0, cnt: Representing
Content in RDF 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rdflib import RDFS, Graph, Literal, Namespace
from rdflib.collection import Collection
from rdflib.term import Node

MF = Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#")
UT = Namespace("http://www.w3.org/2009/sparql/tests/test-update#")
HT = Namespace("http://www.w3.org/2011/http#")
CNT = Namespace("http://www.w3.org/2011/content#")


@dataclass(frozen=True)
class Exchange:
    """A request as the manifest describes it, and what must come back."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    statuses: tuple[str, ...]  # such as StatusCode2xx
    format: str | None
    boolean: bool | None

    @property
    def content_type(self) -> str:
        """The media type that the request gives its body, if any."""
        return dict(self.headers).get("content-type", "").partition(";")[0].strip()

    @property
    def is_update(self) -> bool:
        """Whether it asks for the protocol's update operation (section 2.2)."""
        form = self.body if self.content_type == "application/x-www-form-urlencoded" else b""
        return (
            self.content_type == "application/sparql-update"
            or form.startswith(b"update=")
            or "?update=" in self.path
        )


@dataclass(frozen=True)
class Case:
    """One entry of a manifest; a case without exchanges is known by its id alone."""

    id: str
    name: str
    graphs: tuple[tuple[str, Path], ...]  # IRI of a graph that must be there, and its file
    exchanges: tuple[Exchange, ...]


def cases_of(manifest: Path) -> list[Case]:
    """The entries of a manifest in its order."""
    graph = Graph().parse(manifest, publicID=manifest.as_uri())
    (entries,) = graph.objects(predicate=MF.entries)
    return [_case(graph, node) for node in Collection(graph, entries)]


def _case(graph: Graph, node: Node) -> Case:
    data = [
        (str(graph.value(each, RDFS.label)), _file(graph.value(each, UT.graph)))
        for each in graph.objects(node, UT.graphData)
    ]
    action = graph.value(node, MF.action)
    requests = graph.value(action, HT.requests) if action else None
    exchanges = [_exchange(graph, each) for each in Collection(graph, requests)] if requests else []
    name = str(graph.value(node, MF.name))
    return Case(str(node).rpartition("#")[2], name, tuple(data), tuple(exchanges))


def _file(iri: Node | None) -> Path:
    return Path(str(iri).removeprefix("file://"))


def _exchange(graph: Graph, node: Node) -> Exchange:
    response = graph.value(node, HT.resp)
    expected = graph.value(response, MF.expectedFormat)
    boolean = graph.value(response, MF.expectedBoolean)
    return Exchange(
        method=str(graph.value(node, HT.methodName)),
        path=str(graph.value(node, HT.absolutePath)),
        headers=_headers(graph, node),
        body=_body(graph, graph.value(node, HT.body)),
        statuses=tuple(
            sorted(str(s).rpartition("#")[2] for s in graph.objects(response, MF.expectedStatus))
        ),
        format=None if expected is None else str(expected),
        boolean=boolean.toPython() if isinstance(boolean, Literal) else None,
    )


def _headers(graph: Graph, node: Node) -> tuple[tuple[str, str], ...]:
    headers = graph.value(node, HT.headers)
    return tuple(
        (str(graph.value(each, HT.fieldName)).lower(), str(graph.value(each, HT.fieldValue)))
        for each in (Collection(graph, headers) if headers else ())
    )


def _body(graph: Graph, node: Node | None) -> bytes:
    if node is None:
        return b""
    encoding = str(graph.value(node, CNT.characterEncoding, default="UTF-8"))
    return str(graph.value(node, CNT.chars)).encode(encoding)
