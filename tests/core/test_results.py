"""Results as we write them are read back as the terms that they were, whatever those hold."""

from __future__ import annotations

import csv
import io

import pyoxigraph as ox
from hypothesis import given
from hypothesis import strategies as st

from ontology.results import (
    GraphFormat,
    NotWritable,
    TableFormat,
    write_graph,
    write_solutions,
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
IRIS = st.from_regex(r"[abé/:.1]{0,4}(#[abé1.]{0,3})?", fullmatch=True).map(
    lambda text: ox.NamedNode(f"http://example.org/{text}")
)
LITERALS = st.one_of(
    TEXTS.map(ox.Literal),
    TEXTS.map(lambda text: ox.Literal(text, language="de-at")),
    TEXTS.map(
        lambda text: ox.Literal(text, language="ar", direction=ox.BaseDirection.RTL),
    ),
    st.tuples(TEXTS, IRIS).map(lambda pair: ox.Literal(pair[0], datatype=pair[1])),
    st.integers().map(ox.Literal),
)
TRIPLES = st.builds(ox.Triple, IRIS, IRIS, LITERALS)
TERMS = st.one_of(st.none(), IRIS, LITERALS, TRIPLES)
TABLES = st.lists(st.tuples(TERMS, TERMS), max_size=4)
READERS = {
    TableFormat.JSON: ox.QueryResultsFormat.JSON,
    TableFormat.XML: ox.QueryResultsFormat.XML,
    TableFormat.TSV: ox.QueryResultsFormat.TSV,
}


def has_no_xml(rows: list[tuple[object, ...]]) -> bool:
    text = repr(rows)
    return any(not (char.isprintable() or char in " ") for char in text) or "\\" in text


@given(TABLES, st.sampled_from(list(READERS)))
def test_a_table_is_read_back_by_another_parser(rows, form) -> None:
    try:
        written = write_solutions(["a", "b"], rows, form, max_rows=10)
    except NotWritable:
        assert form is TableFormat.XML
        assert has_no_xml(rows)
        return
    found = ox.parse_query_results(written, format=READERS[form])
    assert [variable.value for variable in found.variables] == ["a", "b"]
    assert [(row["a"], row["b"]) for row in found] == rows


@given(TABLES)
def test_csv_keeps_the_values(rows) -> None:
    written = write_solutions(["a", "b"], rows, TableFormat.CSV, max_rows=10).decode()
    table = list(csv.reader(io.StringIO(written, newline="")))
    assert table[0] == ["a", "b"]
    values = [
        ["" if term is None else getattr(term, "value", str(term)) for term in r] for r in rows
    ]
    assert table[1:] == values


@given(st.lists(TRIPLES, max_size=4), st.sampled_from(list(GraphFormat)))
def test_a_graph_is_read_back_or_refused(triples, form) -> None:
    try:
        written = write_graph(triples, form, max_rows=10)
    except NotWritable:
        assert form is GraphFormat.RDF_XML
        return
    parsed = ox.parse(written, format=ox.RdfFormat.from_media_type(form.value))
    assert {quad.triple for quad in parsed} == set(triples)
