"""What an MLmodel file says that a network takes and gives, read by MLflow's own classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from orchestrator.gateways.mlflow_signature import ModelFolder, describe_folder

pytestmark = pytest.mark.slow


def tensor(
    name: str = "", dtype: str = "INT8", shape: Sequence[int | None] | None = (1, 4)
) -> dict:
    return {"name": name, "dtype": dtype, "shape": None if shape is None else list(shape)}


def said_of(inputs: list[dict], outputs: list[dict]) -> Any:
    """The signature, as MLflow reads it; None where there is none."""
    from mlflow.models import ModelSignature

    folder = ModelFolder("model", "tflite", "net.tflite", inputs, outputs)
    content = yaml.safe_load(describe_folder(folder, "run-1"))
    assert (content["run_id"], content["flavors"]) == ("run-1", {"tflite": {"data": "net.tflite"}})
    told = content.get("signature")
    return ModelSignature.from_dict(told) if told else None


def test_types_shapes_and_names_are_those_of_the_network():
    signature = said_of([tensor("image", shape=(None, 8, 8, 1))], [tensor("score", "FLOAT32")])
    [image], [score] = signature.inputs.inputs, signature.outputs.inputs
    assert (image.name, image.type.name, image.shape) == ("image", "int8", (-1, 8, 8, 1))
    assert (score.name, score.type.name, score.shape) == ("score", "float32", (1, 4))


@pytest.mark.parametrize("names", [("", ""), ("same", "same"), ("one", "")])
def test_several_tensors_without_names_of_their_own_get_numbers(names):
    """As the digit family's networks, whose names are stripped: logits and features."""
    signature = said_of([tensor()], [tensor(name) for name in names])
    assert [spec.name for spec in signature.inputs.inputs] == [None]
    assert [spec.name for spec in signature.outputs.inputs] == ["output_0", "output_1"]


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [([tensor(dtype="RESOURCE")], [tensor()]), ([tensor()], []), ([], [tensor()])],
)
def test_what_mlflow_has_no_word_for_has_no_signature(inputs, outputs):
    assert said_of(inputs, outputs) is None


def test_a_shape_that_is_not_known_is_no_reason_to_break():
    assert said_of([tensor(shape=None)], [tensor()]) is not None
