"""Functions that a file defines for itself give way to what is inside them."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, helper, inliner

from registry.footprint.description import describe
from registry.formats.errors import FormatError
from registry.formats.model_file import read_network
from registry.formats.network import UNDEFINED
from registry.formats.onnx.functions import MAX_UNFOLDED
from tests.registry.onnx_files import graph, info, model, node

DOMAIN = "org.example"


def function(name: str, inputs: str, outputs: str, nodes: list, attributes=(), **more):
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_function(
        DOMAIN, name, inputs.split(), outputs.split(), nodes, opsets, list(attributes), **more
    )


def call(name: str, inputs: str, outputs: str, **attributes):
    return node(name, inputs, outputs, domain=DOMAIN, **attributes)


def calling(functions: list, nodes: list, constants=None) -> onnx.ModelProto:
    made = model(nodes, [info("x", [1, 4])], [info("y", None)], constants)
    made.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    made.functions.extend(functions)
    return made


def referring(operator: str, inputs: str, outputs: str, attribute: str):
    """A node whose attribute is what the caller says."""
    made = node(operator, inputs, outputs)
    made.attribute.append(
        AttributeProto(name=attribute, ref_attr_name=attribute, type=AttributeProto.INT)
    )
    return made


def layers() -> onnx.ModelProto:
    """Two dense layers by one function, which calls another; the second leaves the bias out."""
    scale = function("scale", "v", "s", [node("Mul", "v v", "inner"), node("Relu", "inner", "s")])
    dense = function(
        "dense",
        "v w b",
        "r",
        [referring("Gemm", "v w b", "inner", "transB"), call("scale", "inner", "r")],
        ["transB"],
    )
    nodes = [call("dense", "x w1 b1", "h", transB=1), call("dense", "h w2", "y", transB=0)]
    held = {
        "w1": np.ones((3, 4), "f"),
        "b1": np.ones(3, "f"),
        "w2": np.ones((3, 2), "f"),
    }
    return calling([scale, dense], nodes, held)


def test_a_call_gives_way_to_the_body():
    network = read_network(layers().SerializeToString())
    assert network.operator_versions == dict.fromkeys(("Gemm", "Mul", "Relu"), 17)
    assert network.outputs[0].shape == (1, 2)
    assert UNDEFINED not in network.dtypes


def test_it_is_described_as_if_there_were_no_functions():
    """The peer is ONNX's own inliner."""
    ours = describe(layers().SerializeToString())
    theirs = describe(inliner.inline_local_functions(layers()).SerializeToString())
    assert (ours.macs, ours.parameters) == (theirs.macs, theirs.parameters) == (18, 21)
    assert ours.operators == theirs.operators
    assert ours.peak_activation_bytes == theirs.peak_activation_bytes


def test_a_branch_inside_a_function_sees_the_callers_tensors():
    branch = graph([node("MatMul", "v w", "b")], [], [info("b", None)])
    choose = function(
        "choose", "c v w", "r", [node("If", "c", "r", then_branch=branch, else_branch=branch)]
    )
    held = {"w": np.ones((4, 2), "f"), "yes": np.array(True)}
    made = calling([choose], [call("choose", "yes x w", "y")], held)
    network = read_network(made.SerializeToString())
    assert network.outputs[0].shape == (1, 2)
    assert describe(made.SerializeToString()).macs == 2 * 8


@pytest.mark.parametrize(
    ("functions", "what"),
    [
        ([("f", "f")], "the function 'f' calls itself"),
        ([("f", "g"), ("g", "f")], "the function 'f' calls itself"),
    ],
)
def test_functions_that_call_themselves_are_refused(functions, what):
    made = [function(name, "v", "r", [call(inner, "v", "r")]) for name, inner in functions]
    with pytest.raises(FormatError, match=what):
        read_network(calling(made, [call("f", "x", "y")]).SerializeToString())


def test_a_function_that_calls_itself_in_a_branch_is_refused():
    branch = graph([call("f", "v", "b")], [], [info("b", None)])
    nodes = [node("If", "v", "r", then_branch=branch, else_branch=branch)]
    made = calling([function("f", "v", "r", nodes)], [call("f", "x", "y")])
    with pytest.raises(FormatError, match="deep in each other|unfold to more than"):
        read_network(made.SerializeToString())


def test_a_long_list_in_a_function_counts_at_each_call():
    long = node("Transpose", "v", "r", perm=list(range(MAX_UNFOLDED // 8)))
    calls = [call("f", f"x{n or ''}", f"x{n + 1}") for n in range(10)]
    with pytest.raises(FormatError, match="unfold to more than"):
        read_network(calling([function("f", "v", "r", [long])], calls).SerializeToString())


def test_functions_of_functions_end_somewhere():
    """Thirty functions, each of which calls the next one twice, would be a billion nodes."""
    made = [
        function(f"f{n}", "v", "r", [call(f"f{n + 1}", "v", "i"), call(f"f{n + 1}", "i", "r")])
        for n in range(30)
    ]
    made.append(function("f30", "v", "r", [node("Relu", "v", "r")]))
    began = time.process_time()
    with pytest.raises(FormatError, match=f"unfold to more than {MAX_UNFOLDED}"):
        read_network(calling(made, [call("f0", "x", "y")]).SerializeToString())
    assert time.process_time() - began < 20
