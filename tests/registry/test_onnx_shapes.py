"""Inferred shapes and types against those that ONNX's own examples and torch give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, numpy_helper
from torch import nn

from registry.formats.errors import FormatError
from registry.formats.model_file import read_network
from registry.formats.network import UNDEFINED, Tensor
from registry.formats.onnx.schema import DATA_TYPES
from tests.registry.onnx_files import file, info, node
from tests.registry.torch_exports import exported

# Shapes may follow from the numbers of these inputs, so they are given to the reader as constants.
_MAX_NUMBERS = 64
_DATA = {"x", "X", "data", "input"}


def _cleared(made: ModelProto) -> ModelProto:
    """The model without what it says of its outputs and of what is between."""
    del made.graph.value_info[:]
    for entry in made.graph.output:
        if entry.type.WhichOneof("value") == "tensor_type":
            entry.type.tensor_type.ClearField("shape")
            entry.type.tensor_type.ClearField("elem_type")
    return made


def _agrees(found: Tensor, dtype: int, shape: tuple[int, ...]) -> str:
    if found.dtype not in {DATA_TYPES.get(dtype), UNDEFINED}:
        return "another type"
    if not found.is_sized:
        return "unknown"
    return "right" if found.shape == shape else "another shape"


def _declared(path: Path) -> Iterator[str]:
    """The outputs of a stored example against what it says of them."""
    stated = [entry.type.tensor_type for entry in onnx.load(path).graph.output]
    found = read_network(_cleared(onnx.load(path)).SerializeToString()).outputs
    for tensor, kind in zip(found, stated, strict=True):
        if kind.elem_type:
            lengths = tuple(dim.dim_value for dim in kind.shape.dim)
            yield _agrees(tensor, kind.elem_type, lengths)


def test_no_stored_example_gets_another_shape_or_type():
    """Networks of one layer and of a few that torch exported for ONNX's own tests."""
    folder = Path(onnx.__file__).parent / "backend/test/data"
    verdicts = Counter(
        verdict for path in sorted(folder.rglob("*.onnx")) for verdict in _declared(path)
    )
    assert verdicts.keys() <= {"right", "unknown"}
    assert verdicts["right"] > 4 * verdicts["unknown"]


def _with_numbers(case) -> ModelProto:
    """An example's model with its small inputs as constants."""
    made = ModelProto()
    made.CopyFrom(case.model)
    for entry, array in zip(made.graph.input, case.data_sets[0][0], strict=False):
        small = isinstance(array, np.ndarray) and array.size <= _MAX_NUMBERS
        if small and array.dtype in (np.int64, np.int32, np.float32) and entry.name not in _DATA:
            made.graph.initializer.append(numpy_helper.from_array(array, entry.name))
    return _cleared(made)


def _computed(case) -> Iterator[str]:
    """An example's outputs against what ONNX's reference computes."""
    found = read_network(_with_numbers(case).SerializeToString()).outputs
    outputs = zip(found, case.model.graph.output, case.data_sets[0][1], strict=True)
    for tensor, entry, array in outputs:
        if isinstance(array, np.ndarray):
            yield _agrees(tensor, entry.type.tensor_type.elem_type, array.shape)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_no_example_of_any_operator_gets_another_shape_or_type():
    """To make the examples takes long: the library computes all of them when it is asked."""
    from onnx.backend.test.case.node import collect_testcases

    cases = [case for case in collect_testcases(None) if case.data_sets]
    verdicts = {case.name: list(_computed(case)) for case in cases}
    wrong = {name for name, found in verdicts.items() if set(found) - {"right", "unknown"}}
    counted = Counter(verdict for found in verdicts.values() for verdict in found)
    assert wrong == set()
    assert counted["right"] > 4 * counted["unknown"]


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.widen, self.out = nn.Linear(6, 48), nn.Linear(16, 5)

    def forward(self, x):
        batch, steps, _ = x.shape
        parts = self.widen(x).view(batch, steps, 3, 2, 8).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(parts[0] @ parts[1].transpose(-1, -2), -1)
        return self.out((weights @ parts[2]).transpose(1, 2).reshape(batch, steps, 16).mean(1))


class _UpAndDown(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.up = nn.Conv2d(3, 8, 3, padding=1), nn.ConvTranspose2d(2, 4, 3, 2, 1, 1)

    def forward(self, x):
        y = nn.functional.max_pool2d(self.conv(x), 3, 2, 1, ceil_mode=True)
        y = nn.functional.interpolate(self.up(nn.functional.pixel_shuffle(y, 2)), size=x.shape[2:])
        return y.flatten(2).chunk(2, dim=2)[1] + torch.zeros(x.shape[0], 1, 1)


class _Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 10, 2, batch_first=True, bidirectional=True)
        self.gru, self.out = nn.GRU(20, 7, batch_first=True), nn.Linear(7, 3)

    def forward(self, x):
        return self.out(self.gru(self.lstm(x)[0])[0][:, -1])


@pytest.mark.parametrize("open_batch", [False, True])
@pytest.mark.parametrize(
    ("make", "shape"),
    [(_Attention, (1, 20, 6)), (_UpAndDown, (1, 3, 15, 14)), (_Recurrent, (1, 20, 6))],
)
def test_shapes_that_torch_computes_in_the_graph_are_followed(make, shape, open_batch):
    network = make().eval()
    found = read_network(exported(network, shape, open_batch))
    assert found.outputs[0].shape == tuple(network(torch.zeros(shape)).shape)
    assert [tensor.name for tensor in found.tensors if not tensor.is_sized] == []


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([node("Conv", "x k", "y")], "the window is larger than the input"),
        ([node("Concat", "x k", "y", axis=0)], "other ranks"),
        ([node("Transpose", "x", "y", perm=[0, 0, 1])], "no permutation"),
        ([node("MaxPool", "x", "y", kernel_shape=[2], strides=[0])], "no stride"),
        ([node("Reshape", "x s", "y")], "not as many elements"),
        ([node("Gather", "x s", "y", axis=7)], "no such axis"),
        ([node("Unknown", "x", "y")], "no such operator"),
    ],
)
def test_a_node_that_contradicts_itself_has_an_unknown_shape(nodes, why):
    held = {"k": np.ones((1, 2, 9, 9), "f"), "s": np.array([5, 5])}
    try:
        network = read_network(file(nodes, [info("x", [1, 2, 4])], [info("y", None)], held))
    except FormatError as error:
        pytest.fail(f"{why}: {error}")
    assert not network.outputs[0].is_sized


def test_what_the_file_says_counts_where_there_is_no_rule():
    data = file([node("Unknown", "x", "y")], [info("x", [1, 2])], [info("y", ["batch", 7])])
    data_network = read_network(data)
    assert (data_network.outputs[0].shape, data_network.outputs[0].dtype) == ((-1, 7), "FLOAT32")
