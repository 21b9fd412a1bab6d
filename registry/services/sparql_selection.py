"""Devices chosen by a SPARQL SELECT: whatever the knowledge graph can tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyoxigraph as ox
from django.contrib.auth.models import User

from ontology.namespaces import subject_iri
from ontology.query_guard import QueryForm, QueryRefused
from ontology.readers import QueryFailed
from ontology.results import TableFormat
from registry.models import Device
from registry.services.pieces import chunks
from registry.services.query_limits import asker, ourselves
from registry.services.sparql import Question, answer, question

VARIABLE = "device"
_PREFIX = subject_iri("device", "")
_SHOWN = 3
_MAX_WHY = 200


class SelectionError(ValueError):
    """A query that chooses no devices; the message is a sentence for who asked it."""


def check_selection(query: str) -> Question:
    """The question, if it is a SELECT that this endpoint runs; SelectionError otherwise."""
    try:
        asked = question(query, [], [])
    except QueryRefused as error:
        raise SelectionError(f"The query is refused: {error}.") from error
    if asked.form is not QueryForm.SELECT:
        raise SelectionError(f"Only a SELECT yields devices; this query is {asked.form.value}.")
    return asked


def selected_ids(query: str, user: User | None) -> list[str]:
    """Ids of the devices that a SELECT yields now, each once, under that user's limits.

    They stand in its only variable, or in ?device where it has several. SelectionError where it
    fails, takes too long, or yields something that is no device of this inventory.
    """
    asked = check_selection(query)
    limits = asker(user) if user is not None else ourselves("a rollout's target")
    try:
        found = answer(asked, TableFormat.JSON, limits)
    except QueryFailed as error:
        raise SelectionError(f"The query gave no devices: {_told(error)}.") from error
    rows = ox.parse_query_results(found, format=ox.QueryResultsFormat.JSON)
    assert isinstance(rows, ox.QuerySolutions)  # the guard has seen that it is a SELECT
    return _ids(dict.fromkeys(_terms(rows)))


def _told(error: QueryFailed) -> str:
    """Where it fails, and why; a parser's list of all that might have stood there is cut short."""
    place = f"line {error.line}, column {error.column}: " if error.line is not None else ""
    why = " ".join(error.detail.split())
    return place + (f"{why[:_MAX_WHY]} …" if len(why) > _MAX_WHY else why)


def _terms(rows: ox.QuerySolutions) -> Iterator[str]:
    names = [variable.value for variable in rows.variables]
    if len(names) != 1 and VARIABLE not in names:
        raise SelectionError(f"Of several variables one has to be ?{VARIABLE}, not {names}.")
    chosen = VARIABLE if VARIABLE in names else names[0]
    for row in rows:
        term = row[chosen]
        if term is not None:
            yield term.value if isinstance(term, ox.NamedNode) else str(term)


def _ids(terms: Iterable[str]) -> list[str]:
    """Own IRIs by their last part; those that a description brought with it by the inventory."""
    terms = list(terms)
    own = {term: term.removeprefix(_PREFIX) for term in terms if term.startswith(_PREFIX)}
    own |= _described([term for term in terms if term not in own])
    missing = [term for term in terms if term not in own]
    if missing:
        shown = ", ".join(missing[:_SHOWN])
        raise SelectionError(
            f"The query yields {len(missing)} terms that are no devices here, e.g. {shown[:300]}."
        )
    return list(dict.fromkeys(own[term] for term in terms))


def _described(iris: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for chunk in chunks(iris):
        found |= dict(Device.objects.filter(iri__in=chunk).values_list("iri", "device_id"))
    return found
