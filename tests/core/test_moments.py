"""Moments stand in the graph to the millisecond, in a form that stores and reasoners read."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontology.describe import Description
from ontology.namespaces import PREFIXES
from ontology.reasoning import check_consistency, java_path

needs_java = pytest.mark.skipif(
    java_path() is None, reason="HermiT needs Java, and there is none on the path"
)


def written(moment):
    return Description("urn:thing").has("dcterms:created", moment).triples[0].object


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)))
def test_a_moment_is_kept_to_the_millisecond(moment):
    read = datetime.fromisoformat(written(moment).value)
    assert timedelta(0) <= moment - read < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [
        (0, "2026-11-26T15:00:00+02:00"),
        (999, "2026-11-26T15:00:00+02:00"),
        (120_000, "2026-11-26T15:00:00.12+02:00"),
        (7_999, "2026-11-26T15:00:00.007+02:00"),
    ],
)
def test_it_is_written_in_short_with_its_offset(microsecond, text):
    zone = timezone(timedelta(hours=2))
    moment = datetime(2026, 11, 26, 15, 0, 0, microsecond, tzinfo=zone)
    assert written(moment).value == text


@needs_java
def test_the_reasoner_reads_it():
    literal = written(datetime(2026, 11, 26, 15, 0, 0, 123_456, tzinfo=UTC))
    head = "".join(f"@prefix {prefix}: <{iri}> .\n" for prefix, iri in PREFIXES.items())
    assert check_consistency(extra_turtle=f"{head}tf:v dcterms:created {literal} .").consistent
