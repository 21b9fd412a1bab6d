"""Published queries find what an inventory holds of its own, not only what was imported."""

from __future__ import annotations

import pytest

from ontology.namespaces import PREFIXES, subject_iri
from ontology.store import MemoryStore
from registry.services.graph_sync import drain
from tests.registry.graph_world import make_world
from tests.registry.test_import_rdf import IN_PUBLISHED_TERMS

pytestmark = pytest.mark.django_db

HEAD = "".join(f"PREFIX {prefix}: <{iri}>\n" for prefix, iri in PREFIXES.items())
NETWORKS = """
SELECT ?nn ?description ?ram ?accuracy ?category ?data WHERE {
  ?nn a nnet:NeuralNetwork ; schema:identifier ?id ; schema:description ?description ;
    ssn:hasInput ?input ; nnet:hasCategory ?category ; nnet:trainingDataset ?data ;
    nnet:hasMetric [ a nnet:Top_1_accuracy ; nnet:hasMetricValue ?accuracy ] ;
    s3n:hasProcedureFeature/ssn-system:inCondition ?condition .
  ?condition a s3n_extend:RAM ; schema:minValue ?ram ; schema:unitCode om:kilobyte .
  ?sensor ssn_extend:provideInput ?input ; a sosa_extend:Microphone .
} ORDER BY ?ram"""


@pytest.fixture
def world():
    return make_world()


def rows(query: str) -> list[dict[str, str]]:
    store = MemoryStore()
    drain(store)
    return [{k: term.value for k, term in row.items()} for row in store.select(HEAD + query)]


def test_each_network_is_found_once_with_all_that_is_known(world):
    small, large = rows(NETWORKS)
    assert small["nn"] == subject_iri("variant", str(world.small.pk))
    assert (float(small["ram"]), float(small["accuracy"])) == (8.0, 91.0)
    assert (float(large["ram"]), float(large["accuracy"])) == (50.0, 97.0)
    assert (large["description"], large["data"]) == ("keyword spotting", "spoken digits")
    assert large["category"].endswith("#Classification")


def test_several_figures_are_one_need_the_most_that_is_trusted(world):
    for value, status in ((70_000.0, "derived"), (90_000.0, "published")):
        world.large.measurements.create(
            metric="arena_bytes", value=value, unit="B", status=status, source=f"{value}"
        )
    assert [float(row["ram"]) for row in rows(NETWORKS)] == [8.0, 70.0]


def test_memory_and_sensors_decide_alone(world):
    store = MemoryStore()
    drain(store)
    pairs = {(r["device"].value, r["network"].value) for r in store.select(IN_PUBLISHED_TERMS)}
    hearing = (subject_iri("device", "kitchen"), subject_iri("device", "hall"))
    networks = (world.small, world.large)
    assert pairs == {
        (device, subject_iri("variant", str(row.pk))) for device in hearing for row in networks
    }


def test_a_model_or_release_that_changes_is_said_anew_at_its_variants(world):
    store = MemoryStore()
    drain(store)
    world.release.model.description = "hears words"
    world.release.model.save()
    drain(store)
    found = store.select(HEAD + NETWORKS)
    assert {row["description"].value for row in found} == {"hears words"}
    world.release.data_source = "https://example.org/words"
    world.release.save()
    drain(store)
    assert {str(row["data"]) for row in store.select(HEAD + NETWORKS)} == {
        "<https://example.org/words>"
    }
