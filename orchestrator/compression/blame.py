"""Which layer of a network, and which operator in it, a converter stumbled over.

Converters raise from deep inside themselves. Where they walk a traced graph, the frames of the
traceback hold its node, which knows its operator and the layers that it stands in; where they still
trace, the frames are those of the layers themselves. Those written in C++ say a line of code.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType, TracebackType

from torch import fx, nn

from registry.formats.model_file import read_network

_LOCATED = re.compile(r"(\S+):(\d+):\d+: error: '([\w.]+)' op")
_SOME = 5


@dataclass(frozen=True, slots=True)
class Blame:
    """`layer` is its name in the network, empty for the network itself; `operator` is torch's name,
    or the line of code that cannot be traced."""

    layer: str
    kind: str
    operator: str

    def __str__(self) -> str:
        where = f"layer {self.layer} ({self.kind})" if self.layer else f"the network ({self.kind})"
        return f"{where}, operator {self.operator}"


def blame(error: BaseException, network: nn.Module) -> Blame | None:
    """What the deepest frame that tells says; None where none does."""
    frames = list(_frames(error.__traceback__))
    nodes = (found for frame, _ in reversed(frames) if (found := _node(frame)) is not None)
    node = next(nodes, None)
    if node is not None:
        return _of_node(node, network)
    return _of_location(str(error), network) or _of_code(frames, network)


def without_location(said: str) -> str:
    """A message without the place in some file that stands in it: the layer is told instead."""
    return _LOCATED.sub(r"'\3' op", said)


def blame_operator(said: str, model: bytes, network: nn.Module) -> Blame | None:
    """The operator of a .tflite that a message names, with the layer that its tensors name."""
    graph = read_network(model)
    for operator in graph.operators:
        if f"'{operator.name}'" in said:
            indices = (*operator.outputs, *operator.inputs)
            tensors = (graph.main.tensor(index) for index in indices)
            layers = (_layer_of_tensor(each.name, network) for each in tensors if each is not None)
            layer = next((name for name in layers if name), "")
            return Blame(layer, type(network.get_submodule(layer)).__name__, operator.name)
    return None


def _layer_of_tensor(tensor: str, network: nn.Module) -> str:
    """litert-torch names tensors by kind and name of the layers that they come from:
    `Net/Sequential_body/Conv2d_0;3` is of the layer body.0."""
    layer: list[str] = []
    for part in tensor.partition(";")[0].split("/")[1:]:
        children = dict(network.named_children())
        fitting = [name for name in children if part.endswith(f"_{name}")]
        if not fitting:
            break
        layer.append(max(fitting, key=len))
        network = children[layer[-1]]
    return ".".join(layer)


def _frames(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _node(frame: FrameType) -> fx.Node | None:
    found = (frame.f_locals.get(name) for name in ("node", "n"))
    return next((each for each in found if isinstance(each, fx.Node)), None)


def _of_node(node: fx.Node, network: nn.Module) -> Blame:
    """The last of the layers that it stands in; their names come from the network's root."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    layer = stack[-1][0] if stack else ""
    kinds = {name: type(each).__name__ for name, each in network.named_modules()}
    return Blame(layer, kinds.get(layer, type(network).__name__), str(node.target))


def _of_location(said: str, network: nn.Module) -> Blame | None:
    """All layers whose `forward` holds the line: one, unless there are several of that kind."""
    found = _LOCATED.search(said)
    if found is None:
        return None
    file, line, operator = found[1], int(found[2]), found[3]
    layers = {
        name: each
        for name, each in network.named_modules()
        if _holds(getattr(type(each).forward, "__code__", None), file, line)
    }
    if not layers:
        return None
    some = list(layers)[:_SOME]
    more = " or another" if len(layers) > _SOME else ""
    return Blame(" or ".join(some) + more, type(layers[some[0]]).__name__, operator)


def _holds(code: CodeType | None, file: str, line: int) -> bool:
    if code is None or code.co_filename != file:
        return False
    return line in {number for _, _, number in code.co_lines()}


def _of_code(frames: list[tuple[FrameType, int]], network: nn.Module) -> Blame | None:
    names = {id(each): name for name, each in network.named_modules()}
    for frame, line in reversed(frames):
        layer = frame.f_locals.get(next(iter(frame.f_code.co_varnames), ""))
        if id(layer) in names and frame.f_code.co_name == "forward":
            code = linecache.getline(frame.f_code.co_filename, line).strip()
            told = f"in `{code}`" if code else f"in line {line}"
            return Blame(names[id(layer)], type(layer).__name__, told)
    return None
