"""/sparql: the SPARQL 1.1 Protocol's query operation, read-only.

GET with `query`, POST as a form, or POST of the query itself (application/sparql-query); sections
2.1.1 to 2.1.3 of the protocol. Refusals and failures are RFC 9457 problems.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser, FormParser
from rest_framework.request import Request
from rest_framework.views import APIView

from ontology.query_guard import QueryForm, QueryRefused
from ontology.readers import QueryFailed
from ontology.results import GraphFormat, TableFormat
from registry.api.negotiation import AnyAccept
from registry.api.permissions import ReadOrPublicRead
from registry.services import sparql

_STATUS = {"syntax": 400, "time": 503, "memory": 503, "rows": 413, "busy": 503, "failed": 502}
_TITLE = {
    "syntax": "The query is not well-formed",
    "time": "The query took too long",
    "memory": "The query took too much memory",
    "rows": "The answer is too long",
    "busy": "All readers are busy",
    "failed": "The query could not be answered",
}
_TABLES = [form.value for form in TableFormat]
_GRAPHS = [form.value for form in GraphFormat]
# Names that clients use beside the registered ones.
_SYNONYMS = {
    "application/json": TableFormat.JSON.value,
    "application/xml": TableFormat.XML.value,
    "text/xml": TableFormat.XML.value,
}


class NotAcceptable(Exception):
    """The client accepts none of the formats that this kind of answer has."""


class _RawParser(BaseParser):
    """The body as text, for media types that are one text."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream.read().decode("utf-8", errors="strict")


class SparqlQueryParser(_RawParser):
    media_type = "application/sparql-query"


class SparqlUpdateParser(_RawParser):
    media_type = "application/sparql-update"


@extend_schema(exclude=True)
class SparqlView(APIView):
    """Ask the knowledge graph."""

    permission_classes = [ReadOrPublicRead]
    content_negotiation_class = AnyAccept
    parser_classes = [FormParser, SparqlQueryParser, SparqlUpdateParser]

    def get(self, request: Request) -> HttpResponse:
        """The query in the address; without one, a page to write it on."""
        if "query" in request.query_params:
            return _respond(request, request.query_params["query"], request.query_params)
        if "update" in request.query_params:
            return _no_update()
        if any(str(accepted) == "text/html" for accepted in request._request.accepted_types):
            return render(request._request, "registry/sparql.html", {"offered": sparql.offered()})
        return _problem(400, "No query", "give the parameter query")

    def post(self, request: Request) -> HttpResponse:
        """The query as a form's field, or as the body."""
        try:
            body: Any = request.data
        except UnicodeDecodeError as error:
            return _problem(400, "Not UTF-8", f"byte {error.start} of the query is not UTF-8")
        content_type = (request.content_type or "").partition(";")[0].strip()
        if content_type == SparqlQueryParser.media_type:
            return _respond(request, body, request.query_params)
        if content_type == SparqlUpdateParser.media_type or "update" in body:
            return _no_update()
        if "query" not in body:
            return _problem(400, "No query", "give the form field query")
        return _respond(request, body["query"], body)


def _respond(request: Request, query: str, parameters: Any) -> HttpResponse:
    try:
        asked = sparql.question(
            query,
            parameters.getlist("default-graph-uri"),
            parameters.getlist("named-graph-uri"),
        )
        media_type = _negotiate(request._request, asked.form)
        return HttpResponse(
            sparql.answer(asked, media_type), content_type=_with_charset(media_type)
        )
    except QueryRefused as refused:
        return _problem(400, "The query is refused", refused.detail, refused.line, refused.column)
    except NotAcceptable as error:
        return _problem(406, "Not acceptable", str(error))
    except QueryFailed as failed:
        status, title = _STATUS[failed.kind], _TITLE[failed.kind]
        return _problem(status, title, failed.detail, failed.line, failed.column)


def _negotiate(request: HttpRequest, form: QueryForm) -> str:
    """The answer's media type by the Accept header's q-values (RFC 9110, 12.5.1)."""
    offered = _GRAPHS if form.gives_graph else _TABLES
    synonyms = [] if form.gives_graph else list(_SYNONYMS)
    chosen = request.get_preferred_type([*offered, *synonyms])
    if chosen is None:
        raise NotAcceptable(f"a {form.value} answers as {', '.join(offered)}")
    return _SYNONYMS.get(chosen, chosen)


def _with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _no_update() -> HttpResponse:
    return _problem(400, "The update is refused", "this endpoint only reads")


def _problem(
    status: int, title: str, detail: str, line: int | None = None, column: int | None = None
) -> HttpResponse:
    """An RFC 9457 problem, with the position in the query where there is one."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    body["detail"] = detail
    if line is not None:
        body |= {"line": line, "column": column}
    return JsonResponse(body, status=status, content_type="application/problem+json")
