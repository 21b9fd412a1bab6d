"""/sparql: the SPARQL 1.1 Protocol's query operation, read-only.

GET with `query`, POST as a form, or POST of the query itself (sections 2.1.1 to 2.1.3). GET without
a query gives the service description, and to a browser a page to write a query on. An answer is
complete in memory before its status is sent: nothing broken off looks like a success.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ontology.results import TableFormat
from registry.api.accept import content_type, preferred
from registry.api.protocol_view import ProtocolView
from registry.api.service_description import GRAPHS, described
from registry.api.sparql_request import (
    BODIES,
    Asked,
    RequestRefused,
    asked_in_address,
    asked_in_body,
    is_question,
    parameters_of,
)
from registry.api.validators import validated
from registry.services import sparql
from registry.services.query_limits import asker

# The names of a table's forms: the registered ones, then those that clients use beside them. An
# answer bears the name by which it was asked for.
_TABLES: Mapping[str, str] = {
    **{form.value: form.value for form in TableFormat},
    "application/json": TableFormat.JSON.value,
    "application/xml": TableFormat.XML.value,
    "text/xml": TableFormat.XML.value,
}
_PAGE = "text/html"


@extend_schema(exclude=True)
class SparqlView(ProtocolView):
    """Ask the knowledge graph."""

    accept_post = BODIES

    def get(self, request: Request) -> HttpResponse:
        """The query in the address; without one, what this service is."""
        parameters = parameters_of(request._request)
        if is_question(parameters):
            return _respond(request, asked_in_address(parameters))
        return _introduce(request)

    def post(self, request: Request) -> HttpResponse:
        """The query as a form's field, or as the body."""
        return _respond(request, asked_in_body(request._request))


def _respond(request: Request, asked: Asked) -> HttpResponse:
    question = sparql.question(asked.query, asked.default_graphs, asked.named_graphs)
    forms = GRAPHS if question.form.gives_graph else _TABLES
    chosen = preferred(request.headers.get("Accept"), list(forms))
    if chosen is None:
        detail = f"a {question.form.value} answers as {', '.join(forms)}"
        raise RequestRefused(406, "Not acceptable", detail)
    answer = sparql.answer(question, forms[chosen], asker(request.user))
    return validated(request._request, HttpResponse(answer, content_type=content_type(chosen)))


def _introduce(request: Request) -> HttpResponse:
    """A page where that is preferred, as by browsers; else RDF (Service Description, section 2)."""
    if preferred(request.headers.get("Accept"), [*GRAPHS, _PAGE]) == _PAGE:
        offered = {"offered": sparql.offered(), "to_fill_in": sparql.offered_to_fill_in()}
        return render(request._request, "registry/sparql.html", offered)
    return described(request, request.path)
