"""describe(): all figures in one value, as JSON, fast enough to ask for on every page."""

from __future__ import annotations

import json
import time

import pytest

from registry.footprint.code import code_facts, runtime_code_bytes
from registry.footprint.description import Board, describe
from registry.footprint.figures import derived_figures
from registry.footprint.training import online_layer_bytes
from registry.formats.tflite import FormatError, strip_names
from tests.registry.tiny_networks import custom, dense, dense_tree, tensor, write


def test_the_json_form_has_every_figure():
    whole = dense(64, 10)
    said = json.loads(json.dumps(describe(whole).as_json()))
    assert said["file_bytes"] == len(whole)
    assert said["flash_bytes"] == len(strip_names(whole))
    assert said["arena_bytes"] > 80
    assert said["arena_parts"]["nonpersistent"] == 80
    assert said["macs"] == 640
    assert said["parameters"] == 650
    assert said["operators"] == [{"name": "FULLY_CONNECTED", "version": 4, "count": 1}]
    assert said["inputs"] == [
        {"name": "the_input", "shape": [1, 64], "dtype": "INT8", "scale": 0.125, "zero_point": 0}
    ]
    assert said["outputs"][0]["shape"] == [1, 10]
    facts = code_facts()
    expected = facts.base_bytes + facts.operators["FULLY_CONNECTED"]
    assert said["runtime_code_bytes"] == expected
    assert said["instructions"]["value"] > 640
    assert 0 < said["instructions"]["error"] < 1
    assert said["latency_ms"] is None, "no clock is known without a board"
    assert said["training_bytes"] == online_layer_bytes(64, 10)
    assert said["memory_timeline"] == [64, 80]


def test_what_is_not_known_is_null():
    said = describe(custom("Whisper")).as_json()
    assert said["arena_bytes"] is None
    assert said["arena_unknown"]
    assert said["runtime_code_bytes"] is None
    assert said["instructions"] is None
    assert said["training_bytes"] is None


def test_the_features_of_a_second_output_are_what_a_last_layer_would_learn_on():
    tree = dense_tree(64, 10)
    graph = tree["subgraphs"][0]
    graph["tensors"].append(tensor("features", (1, 32)))
    graph["outputs"] = (3, 4)
    assert describe(write(tree)).training_bytes == online_layer_bytes(32, 10)


def test_code_bytes_count_each_operator_once():
    once = runtime_code_bytes(["ADD", "MUL"])
    assert once == runtime_code_bytes(["ADD", "MUL", "ADD"])
    assert runtime_code_bytes(["ADD", "CUSTOM:x"]) is None


def test_code_facts_are_those_that_were_measured(data_dir):
    table = (data_dir / "tflm" / "op_code_size_cortex_m4.csv").read_text().split()[1:]
    measured = {name: int(size) for name, size in (line.split(",") for line in table)}
    assert code_facts().operators == measured


def test_figures_name_the_runtime_that_they_hold_for():
    figures = list(derived_figures(describe(dense())))
    arenas = {figure.runtime.kernels: figure for figure in figures if figure.runtime}
    assert set(arenas) == {"cmsis_nn", "reference"}
    assert all(figure.source and figure.status == "derived" for figure in figures)


def test_bad_bytes_are_refused():
    with pytest.raises(FormatError):
        describe(b"not a model")


@pytest.mark.bench
def test_half_a_megabyte_takes_at_most_a_tenth_of_a_second(data_dir):
    data = (data_dir / "ren/models/ARM_MicroNet_VWW_3.tflite").read_bytes()
    assert len(data) > 500_000
    describe(data, board=Board("any"))
    times = []
    for _ in range(5):
        started = time.process_time()
        describe(data)
        times.append(time.process_time() - started)
    assert min(times) <= 0.1
