"""The fuzzing of `make test` with many more examples: bounded, and seeded to be repeatable."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ontology.query_guard import QueryRefused, examine
from registry.footprint.description import describe
from registry.formats.tflite import FormatError, parse, strip_names
from tests.contract.test_fuzz import DECODERS, damaged
from tests.registry.onnx_files import computed_shapes, control_flow
from tests.registry.onnx_files import dense as onnx_dense
from tests.registry.tiny_networks import dense

pytestmark = pytest.mark.soak

NETWORK = dense()


def many(examples: int) -> settings:
    """So many examples of a fixed seed."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=examples, derandomize=True, deadline=None, suppress_health_check=quiet
    )


@pytest.mark.parametrize("name", DECODERS)
@many(500)
@given(data=st.data())
def test_damaged_messages(name, data):
    decode, expected, good = DECODERS[name]
    try:
        decode(data.draw(damaged(good)))
    except expected:
        return


@pytest.mark.parametrize("name", DECODERS)
@many(500)
@given(payload=st.binary(max_size=600))
def test_arbitrary_bytes_as_messages(name, payload):
    decode, expected, _ = DECODERS[name]
    try:
        decode(payload)
    except expected:
        return


@many(3000)
@given(damaged(NETWORK))
def test_damaged_networks(data):
    try:
        json.dumps(describe(data).as_json(), allow_nan=False)
        strip_names(data)
    except FormatError as error:
        assert all((error.what, error.where, error.remedy))


@pytest.mark.parametrize("good", [onnx_dense(), computed_shapes(), control_flow()])
@many(3000)
@given(data=st.data())
def test_damaged_onnx_networks(good, data):
    try:
        json.dumps(describe(data.draw(damaged(good))).as_json(), allow_nan=False)
    except FormatError as error:
        assert all((error.what, error.where, error.remedy))


@many(3000)
@given(st.binary(max_size=600))
def test_arbitrary_bytes_as_networks(data):
    with pytest.raises(FormatError):
        parse(b"\x1c\0\0\0TFL3" + data)


WORDS = ["SERVICE", "service", "LOAD", "INSERT", "'", '"', "\\", "#", "<", ">", "{", "}", "x:y"]
SERVICE = "SERVICE <urn:x> { ?s ?p ?o }"
HARMLESS = [
    "?s ?p ?o .",
    "?service <urn:SERVICE> ?load .",
    "# SERVICE <urn:x> {\n",
    '?s ?p "SERVICE \\" {" .',
    "?s ?p '''SERVICE ' LOAD\n''' .",
    "service:SERVICE service:drop ?x .",
    'FILTER(?o < 3 && ?o != "INSERT"@en-GB)',
    "OPTIONAL { ?s ?p 1.5e3 }",
]


@many(3000)
@given(st.lists(st.sampled_from([*HARMLESS, SERVICE]), max_size=8), st.sampled_from(" \n\t"))
def test_the_query_guard_sees_a_service_exactly_where_one_is(pieces, between):
    query = f"PREFIX service: <urn:s> SELECT * {{ {between.join(pieces)}\n}}"
    if SERVICE in pieces:
        with pytest.raises(QueryRefused, match="SERVICE"):
            examine(query)
    else:
        assert examine(query) == "SELECT"


@many(3000)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=400).map(" ".join))
def test_the_query_guard_ends_soon_on_any_text(text):
    began = time.process_time()
    try:
        examine("SELECT " + text)
    except QueryRefused as refused:
        assert refused.detail
    assert time.process_time() - began < 1
