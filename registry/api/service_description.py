"""What the endpoint and its data set are, to machines: at /sparql and at /.well-known/void."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ontology.results import GraphFormat
from ontology.service_description import (
    Addresses,
    GraphStatistics,
    write_dataset,
    write_service,
)
from registry.api.accept import content_type, preferred
from registry.api.protocol_view import ProtocolView
from registry.api.sparql_request import RequestRefused
from registry.api.validators import validated
from registry.services.graph_statistics import statistics

# The names of a graph's forms: the registered ones, then those that clients use beside them. An
# answer bears the name by which it was asked for; Turtle is N3, and N-Triples was once text/plain.
GRAPHS: Mapping[str, str] = {
    **{form.value: form.value for form in GraphFormat},
    "application/x-turtle": GraphFormat.TURTLE.value,
    "application/turtle": GraphFormat.TURTLE.value,
    "text/n3": GraphFormat.TURTLE.value,
    "text/rdf+n3": GraphFormat.TURTLE.value,
    "text/plain": GraphFormat.N_TRIPLES.value,
    "application/json": GraphFormat.JSON_LD.value,
    "application/xml": GraphFormat.RDF_XML.value,
    "text/xml": GraphFormat.RDF_XML.value,
}
_Writer: TypeAlias = Callable[[Addresses, GraphStatistics, GraphFormat], bytes]


@extend_schema(exclude=True)
class VoidView(ProtocolView):
    """The data set's VoID description, where its section 7.2 has clients look for it."""

    def get(self, request: Request) -> HttpResponse:
        """Everything that could be counted of the graph as it is now."""
        return _written(request, reverse("sparql"), write_dataset)


def described(request: Request, endpoint: str) -> HttpResponse:
    """The service description of the endpoint at that path."""
    return _written(request, endpoint, write_service)


def _written(request: Request, endpoint: str, write: _Writer) -> HttpResponse:
    chosen = preferred(request.headers.get("Accept"), list(GRAPHS))
    if chosen is None:
        raise RequestRefused(406, "Not acceptable", f"this answers as {', '.join(GRAPHS)}")
    absolute = request.build_absolute_uri
    where = Addresses(absolute(endpoint), absolute(reverse("void")))
    body = write(where, statistics(), GraphFormat(GRAPHS[chosen]))
    return validated(request._request, HttpResponse(body, content_type=content_type(chosen)))
