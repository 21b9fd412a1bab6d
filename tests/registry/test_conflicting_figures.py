"""Figures that contradict each other are both kept, and flagged wherever one reads them."""

from __future__ import annotations

import pytest
from django.test import Client

from ontology.facts import Figure, Metric, Status
from ontology.store import MemoryStore
from registry.models import Measurement, Variant
from registry.services import measurements
from registry.services.graph_check import differences
from registry.services.graph_sync import drain
from tests.registry.asking import answers
from tests.registry.published_world import load_facts

pytestmark = pytest.mark.django_db


def conflicts_of(client: Client, variant: Variant) -> dict[float, list[float]]:
    shown = client.get(f"/api/v1/variants/{variant.pk}/").json()["measurements"]
    return {row["value"]: [each["value"] for each in row["conflicts_with"]] for row in shown}


def test_what_a_paper_and_its_repository_say_is_flagged_in_both_places(
    db, reader: Client, owner: Client
) -> None:
    load_facts()
    table = Variant.objects.get(name="EfficientTAM-Ti/2")
    abstract = Variant.objects.get(name="EfficientTAM")
    assert conflicts_of(reader, table) == {261.4: [10.0], 18e6: []}
    assert conflicts_of(reader, abstract) == {10.0: [261.4]}
    page = reader.get(f"/api/v1/variants/{table.pk}/").json()
    latency = next(row for row in page["measurements"] if row["metric"] == "latency_ms")
    assert latency["conflicts_with"][0]["variant"] == str(abstract)
    assert latency["note"] == "conflicts with ~10 FPS in the abstract"
    listed = owner.get("/admin/registry/measurement/?q=EfficientTAM").content.decode()
    assert listed.count("⚠") == 2
    on_page = owner.get(f"/admin/registry/variant/{table.pk}/change/").content.decode()
    assert "⚠ 10 1/s, Efficient Track Anything (abstract)" in on_page
    store = MemoryStore()
    drain(store)
    (row,) = answers(store, "conflicting-figures")
    assert {row["value"], row["otherValue"]} == {261.4, 10.0}
    assert {row["metric"], row["otherMetric"]} == {"latency", "frame rate"}


def test_two_sources_that_differ_on_one_target_are_found_by_rule(
    reader: Client, make_variant
) -> None:
    variant = make_variant("base", arena=None)
    said = Figure(Metric.ACCURACY, 0.90, Status.PUBLISHED, "a paper", dataset="digits")
    seen = Figure(Metric.ACCURACY, 0.80, Status.MEASURED, "our evaluation", dataset="digits")
    elsewhere = Figure(Metric.ACCURACY, 0.70, Status.MEASURED, "our evaluation", dataset="letters")
    measurements.record(variant, [said, seen, elsewhere])
    assert conflicts_of(reader, variant) == {0.9: [0.8], 0.8: [0.9], 0.7: []}
    assert Measurement.objects.count() == 3, "all are kept"
    store = MemoryStore()
    drain(store)
    assert len(answers(store, "conflicting-figures")) == 1
    measurements.record(variant, [Figure(Metric.ACCURACY, 0.9, Status.MEASURED, "our evaluation",
                                         dataset="digits")])  # fmt: skip
    drain(store)
    assert answers(store, "conflicting-figures") == []
    assert list(differences(store)) == []


def test_a_dispute_that_is_noted_and_withdrawn_reaches_the_graph(make_variant) -> None:
    one, two = make_variant("one"), make_variant("two")
    first, second = one.measurements.get(), two.measurements.get()
    store = MemoryStore()
    for change in (
        lambda: first.disputes.add(second),
        lambda: second.disputes.clear(),
        lambda: second.disputes.add(first),
        lambda: first.disputes.remove(second),
        lambda: first.disputes.add(second),
        lambda: second.delete(),
    ):
        change()
        drain(store)
        assert list(differences(store)) == []
