"""A model whose input source was not stated: memory is judged, sensors are not known."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command

from registry.models import Variant
from tests.registry.onnx_files import dense as onnx_dense
from tests.registry.tiny_networks import dense

pytestmark = pytest.mark.django_db


def _import(tmp_path, data: bytes, *said: str) -> None:
    path = tmp_path / "net.bin"
    path.write_bytes(data)
    call_command("import_model", str(path), "--name", "net", *said, stdout=io.StringIO())


def _judged() -> tuple[str, dict[str, bool | None]]:
    out = io.StringIO()
    call_command("match", "--json", stdout=out)
    (line,) = out.getvalue().splitlines()
    verdict = json.loads(line)
    return verdict["verdict"], {r["constraint"]: r["holds"] for r in verdict["reasons"]}


def test_memory_is_judged_and_sensors_are_unknown(tmp_path, make_device):
    make_device("cam-01")
    _import(tmp_path, dense(64, 10))
    answer, holds = _judged()
    assert (holds["flash"], holds["ram"], holds["sensors"]) == (True, True, None)
    assert answer == "unknown"


def test_memory_that_is_short_decides_whatever_feeds_the_model(tmp_path, make_device):
    make_device("cam-01", arenaBudgetBytes=100)
    _import(tmp_path, dense(64, 10))
    answer, holds = _judged()
    assert (holds["ram"], holds["sensors"]) == (False, None)
    assert answer == "does_not_fit"


def test_a_model_without_sensors_says_so(tmp_path, make_device):
    make_device("cam-01")
    _import(tmp_path, dense(64, 10), "--input", "none")
    answer, holds = _judged()
    assert (answer, holds["sensors"]) == ("fits", True)


def test_an_onnx_file_waits_for_a_runtime_that_reads_it(tmp_path, make_device):
    make_device("cam-01")
    _import(tmp_path, onnx_dense(64, 10), "--input", "none")
    answer, holds = _judged()
    assert (holds["flash"], holds["ram"], holds["runtime"]) == (True, None, False)
    assert answer == "does_not_fit"
    assert Variant.objects.get().operators == {"Gemm": 17}


def test_on_such_a_runtime_its_memory_is_still_for_a_measurement_to_say(tmp_path, make_device):
    runtime = {"tf:name": "onnxruntime", "tf:version": "1.20", "tf:kernels": "cpu"}
    make_device("phone", runtime=runtime, operators={"Gemm": 21}, dtypes=["float32"])
    _import(tmp_path, onnx_dense(64, 10), "--input", "none")
    answer, holds = _judged()
    assert (holds["runtime"], holds["operators"], holds["ram"]) == (True, True, None)
    assert answer == "unknown"
