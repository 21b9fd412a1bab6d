"""What one can do with a thing, as the W3C's TD ontology states it in RDF.

Older descriptions write `td:href` and `td:op` where TD 1.1 has `hctl:hasTarget` and
`hctl:hasOperationType`; both are read. Source: https://www.w3.org/2019/wot/td, /hypermedia.
"""

from __future__ import annotations

from ontology.descriptions.facts import DescribedAffordance, DescribedForm
from ontology.descriptions.terms import Graph, relative_part, tail, text_of
from ontology.descriptions.words import plain, text

_KINDS = {
    "property": "td:hasPropertyAffordance",
    "action": "td:hasActionAffordance",
    "event": "td:hasEventAffordance",
}
_NAME_LENGTH = 160
_DEFAULT_CONTENT_TYPE = "application/json"  # TD 1.1, section 5.4


def read_affordances(graph: Graph, thing: str) -> tuple[DescribedAffordance, ...]:
    """Its properties, actions and events, by name; of two of one name the first."""
    found: dict[tuple[str, str], DescribedAffordance] = {}
    for kind, relation in _KINDS.items():
        for node in graph.related(thing, relation):
            name = text(graph, node, "td:name", "td:title", "rdfs:label")[:_NAME_LENGTH]
            if name:
                found.setdefault((kind, name), _read(graph, node, kind, name))
    return tuple(found[key] for key in sorted(found))


def _read(graph: Graph, node: str, kind: str, name: str) -> DescribedAffordance:
    forms = [_form(graph, form) for form in graph.related(node, "td:hasForm")]
    return DescribedAffordance(
        kind=kind,
        name=name,
        description=text(graph, node, "td:description"),
        forms=tuple(sorted({form for form in forms if form.target})),
    )


def _form(graph: Graph, form: str) -> DescribedForm:
    targets = _words(graph, form, "hctl:hasTarget", "td:href")
    operations = {
        tail(each).lower() for each in _words(graph, form, "hctl:hasOperationType", "td:op")
    }
    kinds = _words(graph, form, "hctl:forContentType", "td:contentType", "td:mediaType")
    content_type = next(iter(kinds), _DEFAULT_CONTENT_TYPE)
    return DescribedForm(next(iter(targets), ""), tuple(sorted(operations)), content_type)


def _words(graph: Graph, subject: str, *names: str) -> list[str]:
    """Texts or addresses; a relative address stays what stood in the document."""
    found = [text_of(o) for name in names for o in graph.objects(subject, name)]
    kept = (each if (relative := relative_part(each)) is None else relative for each in found)
    return [plain(each) for each in kept if not each.startswith("_:")]
