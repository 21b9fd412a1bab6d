"""Which open lengths of a .onnx file are a batch of one, and which stay open."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto
from onnx import numpy_helper as arrays

from registry.footprint.description import Description, describe
from registry.formats.model_file import read_network
from tests.registry.onnx_files import file, graph, info, node

Shape = Sequence[int | str | None]
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def first_shape(*shape: int | str | None) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """What becomes of an input of that shape, and what is said of it."""
    network = read_network(file([node("Relu", "x", "y")], [info("x", shape)], [info("y", None)]))
    return network.inputs[0].shape, network.remarks


def recurrent(
    shape: Shape, before: Sequence[NodeProto] = (), operator: str = "LSTM", **attributes: int
) -> Description:
    """A recurrent layer of 4 features and 2 units that reads `s`, or else the input `x`."""
    source = "s" if before else "x"
    layer = node(operator, f"{source} w r", "y", hidden_size=2, **attributes)
    rows = 2 * GATES[operator]
    held = {"w": np.ones((1, rows, 4), "f"), "r": np.ones((1, rows, 2), "f")}
    held["four"] = np.ones((4, 4), "f")
    return describe(file([*before, layer], [info("x", shape)], [info("y", None)], held))


def macs_of_steps(steps: int, operator: str = "LSTM") -> int:
    return steps * 2 * GATES[operator] * (4 + 2)


@pytest.mark.parametrize(
    ("symbol", "remark"),
    [
        ("N", 'open first axis "N" taken as 1'),
        ("batch_size", 'open first axis "batch_size" taken as 1'),
        ("unk__12", 'open first axis "unk__12" taken as 1'),
        ("s0", 'open first axis "s0" taken as 1'),
        ("frames_dynamic_axes_1", 'open first axis "frames_dynamic_axes_1" taken as 1'),
        (None, 'open first axis of "x" taken as 1'),
    ],
)
def test_an_open_first_axis_is_taken_as_one_and_that_is_said(symbol, remark):
    assert first_shape(symbol, 3) == ((1, 3), (remark,))


OTHERS = ["seq_len", "sequence", "Time", "timesteps", "n_steps", "num_frames", "height", "maxLen"]
OTHERS += ["image_width", "T", "H", "batch*seq_len", "batch_frames"]


@pytest.mark.parametrize("symbol", OTHERS)
def test_a_symbol_that_names_something_else_stays_open(symbol):
    assert first_shape(symbol, 3) == ((-1, 3), ())
    assert first_shape("N", symbol)[0] == (1, -1)


def test_a_batch_elsewhere_is_one_too_and_is_told_apart():
    assert first_shape(3, "batch") == ((3, 1), ('open axis "batch" taken as 1',))
    assert first_shape(2, 3) == ((2, 3), ())


@given(st.text("abcdefgh_", max_size=12), st.sampled_from(["seq", "frame", "height", "step"]))
def test_no_letters_around_such_a_word_make_it_a_batch(letters, word):
    assert first_shape(f"{letters}{word}", 3) == ((-1, 3), ())
    assert first_shape(f"{word}{letters}", 3) == ((-1, 3), ())


def test_the_rows_of_a_picture_are_not_counted_as_one():
    nodes = [
        node("Transpose", "x", "t", perm=[2, 0, 1]),
        node("Unsqueeze", "t first", "u"),
        node("Conv", "u w", "y"),
    ]
    held = {"w": np.ones((8, 3, 1, 1), "f"), "first": np.array([0])}

    def described(height: int | str) -> Description:
        return describe(file(nodes, [info("x", [height, 32, 3])], [info("y", None)], held))

    assert described(4).macs == 4 * 32 * 3 * 8
    assert described("height").macs is None


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("symbol", ["N", "unk__1", "batch", None])
def test_the_first_axis_of_a_recurrent_layer_is_time_whatever_it_is_called(operator, symbol):
    assert recurrent([5, 1, 4], operator=operator).macs == macs_of_steps(5, operator)
    found = recurrent([symbol, 1, 4], operator=operator)
    assert (found.macs, found.network.remarks) == (None, ())
    assert found.inputs[0].shape == (-1, 1, 4)


def test_with_the_other_layout_the_first_axis_is_the_batch():
    found = recurrent(["N", 5, 4], layout=1)
    assert found.macs == macs_of_steps(5)
    assert found.network.remarks == ('open first axis "N" taken as 1',)


TURNED = [node("Transpose", "x", "s", perm=[1, 0, 2])]


def test_a_batch_that_is_turned_behind_time_is_one():
    assert recurrent(["N", 5, 4], TURNED).macs == macs_of_steps(5)
    assert recurrent(["N", "k", 4], TURNED).macs is None


@pytest.mark.parametrize(
    "before",
    [
        [node("Relu", "x", "s")],
        [node("MatMul", "x four", "s")],
        [node("Add", "x four", "s")],
        [node("Transpose", "x", "t", perm=[1, 0, 2]), node("Transpose", "t", "s", perm=[1, 0, 2])],
    ],
    ids=lambda nodes: "-".join(each.op_type for each in nodes),
)
def test_time_is_followed_through_what_keeps_or_turns_it(before):
    assert recurrent(["N", 1, 4], before).macs is None


def constant(name: str, number: int) -> NodeProto:
    return node("Constant", "", name, value=arrays.from_array(np.array([number])))


def test_time_is_followed_through_an_axis_that_is_added():
    alone = [constant("at", 1), node("Unsqueeze", "x at", "s")]
    assert recurrent([5, 4], alone).macs == macs_of_steps(5)
    assert recurrent(["N", 4], alone).macs is None


def test_time_is_followed_through_an_axis_that_is_taken_away():
    less = [constant("at", 0), node("Squeeze", "x at", "s")]
    assert recurrent([1, 5, 1, 4], less).macs == macs_of_steps(5)
    assert recurrent([1, "n", 1, 4], less).macs is None
    assert recurrent([1, 5, "n", 4], less).macs == macs_of_steps(5)


def test_a_batch_behind_one_step_that_is_added_is_one():
    alone = [constant("at", 0), node("Unsqueeze", "x at", "s")]
    found = recurrent(["N", 4], alone)
    assert (found.macs, found.inputs[0].shape) == (macs_of_steps(1), (1, 4))


@pytest.mark.parametrize("at", [np.array([np.inf]), np.array([-1]), np.array([[1]]), np.array([])])
def test_axes_that_cannot_be_followed_leave_the_convention(at):
    lost = [
        node("Constant", "", "at", value=arrays.from_array(at)),
        node("Unsqueeze", "x at", "s"),
    ]
    assert recurrent(["N", 4], lost).inputs[0].shape == (1, 4)


def test_time_is_seen_inside_a_branch():
    branch = graph([node("LSTM", "x w r", "b", hidden_size=2)], [], [info("b", None)])
    held = {"w": np.ones((1, 8, 4), "f"), "r": np.ones((1, 8, 2), "f")}
    data = file(
        [node("If", "go", "y", then_branch=branch, else_branch=branch)],
        [info("x", ["N", 1, 4]), info("go", [], onnx.TensorProto.BOOL)],
        [info("y", None)],
        held,
    )
    assert read_network(data).inputs[0].shape == (-1, 1, 4)


def test_a_symbol_that_is_time_somewhere_is_a_batch_nowhere():
    held = {"w": np.ones((1, 8, 4), "f"), "r": np.ones((1, 8, 2), "f")}
    nodes = [node("LSTM", "x w r", "y", hidden_size=2), node("Relu", "z", "u")]
    inputs = [info("x", ["N", 1, 4]), info("z", ["N", 3])]
    network = read_network(file(nodes, inputs, [info("y", None), info("u", None)], held))
    assert [tensor.shape for tensor in network.inputs] == [(-1, 1, 4), (-1, 3)]


def test_the_command_says_what_was_taken(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(file([node("Relu", "x", "y")], [info("x", ["[N]", 3])], [info("y", None)]))

    def run(*options: str) -> str:
        out = io.StringIO()
        call_command("describe", str(path), *options, stdout=out)
        return out.getvalue()

    assert json.loads(run("--json"))["remarks"] == ['open first axis "[N]" taken as 1']
    assert 'Remark: open first axis "[N]" taken as 1' in run()


def test_a_real_network_with_an_open_batch_keeps_its_figures(data_dir):
    described = describe((data_dir / "magic-wand/model.onnx").read_bytes())
    made = onnx.load(data_dir / "magic-wand/model.onnx")
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    assert describe(made.SerializeToString()).macs == described.macs
