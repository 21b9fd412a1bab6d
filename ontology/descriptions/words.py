"""Names, texts and addresses in descriptions."""

from __future__ import annotations

from pathlib import PurePosixPath

import pyoxigraph as ox

from ontology.descriptions.terms import (
    DescriptionRefused,
    Graph,
    relative_part,
    says_nothing,
    short,
)
from ontology.namespaces import IRI_LENGTH


def identity(graph: Graph, subject: str, what: str) -> str:
    """The IRI by which a thing is found again; DescriptionRefused where it has none to keep."""
    if subject.startswith("_:"):
        document = graph.document_of(subject)
        raise DescriptionRefused(f"{document}: {what} has no IRI; give it one to be known by")
    if len(subject) > IRI_LENGTH:
        raise DescriptionRefused(f"{short(subject)[:80]}… is an IRI of more than {IRI_LENGTH}")
    relative = relative_part(subject)
    if relative is None:
        return subject
    document = PurePosixPath(graph.document_of(subject)).name
    name = f"urn:tinyfleet:described:{document}:{relative}"
    graph.mend(subject, f"<{relative}> is a relative IRI without a base; known here as <{name}>")
    return name


def text(graph: Graph, subject: str, *names: str) -> str:
    """The first text that there is by these properties, the English one of several; else ''."""
    for name in names:
        literals = [o for o in graph.objects(subject, name) if isinstance(o, ox.Literal)]
        words = sorted(literals, key=lambda o: ((o.language or "en") != "en", o.value))
        chosen = next((" ".join(o.value.split()) for o in words if o.value.strip()), "")
        if chosen:
            return chosen
    return ""


def address(graph: Graph, subject: str, name: str, whose: str) -> str:
    """An address or words that say where something is; '' where none is known.

    A relative IRI is what is left of an address whose beginning was forgotten, or says nothing.
    """
    for found in graph.related(subject, name):
        relative = relative_part(found)
        if relative is not None and says_nothing(relative):
            graph.mend(
                subject, f"<{relative}> is no IRI; the {name} of {whose} is taken as not known"
            )
        elif relative is not None:
            graph.mend(
                subject, f"<{relative}> is a relative IRI; the {name} of {whose} is kept as words"
            )
            return relative
        elif not says_nothing(found):
            return found
    return ""
