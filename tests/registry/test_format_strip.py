"""strip_names(): smaller, the same network, readable by the runtimes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from registry.formats.flatbuffer_writer import FlatbufferWriter
from registry.formats.tflite import FormatError, parse, read_tree, strip_names
from registry.formats.tflite_model import MODEL
from registry.formats.tflite_schema import TableType, scalar
from tests.registry.measured import all_models
from tests.registry.tiny_networks import custom, dense, dense_tree, write


def _outputs(data: bytes, seed: int) -> list[np.ndarray[Any, Any]]:
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    random = np.random.default_rng(seed)
    for detail in interpreter.get_input_details():
        values = random.normal(size=detail["shape"]) * 40
        interpreter.set_tensor(detail["index"], values.astype(detail["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def test_no_name_and_nothing_unused_is_left():
    whole = dense()
    stripped = strip_names(whole)
    assert len(stripped) < len(whole)
    for gone in (b"the_input", b"main", b"serving_default", b"made for a test", b"1.14.0"):
        assert gone in whole
        assert gone not in stripped
    tree = read_tree(stripped)
    assert "signature_defs" not in tree
    assert "metadata" not in tree
    assert len(tree["buffers"]) == 3
    assert "min" not in tree["subgraphs"][0]["tensors"][0]["quantization"]


def test_the_written_network_runs_the_same():
    whole = dense(16, 10)
    for seed in range(3):
        before, after = _outputs(whole, seed), _outputs(strip_names(whole), seed)
        np.testing.assert_array_equal(before[0], after[0])


def test_stripping_twice_changes_nothing_more():
    once = strip_names(dense())
    assert strip_names(once) == once


def test_a_custom_operator_keeps_the_name_that_the_runtime_needs():
    assert parse(strip_names(custom("Whisper"))).operators[0].name == "CUSTOM:Whisper"


def test_a_memory_plan_stays_as_the_runtime_reads_it():
    tree = dense_tree()
    tree["buffers"].append({"data": bytes(12)})
    tree["metadata"].append({"name": "OfflineMemoryAllocation", "buffer": 4})
    network = parse(strip_names(write(tree)))
    assert list(network.metadata) == ["OfflineMemoryAllocation"]
    assert len(network.metadata["OfflineMemoryAllocation"]) == 12


def test_contents_behind_the_flatbuffer_come_inside():
    tree = dense_tree()
    weights = tree["buffers"][1]["data"]
    tree["buffers"][1] = {"offset": 2**40, "size": len(weights)}
    tree["buffers"][1]["offset"] = len(write(tree))
    stripped = strip_names(write(tree) + weights)
    assert read_tree(stripped)["buffers"][1]["data"] == weights


def test_a_field_that_the_schema_does_not_know_is_not_dropped_silently():
    newer = TableType("Model", (*MODEL.fields, scalar("new_in_2030", "I")))
    data = FlatbufferWriter(1 << 20).write(newer, dense_tree() | {"new_in_2030": 7}, b"TFL3")
    assert parse(data).operators[0].name == "FULLY_CONNECTED", "it can still be read"
    with pytest.raises(FormatError, match="newer than the schema"):
        strip_names(data)


def test_damaged_bytes_are_refused():
    with pytest.raises(FormatError):
        strip_names(dense()[:300])


def test_every_network_stays_the_same_and_shrinks(data_dir):
    for path in all_models(data_dir):
        whole = path.read_bytes()
        stripped = strip_names(whole)
        assert len(stripped) <= len(whole)
        before, after = parse(whole), parse(stripped)
        assert [_shape(t) for t in before.tensors] == [_shape(t) for t in after.tensors]
        assert [_wiring(o) for o in before.operators] == [_wiring(o) for o in after.operators]
        assert _misaligned(stripped) == []


def _shape(tensor: Any) -> tuple[Any, ...]:
    contents = bytes(tensor.data) if tensor.is_constant else None
    return tensor.shape, tensor.dtype, tensor.quantization, tensor.is_variable, contents


def _wiring(operator: Any) -> tuple[Any, ...]:
    return operator.name, operator.version, operator.inputs, operator.outputs, operator.options


def _misaligned(data: bytes) -> list[int]:
    """Where contents lie that do not start at a multiple of 16 bytes."""
    start = np.frombuffer(data, np.uint8).ctypes.data
    contents = [b["data"] for b in read_tree(data)["buffers"] if len(b.get("data", b""))]
    places = [np.frombuffer(content, np.uint8).ctypes.data - start for content in contents]
    return [place for place in places if place % 16]


@pytest.mark.parametrize(
    "name",
    [
        "ren/models/Hello_World.tflite",
        "ren/models/Voice_Turn.tflite",
        "ren/models/ARM_DS_CNN_Small_.tflite",
        "ren/models/Person_Detection.tflite",
        "tflite-micro/trained_lstm_int8.tflite",
        "magic-wand/model.tflite",
    ],
)
def test_outputs_are_identical(data_dir, name):
    whole = (data_dir / name).read_bytes()
    for seed in range(2):
        for before, after in zip(
            _outputs(whole, seed), _outputs(strip_names(whole), seed), strict=True
        ):
            np.testing.assert_array_equal(before, after)
