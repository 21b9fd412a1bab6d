"""Every competency question, run on an inventory whose answers are known."""

import re
from pathlib import Path

import pyoxigraph as ox
import pytest

from ontology.namespaces import expand, subject_iri
from ontology.questions import question, questions
from ontology.store import MemoryStore
from ontology.validation import incompletenesses
from registry.services.graph_sync import drain
from tests.registry.asking import answers, device, variant
from tests.registry.graph_world import make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    world = make_world()
    world.release.variants.create(
        name="tiny", artifact=world.small.artifact, precision="int8", dtypes=["int8"],
        operators={"SOFTMAX": 2}, sensors=[],
    ).measurements.create(
        metric="accuracy", value=0.8, unit="1", status="measured", source="held-out set"
    )  # fmt: skip
    return world


@pytest.fixture
def store(world):
    store = MemoryStore()
    drain(store)
    return store


def test_which_devices_can_run_a_variant(store, world):
    rows = answers(store, "devices-for-variant", variant=variant(world.large))
    assert [row["name"] for row in rows] == ["hall", "kitchen"]
    assert answers(store, "devices-for-variant", variant=variant(world.small)) == []


def test_which_variants_a_device_can_run(store):
    rows = answers(store, "variants-for-device", device=device("hall"))
    assert [(row["name"], row["accuracy"]) for row in rows] == [("words/1/large", 0.97)]


def test_why_a_variant_does_not_fit(store, world):
    rows = answers(store, "why-not", variant=variant(world.large), device=device("shed"))
    assert rows == [
        {"constraint": "ram", "need": 50_000, "have": 10_000, "headroom": -40_000},
        {"constraint": "sensors"},
    ]


def test_a_variant_without_an_artifact_is_short_by_what_is_published(world):
    world.large.artifact = None
    world.large.save()
    world.large.measurements.create(
        board=world.tiny, metric="flash_bytes", value=100_000.0, unit="B", status="published",
        source="a paper",
    )  # fmt: skip
    store = MemoryStore()
    drain(store)
    pair = {"variant": variant(world.large), "device": device("shed")}
    assert answers(store, "why-not", **pair)[0] == {
        "constraint": "flash",
        "need": 100_000,
        "have": 96_000,
        "headroom": -4_000,
    }
    assert answers(store, "judge", **pair)[1]["outcome"] == "fails"


def test_what_each_constraint_comes_to(store, world):
    pair = {"variant": variant(world.large), "device": device("shed")}
    assert {row["constraint"]: row["outcome"] for row in answers(store, "judge", **pair)} == {
        "flash": "holds",
        "ram": "fails",
        "operators": "holds",
        "dtypes": "holds",
        "sensors": "fails",
        "runtime": "holds",
    }


def test_where_only_fits_are_kept_it_can_still_be_judged(world, settings):
    settings.GRAPH_VERDICT_PAIRS_MAX = 0
    store = MemoryStore()
    drain(store)
    pair = {"variant": variant(world.large), "device": device("shed")}
    assert answers(store, "why-not", **pair) == []
    outcomes = {row["constraint"]: row["outcome"] for row in answers(store, "judge", **pair)}
    assert (outcomes["ram"], outcomes["sensors"]) == ("fails", "fails")


def test_more_lengths_than_the_query_looks_at_never_make_a_fit(world):
    world.large.sensors = [{"kind": "microphone", "rate_hz": None, "shape": [2] * 9}]
    world.large.save()
    world.hearing.sensors = [{"kind": "microphone", "max_rate_hz": 1.0, "shape": [2] * 8 + [1]}]
    world.hearing.save()
    store = MemoryStore()
    drain(store)
    pair = {"variant": variant(world.large), "device": device("hall")}
    outcomes = {row["constraint"]: row["outcome"] for row in answers(store, "judge", **pair)}
    assert outcomes["sensors"] == "unknown"


def test_which_operators_are_missing(store, world):
    world_small = {"variant": variant(world.small), "device": device("hall")}
    assert answers(store, "missing-operators", **world_small) == [
        {"operator": "RESHAPE", "needed": 1}
    ]


def test_which_facts_are_missing(store, world):
    tiny = subject_iri("variant", str(world.release.variants.get(name="tiny").pk))
    assert answers(store, "missing-facts", variant=tiny) == [{"constraint": "ram", "devices": 3}]


def test_which_release_serves_the_most_devices(store):
    rows = answers(store, "release-coverage")
    assert [(row["name"], row["devices"]) for row in rows] == [("words release 1", 2)]


def test_how_much_room_a_variant_leaves(store, world):
    rows = answers(store, "headroom", variant=variant(world.large))
    room = [(row["name"], row["flashLeft"], row["arenaLeft"]) for row in rows]
    assert room == [("hall", 10_000, 10_000), ("kitchen", 10_000, 10_000)]


def test_where_a_variant_came_from(store, world):
    rows = answers(store, "lineage", variant=variant(world.small))
    assert [(row["name"], row.get("technique"), row.get("trainedOn")) for row in rows] == [
        ("words/1/large", None, "spoken digits"),
        ("words/1/small", "structured pruning", None),
    ]
    assert rows[0]["run"] == "run1"


def test_where_what_a_device_runs_comes_from(world):
    world.large.training = {"seed": 7, "commit": "0f" * 20}
    world.large.mlflow_run_id = "run2"
    world.large.save()
    store = MemoryStore()
    drain(store)
    [row] = answers(store, "origin", device=device("kitchen"))
    assert (row["name"], row["releaseName"]) == ("words/1/large", "words release 1")
    assert (row["run"], row["releaseRun"], row["commit"]) == ("run2", "run1", "0f" * 20)
    assert (row["data"], row["seed"]) == ("spoken digits", 7)


def test_an_origin_of_which_little_is_known_still_leads_to_the_release(store):
    [row] = answers(store, "origin", device=device("kitchen"))
    assert row["releaseName"] == "words release 1"
    assert not {"run", "commit", "seed"} & row.keys()


def test_what_is_installed_where(store):
    rows = answers(store, "installed")
    assert [(row["deviceName"], row["variantName"]) for row in rows] == [
        ("kitchen", "words/1/large")
    ]


@pytest.mark.parametrize("kind", ["sosa:Sensor", "sosa_extend:Microphone"])
def test_which_devices_have_a_sensor_of_a_class(store, kind):
    rows = answers(store, "devices-with-sensor", **{"class": expand(kind)})
    assert [(row["name"], row["kind"], row["maxRateHz"]) for row in rows] == [
        ("hall", "microphone", 16_000.0),
        ("kitchen", "microphone", 16_000.0),
    ]


def test_no_device_has_a_sensor_of_another_class(store):
    assert answers(store, "devices-with-sensor", **{"class": expand("sosa_extend:Camera")}) == []


def test_which_figures_there_are(store, world):
    rows = answers(store, "measurements", variant=variant(world.large))
    assert [(row["metric"], row["value"], row["unit"], row["status"]) for row in rows] == [
        ("accuracy", 0.97, "UNITLESS", "measured"),
        ("arena", 50_000.0, "BYTE", "derived"),
    ]
    assert rows[1]["runtime"] == "tflite-micro 2024 cmsis_nn"
    assert rows[1]["source"] == "memory plan"


def test_which_devices_could_run_something_better(world):
    tiny = world.release.variants.get(name="tiny")
    tiny.measurements.create(
        metric="arena_bytes", value=500.0, unit="B", status="derived", source="memory plan"
    )
    world.hall.installed = tiny
    world.hall.save()
    store = MemoryStore()
    drain(store)
    rows = answers(store, "better-variants")
    assert [(r["deviceName"], r["accuracy"], r["betterAccuracy"]) for r in rows] == [
        ("hall", 0.8, 0.97)
    ]


def test_what_fits_a_fleet(store):
    rows = answers(store, "fleet-coverage", fleet=subject_iri("fleet", "house"))
    assert [(row["name"], row["devices"]) for row in rows] == [("words/1/large", 1)]


def test_every_question_has_words_and_is_asked():
    here = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert len(questions()) >= 20
    for each in questions():
        assert re.search(rf'answers\(\w+, "{each.name}"', here), each.name
        assert each.question.endswith("?")


@pytest.mark.parametrize("each", questions(), ids=lambda each: each.name)
def test_every_parameter_of_a_question_is_named_in_its_head(each):
    assert set(re.findall(r"\$([a-z]\w*)", each.query)) == set(each.parameters)


def test_a_question_says_which_parameter_is_missing():
    with pytest.raises(ValueError, match="why-not needs device"):
        question("why-not").bind(variant=ox.NamedNode("urn:v"))


def test_an_unbound_question_answers_for_everything(store):
    rows = store.select(question("devices-for-variant").query)
    assert len(rows) == 2


def test_a_complete_inventory_has_nothing_to_complain_of(store, world):
    whole = store.construct("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }")
    assert [each.sentence for each in incompletenesses(whole)] == []
