"""A request of the SPARQL 1.1 Protocol's query operation, read strictly (sections 2.1.1 to 2.1.4).

What cannot be read as it was meant is refused: a percent sign without two hexadecimal digits, bytes
that are no UTF-8, two queries. Taken for something else it would get an answer to another question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import TypeAlias
from urllib.parse import parse_qs

import pyoxigraph as ox
from django.conf import settings
from django.http import HttpRequest

FORM = "application/x-www-form-urlencoded"
QUERY = "application/sparql-query"
UPDATE = "application/sparql-update"
BODIES = (FORM, QUERY)

Parameters: TypeAlias = Mapping[str, Sequence[str]]

_OF_A_QUESTION = {"query", "update", "default-graph-uri", "named-graph-uri"}
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_READABLE_CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii"}
_ENCODED_PER_BYTE = 4  # bytes of a body for each byte of the query: %20, and room for its graphs


@dataclass(frozen=True, slots=True)
class Asked:
    """The query, and the dataset that the protocol's parameters name."""

    query: str
    default_graphs: list[str]
    named_graphs: list[str]


class RequestRefused(Exception):
    """A request that is none of the protocol's, or an update; the text says how to mend it."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail


def parameters_of(request: HttpRequest) -> Parameters:
    """The parameters in the address."""
    return _parameters(request.META.get("QUERY_STRING", "").encode(), "address")


def is_question(parameters: Parameters) -> bool:
    """Whether there is any parameter of the protocol; without one, GET asks what the service is."""
    return not _OF_A_QUESTION.isdisjoint(parameters)


def asked_in_address(parameters: Parameters) -> Asked:
    """2.1.1: GET with one `query`."""
    _refuse_update(parameters)
    return _asked(parameters.get("query", ()), parameters)


def asked_in_body(request: HttpRequest) -> Asked:
    """2.1.2 and 2.1.3: POST of a form with one `query`, or of the query itself.

    The dataset is taken from the form and from the address: naming it at the other place is common.
    """
    media_type = _body_type(request)
    address = parameters_of(request)
    _refuse_update(address)
    body = _body(request)
    if media_type == QUERY:
        return _asked([*address.get("query", ()), _text(body, "body")], address)
    form = _parameters(body, "form")
    _refuse_update(form)
    both = {key: [*address.get(key, ()), *form.get(key, ())] for key in {*address, *form}}
    return _asked(both.get("query", ()), both)


def _asked(queries: Sequence[str], parameters: Parameters) -> Asked:
    if len(queries) != 1:
        said = f"{len(queries)} of them" if queries else "none"
        raise RequestRefused(400, "No single query", f"give exactly one query; there are {said}")
    if not queries[0].strip():
        raise RequestRefused(400, "No single query", "the query is empty")
    default, named = (_graphs(parameters, f"{kind}-graph-uri") for kind in ("default", "named"))
    return Asked(queries[0], default, named)


def _graphs(parameters: Parameters, name: str) -> list[str]:
    """The IRIs of a parameter; the empty ones, which forms send, say nothing."""
    iris = [iri for iri in parameters.get(name, ()) if iri]
    for iri in iris:
        try:
            ox.NamedNode(iri)
        except ValueError as error:
            detail = f"{name} {iri!r} is not an absolute IRI: {error}"
            raise RequestRefused(400, "Not an IRI", detail) from error
    return iris


def _body_type(request: HttpRequest) -> str:
    header = Message()
    header["Content-Type"] = request.META.get("CONTENT_TYPE", "")
    media_type, charset = header.get_content_type(), header.get_content_charset("utf-8")
    if media_type == UPDATE:
        raise _read_only()
    if media_type not in BODIES:
        detail = f"send the query as {' or '.join(BODIES)}, and say which in Content-Type"
        raise RequestRefused(415, "Unsupported media type", detail)
    if charset not in _READABLE_CHARSETS:
        detail = f"send the query in UTF-8 instead of {charset}"
        raise RequestRefused(415, "Unsupported character set", detail)
    return media_type


def _body(request: HttpRequest) -> bytes:
    limit = _ENCODED_PER_BYTE * settings.SPARQL_MAX_QUERY_BYTES
    body: bytes = request.read(limit + 1)
    if len(body) > limit:
        raise RequestRefused(413, "The request is too long", f"it is longer than {limit:,} bytes")
    return body


def _parameters(encoded: bytes, where: str) -> Parameters:
    if found := _BAD_PERCENT.search(encoded):
        detail = f"in the {where}, a % at byte {found.start()} has no two hexadecimal digits"
        raise RequestRefused(400, "Malformed percent-encoding", detail)
    try:
        text = encoded.decode()
        return parse_qs(text, keep_blank_values=True, encoding="utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise _no_utf8(where, error) from error


def _text(body: bytes, where: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_utf8(where, error) from error


def _no_utf8(where: str, error: UnicodeDecodeError) -> RequestRefused:
    detail = f"the {where} is not UTF-8: {error.reason}"
    return RequestRefused(400, "Not UTF-8", detail)


def _refuse_update(parameters: Parameters) -> None:
    if "update" in parameters:
        raise _read_only()


def _read_only() -> RequestRefused:
    return RequestRefused(400, "The update is refused", "this endpoint only reads")
