"""`manage.py describe_artifacts`: variants say again what the bytes that are kept say."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ontology.store import MemoryStore
from registry.models import Measurement, Variant
from registry.services.graph_check import differences
from registry.services.graph_sync import drain
from registry.services.networks import Registration, import_network
from tests.registry.tiny_networks import dense

pytestmark = pytest.mark.django_db


@pytest.fixture
def variant(settings, tmp_path) -> Variant:
    settings.MEDIA_ROOT = tmp_path
    sensors = [{"kind": "microphone", "rate_hz": 16000.0, "shape": None}]
    return import_network("words", Registration("dense", sensors, accuracy=0.9), dense())


def run() -> str:
    out = StringIO()
    call_command("describe_artifacts", stdout=out)
    return out.getvalue()


def test_a_variant_from_before_layers_were_described_gets_them(variant: Variant) -> None:
    described, derived = (
        variant.description,
        set(Measurement.objects.values_list("metric", "value")),
    )
    assert described["layers"]
    Variant.objects.update(description={}, operators=None)
    Measurement.objects.filter(metric="macs").update(value=1.0)
    assert run() == "variants: 1 updated, 0 unchanged\n"
    variant.refresh_from_db()
    assert variant.description == described
    assert variant.operators
    assert variant.sensors == [{"kind": "microphone", "rate_hz": 16000.0, "shape": None}]
    assert set(Measurement.objects.values_list("metric", "value")) == derived
    drain(store := MemoryStore())
    assert list(differences(store)) == []


def test_again_changes_nothing(variant: Variant) -> None:
    assert run() == "variants: 0 updated, 1 unchanged\n"
    Variant.objects.create(release=variant.release, name="known by figures alone")
    assert run() == "variants: 0 updated, 1 unchanged\n"


def test_an_artifact_that_cannot_be_read_is_named_and_stops_no_other(variant: Variant) -> None:
    other = import_network("more", Registration("dense", None), dense(features=7))
    assert variant.artifact is not None
    variant.artifact.file.storage.delete(variant.artifact.file.name)
    Variant.objects.update(description={})
    with pytest.raises(CommandError, match=variant.artifact.sha256):
        run()
    other.refresh_from_db()
    assert other.description["layers"]
    variant.refresh_from_db()
    assert variant.description == {}
