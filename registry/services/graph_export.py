"""The inventory as RDF for others: what the graph says of a subject, or of everything.

Read from the rows, by the same projection that fills the graph; needs no graph store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias
from urllib.parse import unquote

from ontology.exports import ExportFormat, NamedGraph, write_graphs
from ontology.namespaces import ID
from registry.models import SubjectKind
from registry.projection.facts import BareBoard
from registry.projection.subjects import all_keys, graph_iri, project_each
from registry.services.graph_sync import AT_ONCE
from registry.services.lookup import LookupFailed
from registry.services.pieces import chunks

__all__ = ["ExportFailed", "ExportFormat", "LookupFailed"]
__all__ += ["every_subject", "export", "subject_named"]

Subject: TypeAlias = tuple[SubjectKind, str]


_NUMBERED = {
    SubjectKind.RUNTIME, SubjectKind.FIRMWARE, SubjectKind.VARIANT, SubjectKind.VERDICTS,
}  # fmt: skip
_DIGITS = 19  # a primary key has at most 18


class ExportFailed(ValueError):
    """A subject's row is malformed, so nothing true can be written of it; the text names it."""


def subject_named(text: str) -> Subject:
    """The kind and the key of 'device/hall' or of the subject's whole IRI.

    Raises LookupFailed for a kind that there is not; whether there is such a subject shows later.
    """
    kind, _, key = text.strip().removeprefix(ID).partition("/")
    kinds = [each.value for each in SubjectKind]
    if kind not in kinds or not key:
        known = ", ".join(kinds)
        raise LookupFailed(f"{text!r} is no subject: write KIND/KEY, of the kinds {known}")
    if kind in _NUMBERED and not (key.isascii() and key.isdecimal() and len(key) < _DIGITS):
        raise LookupFailed(f"{text!r} is no subject: the key of a {kind} is its number")
    return SubjectKind(kind), unquote(key)


def every_subject() -> Iterator[Subject]:
    """All that have a graph of their own, kind by kind."""
    return ((kind, key) for kind in SubjectKind for key in all_keys(kind))


def export(subjects: Iterable[Subject], form: ExportFormat) -> Iterator[bytes]:
    """What the graph says of these subjects, as one document in pieces.

    Raises LookupFailed for one that there is not and ExportFailed for one that cannot be written,
    when their turn comes.
    """
    return write_graphs(_chunks(subjects), form)


def _chunks(subjects: Iterable[Subject]) -> Iterator[list[NamedGraph]]:
    bare = BareBoard.from_settings()
    for kind, group in groupby(dict.fromkeys(subjects), key=lambda subject: subject[0]):
        for keys in chunks([key for _, key in group], AT_ONCE):
            yield list(_graphs(kind, keys, bare))


def _graphs(kind: SubjectKind, keys: Sequence[str], bare: BareBoard) -> Iterator[NamedGraph]:
    for found in project_each(kind, keys, bare):
        if found.error is not None:
            raise ExportFailed(f"{kind}/{found.key} is malformed: {found.error!r}")
        if found.triples is None:
            raise LookupFailed(f"there is no {kind}/{found.key}")
        yield graph_iri(kind, found.key), found.triples
