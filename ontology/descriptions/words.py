"""Names, texts and addresses in descriptions."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote

import pyoxigraph as ox

from ontology.descriptions.terms import (
    DescriptionRefused,
    Graph,
    relative_part,
    says_nothing,
    short,
    text_of,
)
from ontology.namespaces import IRI_LENGTH

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def identity(graph: Graph, subject: str, what: str) -> str:
    """The IRI by which a thing is found again; DescriptionRefused where it has none to keep."""
    if subject.startswith("_:"):
        raise DescriptionRefused(f"{what} has no IRI; give it one to be known by")
    relative = relative_part(subject)
    name = subject if relative is None else _urn(graph, subject, relative)
    if len(name) > IRI_LENGTH:
        problem = f"{name[:80]}… has more than {IRI_LENGTH} characters; give it a shorter IRI"
        raise DescriptionRefused(problem)
    return name


def _urn(graph: Graph, subject: str, relative: str) -> str:
    """A relative IRI names a thing within its document, so the document is part of the name."""
    document = quote(PurePosixPath(graph.document_of(subject)).name)
    name = f"urn:tinyfleet:described:{document}:{relative}"
    graph.mend(subject, f"<{relative}> is a relative IRI without a base; known here as <{name}>")
    return name


def text(graph: Graph, subject: str, *names: str) -> str:
    """The first text that there is by these properties, the English one of several; else ''."""
    for name in names:
        literals = [o for o in graph.objects(subject, name) if isinstance(o, ox.Literal)]
        words = sorted(literals, key=lambda o: ((o.language or "en") != "en", o.value))
        chosen = next(filter(None, (plain(o.value) for o in words)), "")
        if chosen:
            return chosen
    return ""


def address(graph: Graph, subject: str, name: str, whose: str) -> str:
    """An address or words that say where something is; '' where none is known.

    A relative IRI is what is left of an address whose beginning was forgotten, or says nothing.
    """
    for found in graph.objects(subject, name):
        relative = relative_part(text_of(found))
        if relative is not None:
            said = f"{short(text_of(found))} is a relative IRI"
            graph.mend(subject, f"{said}; the {name} of {whose} is kept as words")
            return relative
        if isinstance(found, ox.NamedNode | ox.Literal) and not says_nothing(found):
            return plain(found.value)
    return ""


def plain(text: str) -> str:
    """On one line, without what a database cannot hold or a terminal would obey."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))
