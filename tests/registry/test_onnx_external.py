"""Models that keep their weights in files beside them: joined into one file, or refused."""

from __future__ import annotations

import io
import json
import os

import numpy as np
import onnx
import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto
from onnx import numpy_helper as arrays

from registry.formats.errors import FormatError
from registry.formats.model_file import files_beside, read_network, whole_file
from tests.registry.onnx_files import FLOAT, graph, info, model, node

WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)
MAX_BYTES = 1 << 20


def pointing(location: str, **entries: str) -> ModelProto:
    """A layer whose weights lie elsewhere, with a constant in a branch that lies there too."""

    def held(name: str) -> TensorProto:
        tensor = TensorProto(name=name, dims=(3, 4), data_type=FLOAT)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=value)
        return tensor

    branch = graph([node("Constant", "", "k", value=held("inner"))], [], [info("k", [3, 4])])
    nodes = [
        node("Gemm", "x w", "y", transB=1),
        node("If", "c", "z", then_branch=branch, else_branch=branch),
    ]
    made = model(nodes, [info("x", [1, 4]), info("c", [], TensorProto.BOOL)], [info("z", None)])
    made.graph.initializer.append(held("w"))
    return made


def test_every_tensor_gets_its_contents_and_all_else_stays():
    made = pointing("weights.bin", offset="8", length="48")
    data = made.SerializeToString()
    assert files_beside(data) == ("weights.bin",)
    whole = whole_file(data, {"weights.bin": bytes(8) + WEIGHTS.tobytes() + b"more"}, MAX_BYTES)
    assert files_beside(whole) == ()
    found = onnx.load_from_string(whole)
    assert (arrays.to_array(found.graph.initializer[0]) == WEIGHTS).all()
    assert [tensor.shape for tensor in read_network(whole).outputs] == [(3, 4)]
    for entry in (made.graph.initializer[0], found.graph.initializer[0]):
        for field in ("data_location", "external_data", "raw_data"):
            entry.ClearField(field)
    assert found.graph.initializer[0] == made.graph.initializer[0]
    assert found.graph.node[0] == made.graph.node[0]


def test_without_a_length_the_rest_of_the_file_is_meant():
    data = pointing("w", offset="4").SerializeToString()
    whole = whole_file(data, {"w": bytes(4) + WEIGHTS.tobytes()}, MAX_BYTES)
    assert read_network(whole).tensors[2].buffer_bytes == WEIGHTS.nbytes


@pytest.mark.parametrize("name", ["/etc/passwd", "../w", "a/../../w", "a\\b", "", "a\0b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name):
    with pytest.raises(FormatError, match="leads out of the model's folder"):
        files_beside(pointing(name).SerializeToString())


@pytest.mark.parametrize(
    ("entries", "files", "max_bytes", "what"),
    [
        ({}, {"other": b""}, MAX_BYTES, "its contents lie in 'w'"),
        ({"offset": "40", "length": "48"}, {"w": bytes(48)}, MAX_BYTES, "reach byte 88 of 'w'"),
        ({"length": "-1"}, {"w": bytes(48)}, MAX_BYTES, "'-1' is no number of bytes"),
        ({"offset": "9" * 30}, {"w": bytes(48)}, MAX_BYTES, "is no number of bytes"),
        ({}, {"w": bytes(48)}, 300, "more bytes than are allowed"),
        ({}, {"w": bytes(9_000)}, 20_000, "more bytes than are allowed"),
    ],
)
def test_contents_that_cannot_be_had_are_refused(entries, files, max_bytes, what):
    with pytest.raises(FormatError, match=what):
        whole_file(pointing("w", **entries).SerializeToString(), files, max_bytes)


@settings(max_examples=300, derandomize=True, deadline=2000)
@given(st.data())
def test_damaged_models_are_joined_or_refused(data):
    good = bytearray(pointing("w", offset="0", length="48").SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        beside = {name: WEIGHTS.tobytes() for name in files_beside(bytes(good))}
        whole_file(bytes(good), beside, MAX_BYTES)
    except FormatError as error:
        assert error.where
        assert error.remedy


@pytest.fixture
def saved(tmp_path):
    """A model beside its weights, as exporters save it."""
    path = tmp_path / "net.onnx"
    path.write_bytes(pointing("net.onnx.data").SerializeToString())
    (tmp_path / "net.onnx.data").write_bytes(WEIGHTS.tobytes())
    return path


def _describe(path) -> dict:
    out = io.StringIO()
    call_command("describe", str(path), "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command_takes_the_files_beside_the_model_along(saved):
    described = _describe(saved)
    assert (described["macs"], described["parameters"]) == (12, 12)
    assert described["file_bytes"] > saved.stat().st_size


def test_the_command_says_which_file_is_missing(saved):
    saved.with_name("net.onnx.data").unlink()
    with pytest.raises(CommandError, match=r"net\.onnx\.data cannot be read: No such file"):
        _describe(saved)


def test_weights_that_are_a_pipe_are_refused(saved):
    data = saved.with_name("net.onnx.data")
    data.unlink()
    os.mkfifo(data)
    with pytest.raises(CommandError, match=r"net\.onnx\.data cannot be read: it is no regular"):
        _describe(saved)


def test_a_link_out_of_the_folder_is_not_followed(saved, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret"
    elsewhere.write_bytes(WEIGHTS.tobytes())
    data = saved.with_name("net.onnx.data")
    data.unlink()
    data.symlink_to(elsewhere)
    with pytest.raises(CommandError, match="leads out of its folder"):
        _describe(saved)


def test_model_and_weights_together_keep_the_limit(saved, settings):
    settings.ARTIFACT_MAX_BYTES = saved.stat().st_size + WEIGHTS.nbytes - 1
    with pytest.raises(CommandError, match="more than the 47 allowed"):
        _describe(saved)
