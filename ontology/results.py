"""Query results as bytes, row by row, in the W3C's four result formats and in RDF's.

JSON: SPARQL 1.1 Query Results JSON Format. XML: SPARQL Query Results XML Format. CSV and TSV:
SPARQL 1.1 Query Results CSV and TSV Formats. Written here because the engine's own writer cannot
count rows while it writes, and a limit that is not counted is no limit. Its JSON, three times as
fast, is taken where it surely keeps the limit.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import orjson
import pyoxigraph as ox

_XML_HEAD = '<?xml version="1.0"?>\n<sparql xmlns="http://www.w3.org/2005/sparql-results#"><head>'
_ITS = 'xmlns:its="http://www.w3.org/2005/11/its" its:version="2.0"'
_XSD_STRING = "http://www.w3.org/2001/XMLSchema#string"
_AS_REFERENCE = {"\r": "&#13;"}  # a bare one would be read as a line feed (XML 1.0, 2.11)
_SPACE_AT_EDGE = re.compile(r"\A[ \t\n]+|[ \t\n]+\Z")
_LANG_STRING = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"


class TableFormat(StrEnum):
    """Media types of a SELECT's or an ASK's answer."""

    JSON = "application/sparql-results+json"
    XML = "application/sparql-results+xml"
    CSV = "text/csv"
    TSV = "text/tab-separated-values"


class GraphFormat(StrEnum):
    """Media types of a CONSTRUCT's or a DESCRIBE's answer."""

    TURTLE = "text/turtle"
    N_TRIPLES = "application/n-triples"
    N_QUADS = "application/n-quads"
    JSON_LD = "application/ld+json"
    RDF_XML = "application/rdf+xml"


GRAPH_WRITERS = {
    GraphFormat.TURTLE: ox.RdfFormat.TURTLE,
    GraphFormat.N_TRIPLES: ox.RdfFormat.N_TRIPLES,
    GraphFormat.N_QUADS: ox.RdfFormat.N_QUADS,
    GraphFormat.JSON_LD: ox.RdfFormat.JSON_LD,
    GraphFormat.RDF_XML: ox.RdfFormat.RDF_XML,
}


# XML 1.0 has no way at all to write these: control characters, U+FFFE and U+FFFF.
_NO_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xef\xbf[\xbe\xbf]")
_XML_NAME_AT_END = re.compile(r"[^\W\d][\w.-]*\Z")


class NotWritable(Exception):
    """The answer holds what its format cannot express; other formats can."""


class TooManyRows(Exception):
    """The answer is longer than the limit; what was written of it must not be used."""


class PerhapsTooManyRows(Exception):
    """The answer may be longer than the limit; only counting row by row can tell."""


def write_boolean(answer: bool, form: TableFormat) -> bytes:
    """An ASK's answer; CSV and TSV, which define none, carry the bare word."""
    word = "true" if answer else "false"
    if form is TableFormat.JSON:
        return orjson.dumps({"head": {}, "boolean": answer})
    if form is TableFormat.XML:
        return f"{_XML_HEAD}</head><boolean>{word}</boolean></sparql>".encode()
    return f"{word}\n".encode()


def write_json(solutions: ox.QuerySolutions, max_rows: int) -> bytes:
    """A SELECT's answer by the engine's own writer; PerhapsTooManyRows where it may be too long."""
    out = _BoundedJson(max_rows)
    solutions.serialize(out, format=ox.QueryResultsFormat.JSON)
    return out.getvalue()


class _BoundedJson(io.BytesIO):
    """Takes a result until it may hold more rows than allowed.

    Between two rows stands `},{`, which a row has nowhere but inside of texts: so there are never
    more rows than counted, and seldom fewer.
    """

    def __init__(self, max_rows: int) -> None:
        super().__init__()
        self._spare = max_rows - 1
        self._tail = b""

    def write(self, piece: Any) -> int:
        seen = self._tail + bytes(piece)
        self._spare -= seen.count(_ROW_BORDER)
        self._tail = seen[1 - len(_ROW_BORDER) :]
        if self._spare < 0:
            raise PerhapsTooManyRows
        return super().write(piece)


_ROW_BORDER = b"},{"


def write_solutions(
    names: Sequence[str], rows: Iterable[Sequence[Any]], form: TableFormat, max_rows: int
) -> bytes:
    """A SELECT's answer; TooManyRows beyond `max_rows`."""
    counted = limited(rows, max_rows)
    if form is TableFormat.JSON:
        return _as_json(names, counted)
    if form is TableFormat.XML:
        return _as_xml(names, counted)
    return _as_csv(names, counted) if form is TableFormat.CSV else _as_tsv(names, counted)


def write_graph(triples: Iterable[ox.Triple], form: GraphFormat, max_rows: int) -> bytes:
    """A graph's answer; TooManyRows beyond `max_rows` triples, NotWritable in RDF/XML only."""
    counted = limited(triples, max_rows)
    if form is GraphFormat.RDF_XML:
        return _as_rdf_xml(counted)
    return ox.serialize(counted, format=GRAPH_WRITERS[form]) or b""


def _as_rdf_xml(triples: Iterable[ox.Triple]) -> bytes:
    written = ox.serialize(_with_xml_names(triples), format=ox.RdfFormat.RDF_XML) or b""
    # The engine leaves carriage returns as they are, and parsers read those as line feeds.
    return _well_formed(written.replace(b"\r", b"&#13;"))


def _with_xml_names(triples: Iterable[ox.Triple]) -> Iterator[ox.Triple]:
    """The triples; NotWritable where a predicate does not end as an element's name does."""
    seen = set()
    for triple in triples:
        predicate = triple.predicate.value
        if predicate not in seen and not _XML_NAME_AT_END.search(predicate):
            raise NotWritable(f"RDF/XML has no way to write the predicate <{predicate}>")
        seen.add(predicate)
        yield triple


def _well_formed(xml: bytes) -> bytes:
    if found := _NO_XML.search(xml):
        character = ord(found[0].decode())
        raise NotWritable(f"XML has no way to write the character U+{character:04X}")
    return xml


def limited(rows: Iterable[Any], max_rows: int) -> Iterator[Any]:
    """The rows, or TooManyRows when there is one more than allowed."""
    for count, row in enumerate(rows):
        if count >= max_rows:
            raise TooManyRows
        yield row


def _as_json(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    bindings = [
        {name: _json_term(term) for name, term in zip(names, row, strict=True) if term is not None}
        for row in rows
    ]
    return orjson.dumps({"head": {"vars": list(names)}, "results": {"bindings": bindings}})


def _json_term(term: Any) -> dict[str, Any]:
    if isinstance(term, ox.NamedNode):
        return {"type": "uri", "value": term.value}
    if isinstance(term, ox.BlankNode):
        return {"type": "bnode", "value": term.value}
    if isinstance(term, ox.Literal):
        return {"type": "literal", "value": term.value, **_literal_kind(term)}
    parts = {"subject": term.subject, "predicate": term.predicate, "object": term.object}
    return {"type": "triple", "value": {name: _json_term(part) for name, part in parts.items()}}


def _literal_kind(term: ox.Literal) -> dict[str, str]:
    if term.language:
        direction = {"its:dir": term.direction.value} if term.direction else {}
        return {"xml:lang": term.language, **direction}
    plain = term.datatype.value in {_XSD_STRING, _LANG_STRING}
    return {} if plain else {"datatype": term.datatype.value}


def _as_xml(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    out.write(_XML_HEAD)
    out.writelines(f"<variable name={quoteattr(name)}/>" for name in names)
    out.write("</head><results>")
    for row in rows:
        out.write("<result>")
        for name, term in zip(names, row, strict=True):
            if term is not None:
                out.write(f"<binding name={quoteattr(name)}>{_xml_term(term)}</binding>")
        out.write("</result>")
    out.write("</results></sparql>")
    return _well_formed(out.getvalue().encode())


def _xml_term(term: Any) -> str:
    if isinstance(term, ox.NamedNode):
        return f"<uri>{escape(term.value)}</uri>"
    if isinstance(term, ox.BlankNode):
        return f"<bnode>{escape(term.value)}</bnode>"
    if isinstance(term, ox.Literal):
        kind = "".join(f" {key}={quoteattr(text)}" for key, text in _literal_kind(term).items())
        its = f" {_ITS}" if term.direction else ""
        return f"<literal{kind}{its}>{_xml_text(term.value)}</literal>"
    parts = (("subject", term.subject), ("predicate", term.predicate), ("object", term.object))
    inner = "".join(f"<{name}>{_xml_term(part)}</{name}>" for name, part in parts)
    return f"<triple>{inner}</triple>"


def _xml_text(value: str) -> str:
    """Escaped, with references for what parsers trim or turn into something else."""
    return _SPACE_AT_EDGE.sub(
        lambda match: "".join(f"&#{ord(character)};" for character in match[0]),
        escape(value, _AS_REFERENCE),
    )


def _as_csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows(["" if term is None else _csv_term(term) for term in row] for row in rows)
    return out.getvalue().encode()


def _csv_term(term: Any) -> str:
    return str(term.value) if isinstance(term, ox.NamedNode | ox.Literal) else str(term)


def _as_tsv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    lines = ["\t".join(f"?{name}" for name in names)]
    lines += ["\t".join("" if term is None else _tsv_term(term) for term in row) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def _tsv_term(term: Any) -> str:
    """The term as in Turtle; triples, which came after the format, as SPARQL 1.2 writes them."""
    if not isinstance(term, ox.Triple):
        return str(term)
    parts = (term.subject, term.predicate, term.object)
    return f"<<( {' '.join(map(_tsv_term, parts))} )>>"
