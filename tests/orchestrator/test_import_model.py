"""`manage.py import_model`: a file becomes a release, or nothing changes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from registry.models import Artifact, Measurement, RegisteredModel, Release, Variant
from tests.registry.tiny_networks import dense

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def artifact_folder(tmp_path: Path, settings) -> Path:
    """Artifacts of a test lie in its own folder."""
    settings.MEDIA_ROOT = tmp_path / "artifacts"
    return settings.MEDIA_ROOT


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "Micro Speech (v2).tflite"
    path.write_bytes(dense(64, 10))
    return path


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command("import_model", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_the_bytes_are_kept_as_they_came(model):
    text = run(model, "--name", "keywords", "--input", "microphone,16000")
    variant = Variant.objects.get()
    assert f"variant {variant.pk}" in text
    assert (variant.release.model.name, variant.release.number) == ("keywords", 1)
    assert variant.name == "micro-speech-v2"
    assert variant.sensors == [{"kind": "microphone", "rate_hz": 16000.0, "shape": None}]
    assert variant.operators == {"FULLY_CONNECTED": 4}
    assert variant.precision == "int8"
    with variant.artifact.file.open() as file:
        assert file.read() == model.read_bytes()


def test_what_it_needs_is_recorded(model):
    run(model, "--name", "keywords")
    found = {(row.metric, row.runtime and row.runtime.kernels) for row in Measurement.objects.all()}
    assert ("flash_bytes", None) in found
    assert ("macs", None) in found
    assert {("arena_bytes", "cmsis_nn"), ("arena_bytes", "reference")} <= found


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ([], None),
        (["--input", "none"], []),
        (["--input", "camera"], [{"kind": "camera", "rate_hz": None, "shape": None}]),
    ],
)
def test_an_input_is_known_none_or_unknown(model, said, kept):
    run(model, "--name", "keywords", *said)
    assert Variant.objects.get().sensors == kept


def test_a_second_import_is_the_next_release(model):
    run(model, "--name", "keywords")
    run(model, "--name", "keywords", "--variant", "other")
    assert list(Release.objects.order_by("number").values_list("number", flat=True)) == [1, 2]
    assert Artifact.objects.count() == 1, "equal bytes are one artifact"


@pytest.mark.parametrize(
    ("contents", "arguments", "message"),
    [
        (b"not a model", ["--name", "keywords"], "not a TensorFlow Lite flatbuffer"),
        (dense()[:150], ["--name", "keywords"], r"\(at .*\)\. (Export|Bring)"),
        (dense(), ["--name", "key words"], "'key words' is no name"),
        (
            dense(),
            ["--name", "keywords", "--input", "microphone,fast"],
            "--input: 'fast' is no rate",
        ),
        (dense(), ["--name", "keywords", "--variant", "a/b"], "'a/b' is no name"),
    ],
)
def test_bad_input_changes_nothing(tmp_path, artifact_folder, contents, arguments, message):
    path = tmp_path / "bad.tflite"
    path.write_bytes(contents)
    with pytest.raises(CommandError, match=message) as caught:
        run(path, *arguments)
    assert caught.value.returncode == 1
    for rows in (Artifact, RegisteredModel, Release, Variant, Measurement):
        assert not rows.objects.exists()
    stored = [file for file in artifact_folder.rglob("*") if file.is_file()]
    assert stored == [] or contents == dense()


def test_a_file_over_the_limit(model, settings):
    settings.ARTIFACT_MAX_BYTES = 100
    with pytest.raises(CommandError, match="more than the 100 allowed"):
        run(model, "--name", "keywords")
    assert not RegisteredModel.objects.exists()


def test_an_onnx_file_comes_in_like_any_other(data_dir):
    path = data_dir / "magic-wand/model.onnx"
    run(path, "--name", "gestures", "--input", "accelerometer,100")
    variant = Variant.objects.get()
    assert variant.artifact.media_type == "application/x-onnx"
    assert (variant.precision, variant.dtypes) == ("float32", ["float32"])
    assert set(Measurement.objects.values_list("metric", flat=True)) == {"flash_bytes", "macs"}
    assert variant.description["layers"][0]["operator"] == "Conv"
    with variant.artifact.file.open() as file:
        assert file.read() == path.read_bytes()


def test_a_file_needs_a_name(model):
    with pytest.raises(CommandError, match="--name is missing"):
        run(model)


def test_where_nobody_can_be_asked_a_sentence_says_how_to_state_the_input(model):
    assert "What feeds it was not stated" in run(model, "--name", "keywords")
    assert "not stated" not in run(model, "--name", "keywords", "--input", "none")


class Terminal(io.StringIO):
    """What a person reads and types on."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("microphone,16000\n", [{"kind": "microphone", "rate_hz": 16000.0, "shape": None}]),
        ("microphone,fast\nnone\n", []),
        ("\n", None),
        ("", None),
    ],
)
def test_at_a_terminal_the_person_is_asked(model, monkeypatch, typed, kept):
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    out = Terminal()
    call_command("import_model", str(model), "--name", "keywords", stdout=out)
    assert Variant.objects.get().sensors == kept
    assert ("'fast' is no rate" in out.getvalue()) == ("fast" in typed)
    assert ("not stated" in out.getvalue()) == (kept is None)


def test_real_networks_come_in(data_dir):
    for path in sorted((data_dir / "ren" / "models").glob("*.tflite"))[:5]:
        run(path, "--name", "zoo", "--input", "none")
    assert Variant.objects.count() == 5
