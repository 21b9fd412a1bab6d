"""Which open lengths of a .onnx file are a batch of one, and which stay open."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st
from onnx import NodeProto
from onnx import numpy_helper as arrays

from registry.footprint.description import Description, describe
from registry.formats.model_file import read_network
from tests.registry.onnx_files import file, graph, info, node
from tests.registry.torch_exports import exported

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


def constant(name: str, *numbers: int) -> NodeProto:
    return node("Constant", "", name, value=arrays.from_array(np.array(numbers)))


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


@pytest.mark.parametrize("at", [np.array([np.inf]), np.array([-3]), np.array([[1]]), np.array([])])
def test_axes_that_cannot_be_followed_leave_the_convention(at):
    lost = [
        node("Constant", "", "at", value=arrays.from_array(at)),
        node("Unsqueeze", "x at", "s"),
    ]
    assert recurrent(["N", 4], lost).inputs[0].shape == (1, 4)


LAST = [constant("from", 0), constant("to", 9), constant("axis", 0)]
FORMS = {
    "Flatten": ([node("Flatten", "x", "f"), constant("at", 1), node("Unsqueeze", "f at", "s")], 1),
    "Reshape": ([constant("to", -1, 1, 4), node("Reshape", "x to", "s")], 1),
    "copied": ([constant("to", 0, 1, 4), node("Reshape", "x to", "s")], 1),
    "behind one": (
        [
            constant("to", 1, -1, 4),
            node("Reshape", "x to", "b"),
            node("Transpose", "b", "s", perm=[1, 0, 2]),
        ],
        1,
    ),
    "Slice": ([*LAST, node("Slice", "x from to axis", "s")], 1),
    "Concat": ([node("Split", "x", "a b", axis=2), node("Concat", "b a", "s", axis=2)], 1),
    "Gather": ([constant("at", 0), node("Gather", "x at", "s", axis=1)], 1),
    "ReduceMean": (
        [node("ReduceMean", "x", "f", axes=[1], keepdims=0), node("Unsqueeze", "f one", "s")],
        1,
    ),
    "stacked": ([node("Unsqueeze", "x last", "u"), node("Squeeze", "u last", "s")], 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_time_is_followed_through_changes_of_form(form):
    before, batch = FORMS[form]
    before = [constant("one", 1), constant("last", -1), *before]
    assert recurrent([5, batch, 4], before).macs == macs_of_steps(5)
    assert recurrent(["N", batch, 4], before).macs is None


def test_a_length_that_is_stated_is_no_open_time():
    steps = [constant("to", 5, -1, 4), node("Reshape", "x to", "s")]
    found = recurrent(["N", 20], steps)
    assert (found.macs, found.inputs[0].shape) == (macs_of_steps(5), (1, 20))


class Frames(torch.nn.Module):
    """A network that sees frame after frame of an unbatched recording."""

    def __init__(self, look) -> None:
        super().__init__()
        self.look = look
        self.remember = torch.nn.LSTM(64, 8)
        self.say = torch.nn.Linear(8, 5)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.say(self.remember(self.look(frames))[0][-1])


def _halves(x: torch.Tensor) -> torch.Tensor:
    left, right = x.flatten(1).chunk(2, -1)
    return torch.cat([right, left], -1)


LOOKS = {
    "flatten": lambda x: x.flatten(1),
    "reshape": lambda x: x.reshape(-1, 64),
    "view": lambda x: x.view(x.shape[0], 64),
    "one by one": lambda x: x.reshape(-1, 1, 64),
    "halves": _halves,
    "without the first": lambda x: x.flatten(1)[1:],
    "stacked": lambda x: torch.stack([x[..., n] for n in range(8)], -1).flatten(1),
    "convolved": lambda x: torch.nn.functional.max_pool2d(x.unsqueeze(1), 1).flatten(1),
}


@pytest.mark.parametrize("look", LOOKS)
def test_frames_that_torch_exports_are_no_batch(look):
    network = Frames(LOOKS[look])
    assert describe(exported(network, (20, 8, 8))).macs
    left_open = describe(exported(network, (20, 8, 8), open_batch=True))
    assert left_open.network.inputs[0].shape == (-1, 8, 8)
    assert (left_open.macs, left_open.network.remarks) == (None, ())


class Spotter(torch.nn.Module):
    """A keyword spotter: convolution, flattened, a recurrent layer, its last step, a class."""

    def __init__(self, layer: type[torch.nn.RNNBase], batch_first: bool) -> None:
        super().__init__()
        self.hear = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.remember = layer(40, 8, batch_first=batch_first)
        self.say = torch.nn.Linear(8, 5)
        self.batch_first = batch_first

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        order = (0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3)
        heard = self.remember(self.hear(sound).permute(order).flatten(2))[0]
        return self.say(heard[:, -1] if self.batch_first else heard[-1])


@pytest.mark.parametrize("layer", [torch.nn.LSTM, torch.nn.GRU], ids=["LSTM", "GRU"])
@pytest.mark.parametrize("batch_first", [True, False])
def test_the_batch_of_a_keyword_spotter_is_one(layer, batch_first):
    network = Spotter(layer, batch_first)
    fixed = describe(exported(network, (1, 1, 20, 10)))
    left_open = describe(exported(network, (1, 1, 20, 10), open_batch=True))
    assert fixed.macs
    assert left_open.macs == fixed.macs
    assert left_open.network.remarks == ('open first axis "batch" taken as 1',)


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
