"""Triples as a graph to walk through, with what is known to be wrong in published ones mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import pyoxigraph as ox

from ontology.namespaces import PREFIXES, expand
from ontology.rdf_parser import NO_BASE
from ontology.vocabulary import superclasses

MOST_CLASSES = 100  # above one, or of one thing

Node: TypeAlias = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple

# Namespaces in which the same terms were published before, or are written by mistake.
OTHER_NAMESPACES: Mapping[str, str] = {
    "http://tinyml-schema.org/networkschema#": "nnet",
    "http://tinyml-schema.org/s3n_extend/": "s3n_extend",
    "http://tinyml-schema.org/sosa_extend/": "sosa_extend",
    "http://tinyml-schema.org/ssn_extend/": "ssn_extend",
    "https://w3id.org/tinyml-schema/neural-network-schema/s3n_extend#": "s3n_extend",
    "https://w3id.org/s3n/": "s3n",
    "http://schema.org/": "schema",
    "https://www.w3.org/ns/td#": "td",
    "http://www.w3.org/ns/td#": "td",
}
_OTHERS = tuple(OTHER_NAMESPACES)
# What programs write where they know nothing.
_NOTHING = frozenset({"", "none", "null", "nan", "n/a", "na", "unknown", "undefined"})


class DescriptionRefused(ValueError):
    """A description contradicts itself or says what cannot be; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Mend:
    """Something that was read otherwise than it is written, and how."""

    document: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.document}: {self.sentence}"


class Graph:
    """The triples of several documents, by subject and property, and the mends on the way.

    Each sentence is kept once, in the order in which the need for it showed.
    """

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, dict[Node, None]]] = {}
        self._subjects_of: dict[tuple[str, str], list[str]] = {}
        self._document_of: dict[str, str] = {}
        self._mends: dict[Mend, None] = {}
        self._nothings: list[tuple[str, str, str]] = []  # subject, property, what stands there
        self._kilobytes: Counter[tuple[str, str]] = Counter()
        self._above: dict[str, frozenset[str]] = {}

    def add(self, document: str, triples: Iterable[ox.Triple]) -> int:
        """Take a document's triples in, and count them; one that is there already is there once."""
        self._above.clear()
        count = 0
        for triple in triples:
            self._take(document, triple)
            count += 1
        return count

    def _take(self, document: str, triple: ox.Triple) -> None:
        subject, predicate, object = (self._mended(document, part) for part in triple)
        key, property = text_of(subject), text_of(predicate)
        self._document_of.setdefault(key, document)
        if relative_part(text_of(object)) is not None and says_nothing(object):
            self._nothings.append((key, property, text_of(object)))
        else:
            self._state(key, property, object)

    def _state(self, subject: str, property: str, object: Node) -> None:
        objects = self._objects.setdefault(subject, {}).setdefault(property, {})
        if object not in objects:
            objects[object] = None
            self._subjects_of.setdefault((property, text_of(object)), []).append(subject)

    def mend(self, subject: str, sentence: str) -> None:
        """Report how something about a subject was read."""
        self._mends[Mend(self.document_of(subject), sentence)] = None

    def note_kilobyte(self, subject: str, unit: str) -> None:
        """Count a size that is stated in a unit that some take for 1024 bytes."""
        self._kilobytes[self.document_of(subject), unit] += 1

    def report(self) -> tuple[Mend, ...]:
        """All mends, with those that concern no reading in particular."""
        for subject, property, iri in self._nothings:
            names = self.objects(subject, "schema:name") + self.objects(subject, "td:title")
            whose = text_of(names[0]) if names else short(subject)
            self.mend(
                subject,
                f"{short(iri)} is no IRI; the {short(property)} of {whose} is taken as not known",
            )
        for (document, unit), count in self._kilobytes.items():
            sizes = "size is" if count == 1 else "sizes are"
            self._note(document, f"{count} {sizes} in {unit}; read as 1000 bytes each, not 1024")
        return tuple(self._mends)

    def document_of(self, subject: str) -> str:
        """The document that speaks of a subject first."""
        return self._document_of.get(subject, "")

    def objects(self, subject: str, name: str) -> list[Node]:
        """What a subject has by a property, given as a prefixed name."""
        return list(self._objects.get(subject, {}).get(expand(name), ()))

    def related(self, subject: str, *names: str) -> list[str]:
        """The things at the end of a path of properties, each once, in order."""
        ends = [subject]
        for name in names:
            found = (text_of(o) for end in ends for o in self.objects(end, name))
            ends = list(dict.fromkeys(found))
        return ends

    def subjects(self, name: str, object_iri: str) -> list[str]:
        """The subjects that have this thing by that property."""
        return self._subjects_of.get((expand(name), object_iri), [])

    def types(self, subject: str) -> list[str]:
        """The IRIs of a subject's classes."""
        return self.related(subject, "rdf:type")

    def classes_above(self, iri: str) -> frozenset[str]:
        """Every class above one, by what the documents state and the ontology knows, joined.

        DescriptionRefused for more than anything has: each thing of the class would pay for them.
        """
        if iri not in self._above:
            self._above[iri] = self._found_above(iri)
        return self._above[iri]

    def _found_above(self, iri: str) -> frozenset[str]:
        found: set[str] = set()
        pending = [iri]
        while pending:
            below = pending.pop()
            fresh = {*self.related(below, "rdfs:subClassOf"), *superclasses(below)} - found
            found |= fresh
            pending += fresh
            if len(found) > MOST_CLASSES:
                problem = f"{short(iri)} is below more than {MOST_CLASSES} classes"
                raise DescriptionRefused(problem)
        return frozenset(found - {iri})

    def instances(self, *classes: str) -> list[str]:
        """Everything of one of these classes, by prefixed name, in the order of the IRIs."""
        found = {each for name in classes for each in self.subjects("rdf:type", expand(name))}
        return sorted(found)

    def _mended(self, document: str, term: Node) -> Node:
        if not isinstance(term, ox.NamedNode):
            return term
        iri = self._in_our_namespace(document, term.value)
        iri = self._without_second_colon(document, iri)
        return term if iri == term.value else ox.NamedNode(iri)

    def _in_our_namespace(self, document: str, iri: str) -> str:
        if not iri.startswith(_OTHERS):
            return iri
        for other, prefix in OTHER_NAMESPACES.items():
            if iri.startswith(other):
                ours = PREFIXES[prefix]
                self._note(document, f"the namespace <{other}> was read as <{ours}>")
                return ours + iri.removeprefix(other)
        return iri

    def _without_second_colon(self, document: str, iri: str) -> str:
        if "#:" not in iri and "/:" not in iri:
            return iri
        for prefix, namespace in _prefixes():
            if iri.startswith(f"{namespace}:"):
                local = iri.removeprefix(namespace).lstrip(":")
                written = f"{prefix}:{iri.removeprefix(namespace)}"
                self._note(document, f"{written} has a colon too many; read as {prefix}:{local}")
                return namespace + local
        return iri

    def _note(self, document: str, sentence: str) -> None:
        self._mends[Mend(document, sentence)] = None


def _prefixes() -> Iterator[tuple[str, str]]:
    return ((prefix, iri) for prefix, iri in PREFIXES.items() if prefix not in {"id", "tf"})


def text_of(term: Node) -> str:
    """A term as a key: an IRI, a literal's text, or a blank node's name with its sign."""
    if isinstance(term, ox.BlankNode | ox.Triple):
        return str(term)
    return term.value


def relative_part(iri: str) -> str | None:
    """What stood in the document where it gave a relative IRI and no base; else None."""
    return iri.removeprefix(NO_BASE) if iri.startswith(NO_BASE) else None


def says_nothing(term: Node) -> bool:
    """Whether a term is what programs write where they know nothing, such as <None>."""
    text = text_of(term)
    relative = relative_part(text)
    return (text if relative is None else relative).strip().lower() in _NOTHING


def short(iri: str) -> str:
    """An IRI by its prefix where it has one, for sentences."""
    for prefix, namespace in PREFIXES.items():
        if iri.startswith(namespace):
            return f"{prefix}:{iri.removeprefix(namespace)}"
    relative = relative_part(iri)
    return f"<{iri if relative is None else relative}>"


def tail(iri: str) -> str:
    """What follows an IRI's last slash, hash or colon."""
    return iri.rstrip("/#").replace("#", "/").replace(":", "/").rpartition("/")[2]
