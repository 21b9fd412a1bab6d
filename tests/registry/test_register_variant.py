"""Trained networks come in: artifacts, releases, variants, figures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from ontology.facts import Answer
from registry.models import Artifact, GraphChange, Measurement, RegisteredModel, Release, Variant
from registry.services.input_sources import InputSourceError, parse_input_source
from registry.services.matching import assess_pair
from registry.services.networks import (
    ArtifactError,
    FormatError,
    Registration,
    RegistrationError,
    import_network,
    need_of,
    open_release,
    register_variant,
    store_artifact,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def network(data_dir: Path) -> bytes:
    """TFLite Micro's int8 hello_world: three dense layers."""
    return (data_dir / "tflite-micro" / "hello_world_int8.tflite").read_bytes()


def content(artifact: Artifact) -> bytes:
    with artifact.file.open("rb") as file:
        return file.read()


def test_bytes_are_kept_once_under_their_digest(artifact_folder: Path) -> None:
    first, second = store_artifact(b"weights"), store_artifact(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    assert first == second == Artifact.objects.get()
    assert first.sha256 == digest
    assert [path.name for path in artifact_folder.iterdir()] == [digest]
    assert content(first) == b"weights"


def test_whole_bytes_are_not_written_again(artifact_folder: Path) -> None:
    artifact = store_artifact(b"weights")
    written = (artifact_folder / artifact.sha256).stat().st_mtime_ns
    store_artifact(b"weights")
    assert (artifact_folder / artifact.sha256).stat().st_mtime_ns == written


def test_a_file_that_a_crash_left_half_written_is_completed(artifact_folder: Path) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    artifact_folder.mkdir()
    (artifact_folder / digest).write_bytes(b"weig")
    assert content(store_artifact(b"weights")) == b"weights"


@pytest.mark.parametrize(("data", "words"), [(b"", "empty"), (b"x" * 11, "11 bytes, more than")])
def test_no_bytes_and_too_many_are_refused(
    settings, artifact_folder: Path, data: bytes, words: str
) -> None:
    settings.ARTIFACT_MAX_BYTES = 10
    with pytest.raises(ArtifactError, match=words):
        store_artifact(data)
    assert not artifact_folder.exists()


def test_releases_of_a_model_are_numbered() -> None:
    first = open_release("digits", task="digit recognition", data_source="sklearn digits")
    second = open_release("digits")
    other = open_release("gestures")
    assert [(r.model.name, r.number) for r in (first, second, other)] == [
        ("digits", 1),
        ("digits", 2),
        ("gestures", 1),
    ]
    assert RegisteredModel.objects.get(name="digits").task == "digit recognition"
    assert set(GraphChange.objects.values_list("kind", "subject")) >= {
        ("model", "digits"),
        ("release", "digits/1"),
        ("release", "digits/2"),
    }


def test_a_variant_is_read_from_its_bytes(network: bytes) -> None:
    variant = register_variant(
        open_release("hello"), "int8", network, sensors=[], accuracy=0.97, technique="int8"
    )
    assert variant.artifact.size_bytes == len(network)
    assert variant.operators == {"FULLY_CONNECTED": 4}
    assert variant.dtypes == ["int32", "int8"]
    assert variant.precision == "int8"
    assert variant.description["macs"] > 0
    figures = {
        (m.metric, m.runtime.kernels if m.runtime else ""): m for m in variant.measurements.all()
    }
    assert figures["flash_bytes", ""].value == len(network)
    assert figures["arena_bytes", "reference"].value > 0
    assert figures["arena_bytes", "cmsis_nn"].status == "derived"
    assert (figures["accuracy", ""].value, figures["accuracy", ""].status) == (0.97, "measured")
    assert figures["macs", ""].unit == "MAC"
    assert ("variant", str(variant.pk)) in GraphChange.objects.values_list("kind", "subject")


def test_a_registered_variant_can_be_matched(network: bytes, make_device) -> None:
    variant = register_variant(open_release("hello"), "int8", network, sensors=[])
    assert assess_pair(make_device("cam-01"), variant).answer is Answer.FITS
    assert need_of(variant).flash_bytes == len(network)


def test_the_same_registration_again_completes_the_first(network: bytes) -> None:
    release = open_release("hello")
    first = register_variant(release, "int8", network)
    again = register_variant(release, "int8", network, accuracy=0.9, mlflow_version="3")
    assert again == first
    assert again.mlflow_version == "3"
    assert Measurement.objects.filter(metric="flash_bytes").count() == 1
    assert Measurement.objects.filter(metric="accuracy").count() == 1
    assert register_variant(release, "int8", network).mlflow_version == "3"


def test_other_bytes_under_a_name_are_refused(network: bytes, data_dir: Path) -> None:
    release = open_release("hello")
    register_variant(release, "int8", network)
    other = (data_dir / "tflite-micro" / "hello_world_float.tflite").read_bytes()
    with pytest.raises(RegistrationError, match="other bytes"):
        register_variant(release, "int8", other)
    assert Variant.objects.get().artifact.size_bytes == len(network)


@pytest.mark.parametrize("damage", [lambda d: d[:200], lambda d: b"no flatbuffer", lambda d: b""])
def test_unsound_bytes_change_nothing(network: bytes, artifact_folder: Path, damage) -> None:
    with pytest.raises((FormatError, ArtifactError)):
        import_network("hello", Registration(name="int8"), damage(network))
    assert not Release.objects.exists()
    assert not Artifact.objects.exists()
    assert not artifact_folder.exists()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "ok", "accuracy": 97.0}, "accuracy"),
    ],
)
def test_a_bad_statement_is_refused_by_its_field(network: bytes, said, field: str) -> None:
    with pytest.raises(RegistrationError) as refused:
        import_network("hello", Registration(**said), network)
    assert refused.value.field == field
    assert not Release.objects.exists()


def test_a_bad_model_name_is_refused(network: bytes) -> None:
    with pytest.raises(RegistrationError) as refused:
        import_network("no/slash", Registration(name="int8"), network)
    assert refused.value.field == "model"


def test_an_imported_network_opens_a_release_of_its_own(network: bytes) -> None:
    first = import_network("hello", Registration(name="int8"), network, origin="a file")
    second = import_network("hello", Registration(name="int8"), network)
    assert (str(first), str(second)) == ("hello/1/int8", "hello/2/int8")
    assert first.artifact == second.artifact
    assert (first.release.notes, first.release.data_source) == ("a file", "")
    assert default_storage.exists(first.artifact.sha256)


@pytest.mark.parametrize(
    ("text", "sensors"),
    [
        (None, None),
        ("", None),
        ("none", []),
        ("None", []),
        ("camera", [{"kind": "camera", "rate_hz": None, "shape": None}]),
        ("microphone,16000", [{"kind": "microphone", "rate_hz": 16000.0, "shape": None}]),
        ("Camera, 5, 96x96x1", [{"kind": "camera", "rate_hz": 5.0, "shape": [96, 96, 1]}]),
        (
            "accelerometer,100+gyroscope",
            [
                {"kind": "accelerometer", "rate_hz": 100.0, "shape": None},
                {"kind": "gyroscope", "rate_hz": None, "shape": None},
            ],
        ),
    ],
)
def test_input_sources_as_people_type_them(text, sensors) -> None:
    assert parse_input_source(text) == sensors


@pytest.mark.parametrize(
    "text",
    ["micro phone", "camera,fast", "camera,-1", "camera,nan", "camera,5,0x1", "a,1,1x1,z", "+"],
)
def test_no_input_source_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InputSourceError, match="write SENSOR"):
        parse_input_source(text)
