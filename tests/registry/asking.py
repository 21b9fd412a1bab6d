"""Putting competency questions, and reading their answers as plain values."""

from __future__ import annotations

from typing import Any

import pyoxigraph as ox

from ontology.namespaces import subject_iri
from ontology.questions import question
from ontology.store import GraphStore
from registry.models import Variant


def answers(store: GraphStore, name: str, **subjects: str | ox.Literal) -> list[dict[str, Any]]:
    """Rows as plain values, IRIs by what follows the last slash or hash."""
    terms = {
        key: ox.NamedNode(value) if isinstance(value, str) else value
        for key, value in subjects.items()
    }
    return [
        {key: _plain(term) for key, term in row.items()}
        for row in store.select(question(name).bind(**terms))
    ]


def _plain(term: Any) -> Any:
    if isinstance(term, ox.NamedNode):
        return term.value.replace("#", "/").rpartition("/")[2]
    kind = term.datatype.value.rpartition("#")[2]
    if kind == "boolean":
        return term.value == "true"
    return {"integer": int, "double": float}.get(kind, str)(term.value)


def variant(row: Variant) -> str:
    """The IRI of a variant."""
    return subject_iri("variant", str(row.pk))


def device(name: str) -> str:
    """The IRI of a device."""
    return subject_iri("device", name)
