"""The graphs that a query names by FROM and FROM NAMED (SPARQL 1.1 Query, section 13.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin

from ontology.query_guard import Token, tokens, unescaped

BASE_IRI = "https://w3id.org/tinyfleet/"  # what relative IRIs of a query without BASE stand upon


class UnknownGraph(Exception):
    """A query asks by FROM of a graph that the store does not hold; nothing is fetched for it."""

    def __init__(self, iri: str) -> None:
        super().__init__(f"FROM <{iri}>: there is no such graph here, and none is fetched")


_DECLARING = {"BASE", "PREFIX"}


@dataclass(slots=True)
class _Prologue:
    """What BASE and PREFIX have said so far."""

    base: str = BASE_IRI
    prefixes: dict[str, str] = field(default_factory=dict)

    def resolve(self, token: Token) -> str | None:
        """The IRI that a token stands for; None for what is none, which the engine refuses."""
        if token.kind == "iri":
            return urljoin(self.base, token.text[1:-1])
        prefix, _, local = token.text.partition(":")
        known = token.kind == "prefixed" and prefix in self.prefixes
        return self.prefixes[prefix] + local.replace("\\", "") if known else None

    def declare(self, words: Iterator[Token], word: str) -> None:
        name = next(words, None) if word == "PREFIX" else None
        target = next(words, None)
        iri = self.resolve(target) if target else None
        if iri is not None and name is not None:
            self.prefixes[name.text.removesuffix(":")] = iri
        elif iri is not None:
            self.base = iri


def graphs_of(query: str) -> tuple[str, ...]:
    """The IRIs of the graphs in the query's dataset clauses, none where it has no such clause."""
    plain = unescaped(query)
    if "FROM" not in plain.upper():  # as in most queries, which need not be read for it
        return ()
    prologue, found = _Prologue(), []
    words = tokens(plain)
    for token in words:
        word = token.text.upper() if token.kind == "word" else ""
        if word in _DECLARING:
            prologue.declare(words, word)
        elif word == "FROM" and (iri := _source(words, prologue)) is not None:
            found.append(iri)
    return tuple(dict.fromkeys(found))


def _source(words: Iterator[Token], prologue: _Prologue) -> str | None:
    source = next(words, None)
    if source is not None and source.text.upper() == "NAMED":
        source = next(words, None)
    return prologue.resolve(source) if source is not None else None
