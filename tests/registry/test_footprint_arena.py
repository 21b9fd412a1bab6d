"""The model of TFLite Micro's arena against 29 networks measured on a Cortex-M4."""

from __future__ import annotations

import statistics

import pytest

from registry.footprint.arena import predict_arena
from registry.footprint.code import code_facts
from registry.footprint.kernels.table import MODELS, UNMODELLED
from registry.formats.tflite import parse, strip_names
from tests.registry.measured import measured_rows, model_bytes
from tests.registry.tiny_networks import WHILE, custom, dense, dense_tree, tensor, write


def test_every_measured_network(data_dir):
    errors = {}
    for row in measured_rows(data_dir):
        plan = predict_arena(parse(model_bytes(data_dir, row["model"])))
        assert plan.unknown == ()
        assert plan.parts["nonpersistent"] == int(row["nonpersistent_bytes"]), row["model"]
        assert plan.parts["persistent"] == int(row["persistent_bytes"]), row["model"]
        errors[row["model"]] = plan.arena_bytes / int(row["arena_min_bytes"]) - 1
    assert len(errors) == 29
    assert statistics.median(map(abs, errors.values())) <= 0.02
    assert min(errors.values()) >= -0.01, "an arena that is too small does not run"


def test_names_take_no_arena(data_dir):
    for row in measured_rows(data_dir):
        whole = model_bytes(data_dir, row["model"])
        assert predict_arena(parse(whole)) == predict_arena(parse(strip_names(whole)))


def test_the_parts_add_up():
    plan = predict_arena(parse(dense(64, 10)))
    persistent = {n: size for n, size in plan.parts.items() if n.startswith("persistent.")}
    assert sum(persistent.values()) == plan.parts["persistent"]
    used = plan.parts["nonpersistent"] + plan.parts["persistent"] + plan.parts["planning"]
    assert used <= plan.arena_bytes < used + 16
    assert plan.arena_bytes % 16 == 0
    assert plan.memory_timeline == (64, 64 + 16)


def test_a_kernel_refuses_a_type_and_the_arena_is_unknown(data_dir):
    data = (data_dir / "ren/models/Person_Detection.tflite").read_bytes()
    plan = predict_arena(parse(data))
    assert plan.arena_bytes is None
    assert "DEPTHWISE_CONV_2D does not take UINT8" in plan.unknown


def test_an_operator_without_a_model_is_named():
    plan = predict_arena(parse(custom("Whisper")))
    assert plan.arena_bytes is None
    assert plan.unknown == ("CUSTOM:Whisper: TFLite Micro's own set does not have it",)


def test_every_operator_of_the_runtime_is_modelled_or_named_as_unknown():
    assert MODELS.keys().isdisjoint(UNMODELLED)
    assert MODELS.keys() | UNMODELLED.keys() == code_facts().operators.keys()


def test_reference_kernels_need_no_scratch_for_a_convolution(data_dir):
    network = parse(model_bytes(data_dir, "ren/ARM_CNN_Small_keyword_spotting.tflite"))
    optimized, plain = predict_arena(network, "cmsis_nn"), predict_arena(network, "reference")
    assert plain.parts["nonpersistent"] < optimized.parts["nonpersistent"]


def test_an_unknown_kernel_set_is_refused():
    with pytest.raises(ValueError, match="cmsis_nn, reference, not 'esp'"):
        predict_arena(parse(dense()), "esp")


def test_subgraphs_that_call_themselves_are_unknown_not_endless():
    tree = dense_tree()
    tree["operator_codes"].append({"builtin_code": WHILE})
    call = {"opcode_index": 1, "builtin_options_type": 93}
    call["builtin_options"] = {"condition_subgraph": 0, "body_subgraph": 0}
    tree["subgraphs"][0]["operators"].append(call | {"inputs": (0,), "outputs": (3,)})
    plan = predict_arena(parse(write(tree)))
    assert plan.arena_bytes is None
    assert plan.unknown == ("subgraphs call one another without end",)


def test_more_buffers_than_can_be_planned_are_unknown():
    tree = dense_tree()
    tree["subgraphs"][0]["tensors"] += [tensor(f"t{n}", (16,)) for n in range(5000)]
    plan = predict_arena(parse(write(tree)))
    assert plan.arena_bytes is None
    assert "buffers are more than" in plan.unknown[0]


def test_a_called_subgraph_is_planned_inside_the_call():
    """Tensors of a loop's body live while the loop's do."""
    tree = dense_tree(16, 16)
    tree["operator_codes"].append({"builtin_code": WHILE})
    body = {key: value for key, value in tree["subgraphs"][0].items() if key != "name"}
    loop = {
        "opcode_index": 1,
        "builtin_options_type": 93,
        "builtin_options": {"condition_subgraph": 1, "body_subgraph": 1},
        "inputs": (0,),
        "outputs": (1,),
    }
    outer = [tensor("in", (1, 16)), tensor("out", (1, 16))]
    tree["subgraphs"] = [
        {"tensors": outer, "inputs": (0,), "outputs": (1,), "operators": [loop]},
        body,
    ]
    plan = predict_arena(parse(write(tree)))
    assert plan.parts["nonpersistent"] == 4 * 16
    assert max(plan.memory_timeline) == 4 * 16
