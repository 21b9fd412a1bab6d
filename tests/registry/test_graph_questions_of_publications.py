"""Competency questions about what publications say of networks and techniques."""

import pyoxigraph as ox
import pytest

from ontology.facts import Answer, Figure, Metric, Status
from ontology.store import MemoryStore
from registry.models import Device, Variant
from registry.services import measurements
from registry.services.graph_check import differences
from registry.services.graph_sync import drain
from registry.services.techniques import techniques_for
from tests.registry.asking import answers, device, variant
from tests.registry.published_world import GIGABYTE, load_facts, make_device

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(db) -> Device:
    load_facts()
    return make_device("phone", "iphone-15-pro-max", 8 * GIGABYTE)


def test_the_graph_answers_the_same_for_every_reference_model(phone: Device) -> None:
    make_device("pixel", "pixel-1", GIGABYTE)
    phone.traits = {"labelled_stream": True, "reused_chunks": True, "task_family": False}
    phone.save()
    store = MemoryStore()
    drain(store)
    for row in Variant.objects.filter(release__model__name__in=_ASKED):
        for name in ("phone", "pixel"):
            unit = Device.objects.get(device_id=name)
            found = answers(store, "techniques-for-pair", variant=variant(row), device=device(name))
            expected = [
                answer.technique.slug
                for answer in techniques_for(row, unit)
                if answer.verdict.answer is Answer.FITS
            ]
            assert sorted(each["technique"] for each in found) == sorted(expected), (row, name)
    assert list(differences(store)) == []


_ASKED = ("tinyllama", "mcunetv2", "mnasnet", "dft-gaze", "elasticvit", "encoder-decoder")


def test_a_language_model_is_small_for_the_phone_and_not_for_the_mote(phone: Device) -> None:
    make_device("mote", "stm32f412", 200_000)
    store = MemoryStore()
    drain(store)
    found = answers(store, "small-language-models", device=device("phone"))
    assert [(row["name"], row["left"]) for row in found] == [
        ("tinygpt-v/1/TinyGPT-V", 0),
        ("tinyllama/1/TinyLlama-1.1B", 3_690_000_000),
    ]
    assert answers(store, "small-language-models", device=device("mote")) == []


def test_what_stays_within_some_memory_is_in_the_graph(phone: Device) -> None:
    store = MemoryStore()
    drain(store)

    for runtime, count in (("tinyengine", 6), ("tflite-micro", 1)):
        size = {"ram": ox.Literal(192_000.0), "flash": ox.Literal(800_000.0)}
        found = answers(store, "published-networks-within", runtime=ox.Literal(runtime), **size)
        assert len(found) == count


def test_which_figures_contradict_each_other(make_variant) -> None:
    figures = [
        Figure(Metric.ACCURACY, 0.9, Status.PUBLISHED, "a paper"),
        Figure(Metric.ACCURACY, 0.8, Status.PUBLISHED, "its repository"),
    ]
    measurements.record(make_variant("base", arena=None), figures)
    store = MemoryStore()
    drain(store)
    (row,) = answers(store, "conflicting-figures")
    assert {row["source"]: row["value"], row["otherSource"]: row["otherValue"]} == {
        "a paper": 0.9,
        "its repository": 0.8,
    }
