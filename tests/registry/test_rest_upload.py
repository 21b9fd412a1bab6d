"""A .tflite or .onnx file comes in over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.models import Artifact, Release, Variant
from registry.services.networks import open_release

pytestmark = pytest.mark.django_db
PATH = "/api/v1/variants/"


@pytest.fixture
def network(data_dir: Path) -> bytes:
    return (data_dir / "tflite-micro" / "hello_world_int8.tflite").read_bytes()


def upload(client: Client, data: bytes, **said):
    file = SimpleUploadedFile("model.tflite", data)
    return client.post(PATH, {"model": "hello", "name": "int8", **said, "file": file})


def test_a_file_becomes_the_variant_of_a_new_release(owner: Client, network: bytes) -> None:
    answer = upload(owner, network, input="microphone,16000", accuracy="0.9", technique="int8")
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["variant"], shown["size_bytes"]) == ("hello/1/int8", len(network))
    assert shown["sensors"] == [{"kind": "microphone", "rate_hz": 16000, "shape": None}]
    assert shown["description"]["macs"] > 0
    assert {m["metric"] for m in shown["measurements"]} >= {
        "flash_bytes",
        "arena_bytes",
        "accuracy",
    }
    assert Release.objects.get().notes == "uploaded file model.tflite"


def test_a_file_joins_a_release_that_is_there(owner: Client, network: bytes) -> None:
    open_release("hello")
    first = upload(owner, network, release="1").json()
    second = upload(owner, network, release="1", name="again", parent=first["id"]).json()
    assert (second["variant"], second["parent"]) == ("hello/1/again", first["id"])


def test_the_bytes_come_back_as_they_went_in(owner: Client, network: bytes) -> None:
    variant = upload(owner, network, input="none").json()
    answer = owner.get(f"{PATH}{variant['id']}/file/")
    assert b"".join(answer.streaming_content) == network
    assert 'filename="hello-1-int8.tflite"' in answer["Content-Disposition"]


def test_an_onnx_file_keeps_its_kind(owner: Client, data_dir: Path) -> None:
    data = (data_dir / "magic-wand/model.onnx").read_bytes()
    variant = upload(owner, data, input="none", name="float").json()
    assert variant["description"]["format"] == "onnx"
    answer = owner.get(f"{PATH}{variant['id']}/file/")
    assert b"".join(answer.streaming_content) == data
    assert 'filename="hello-1-float.onnx"' in answer["Content-Disposition"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"model": ""}, "model"),
        ({"input": "camera,fast"}, "input"),
        ({"accuracy": "97"}, "accuracy"),
        ({"release": "7"}, "release"),
        ({"parent": "7"}, "parent"),
    ],
)
def test_a_bad_statement_is_refused_by_its_field(
    owner: Client, network: bytes, said, field: str
) -> None:
    answer = upload(owner, network, **said)
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert not Release.objects.exists()


def test_a_damaged_file_is_refused_and_leaves_nothing(
    owner: Client, network: bytes, artifact_folder: Path
) -> None:
    answer = upload(owner, network[: len(network) // 2])
    assert answer.status_code == 400
    assert list(answer.json()) == ["file"]
    assert not Variant.objects.exists()
    assert not Artifact.objects.exists()
    assert not artifact_folder.exists()


def test_a_file_over_the_limit_is_413(owner: Client, network: bytes, settings) -> None:
    settings.ARTIFACT_MAX_BYTES = 100
    answer = upload(owner, network)
    assert answer.status_code == 413
    assert "100 allowed" in answer.json()["file"][0]


def test_other_bytes_under_a_taken_name_are_refused(
    owner: Client, network: bytes, data_dir: Path
) -> None:
    upload(owner, network)
    other = (data_dir / "tflite-micro" / "hello_world_float.tflite").read_bytes()
    answer = upload(owner, other, release="1")
    assert answer.status_code == 400
    assert "other bytes" in answer.json()["name"][0]


def test_an_upload_needs_a_file_and_the_permission(owner: Client, reader: Client) -> None:
    missing = owner.post(PATH, {"model": "hello", "name": "int8"})
    assert (missing.status_code, list(missing.json())) == (400, ["file"])
    assert upload(reader, b"x").status_code == 403
