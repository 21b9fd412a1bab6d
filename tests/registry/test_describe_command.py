"""`manage.py describe`: what a person and a script get, and what happens to bad input."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from registry.models import Artifact, RegisteredModel
from tests.registry.onnx_files import dense as onnx_dense
from tests.registry.tiny_networks import custom, dense


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense(64, 10))
    return path


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command("describe", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_json_without_a_database(model):
    """No `db` fixture here: reading the database would fail the test."""
    said = json.loads(run(model, "--json"))
    assert said["macs"] == 640
    assert said["kernels"] == "cmsis_nn"
    assert "fit" not in said


def test_people_get_tables(model):
    text = run(model)
    for expected in ("Arena, cmsis_nn", "FULLY_CONNECTED", "the_input", "1 x 64", "not known"):
        assert expected in text


def test_onnx_files_are_described_too(tmp_path, boards):
    path = tmp_path / "dense.onnx"
    path.write_bytes(onnx_dense(64, 10))
    said = json.loads(run(path, "--json"))
    assert (said["format"], said["macs"], said["arena_bytes"]) == ("onnx", 640, None)
    text = " ".join(run(path, "--board", "disco-f746ng").split())
    assert "The arena is not known: TFLite Micro does not run .onnx files" in text
    assert "onnxruntime, stm32cube-ai" in text


def test_kernels_can_be_chosen(model):
    reference = json.loads(run(model, "--kernels", "reference", "--json"))
    assert reference["kernels"] == "reference"
    assert reference["instructions"] is None
    with pytest.raises(CommandError, match="invalid choice: 'esp'"):
        run(model, "--kernels", "esp")


def test_an_unknown_arena_says_why(tmp_path):
    path = tmp_path / "custom.tflite"
    path.write_bytes(custom("Whisper"))
    assert "The arena is not known: CUSTOM:Whisper" in " ".join(run(path).split())


def test_names_in_a_file_are_shown_and_not_obeyed(tmp_path, boards):
    path = tmp_path / "custom.tflite"
    path.write_bytes(custom("[/bold] [red]\x1b[2J"))
    text = run(path, "--board", "disco-f746ng")
    assert "CUSTOM:[/bold] [red]\N{REPLACEMENT CHARACTER}[2J" in text
    assert "\x1b" not in text


def test_a_board_is_judged(model, boards):
    fit = json.loads(run(model, "--board", "disco-f746ng", "--json"))["fit"]
    assert fit["board"] == "disco-f746ng"
    assert fit["assumed"] is True
    reasons = {reason["constraint"]: reason for reason in fit["reasons"]}
    assert set(reasons) == {"flash", "ram", "operators", "dtypes", "runtime"}
    assert reasons["flash"]["need"] == model.stat().st_size
    assert reasons["flash"]["holds"] is True
    assert "headroom" in run(model, "--board", "disco-f746ng").lower()


def test_a_file_that_is_too_large_for_a_board(tmp_path, boards):
    path = tmp_path / "large.tflite"
    path.write_bytes(dense(1000, 100))
    fit = json.loads(run(path, "--board", "nucleo-f103rb", "--json"))["fit"]
    assert fit["verdict"] == "does_not_fit"
    flash = next(reason for reason in fit["reasons"] if reason["constraint"] == "flash")
    assert flash["holds"] is False
    assert flash["headroom"] == flash["have"] - flash["need"] < 0


def test_an_unknown_board_names_the_nearest(model, boards):
    with pytest.raises(CommandError, match="no board 'disco-f746n'.*did you mean disco-f746ng"):
        run(model, "--board", "disco-f746n")


def test_an_empty_catalogue_says_how_to_load_it(model, db):
    with pytest.raises(CommandError, match="load_catalogue"):
        run(model, "--board", "disco-f746ng")


@pytest.mark.parametrize("bad", [b"", b"no model at all", dense()[:200]])
def test_bad_bytes_name_what_where_and_remedy(tmp_path, bad, db):
    path = tmp_path / "bad.tflite"
    path.write_bytes(bad)
    with pytest.raises(CommandError) as caught:
        run(path)
    assert caught.value.returncode == 1
    text = str(caught.value)
    assert str(path) in text
    assert "(at " in text
    assert "Bring" in text or "Export" in text
    assert not Artifact.objects.exists()
    assert not RegisteredModel.objects.exists()


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run(tmp_path / "nothing.tflite")
    with pytest.raises(CommandError, match="cannot be read: Is a directory"):
        run(tmp_path)


def test_what_never_ends_is_not_opened(tmp_path):
    """Reading either would block or fill the memory."""
    os.mkfifo(tmp_path / "pipe.onnx")
    for path in (tmp_path / "pipe.onnx", Path("/dev/zero")):
        with pytest.raises(CommandError, match=f"{path} cannot be read: it is no regular file"):
            run(path)


def test_a_file_that_does_not_say_its_size_is_read_no_further_than_allowed(settings):
    settings.ARTIFACT_MAX_BYTES = 10
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("there is no /proc here")
    with pytest.raises(CommandError, match="has 11 bytes, more than the 10 allowed"):
        run(status)


def test_a_file_over_the_limit_is_not_read(model, settings):
    settings.ARTIFACT_MAX_BYTES = 100
    with pytest.raises(
        CommandError, match="more than the 100 allowed.*TINYFLEET_ARTIFACT_MAX_BYTES"
    ):
        run(model)


def test_patches_are_looked_for_on_request(data_dir, model):
    person = data_dir / "ren/models/Person_Detection.tflite"
    said = json.loads(run(person, "--patches-within", "32KiB", "--json"))["patches"]
    assert said["whole_peak_bytes"] == 55_296
    assert said["cheapest"]["peak_bytes"] <= said["ram_bytes"] == 32 * 1024
    assert said["cheapest"]["stage_overhead"] > 0
    assert "MACs in these layers" in run(person, "--patches-within", "32KiB")
    assert "none are needed" in run(person, "--patches-within", "64KiB")
    assert "no schedule takes at most 1,024 B" in run(person, "--patches-within", "1KiB")
    assert "does not begin with layers over a map" in run(model, "--patches-within", "1KiB")
    assert json.loads(run(model, "--patches-within", "1KiB", "--json"))["patches"] == {
        "ram_bytes": 1024,
        "whole_peak_bytes": None,
        "cheapest": None,
    }
    with pytest.raises(CommandError, match="must be a size"):
        run(model, "--patches-within", "much")
