"""The batch: which lengths that a file leaves open are one, and what is to be said of that.

A network runs on one sample at a time here. By convention the first axis of its inputs is the
batch; what symbols or recurrent layers say against that counts more, since a length that is guessed
makes figures wrong that are not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from registry.formats.onnx.declared import declared_value, dimensions, is_open
from registry.formats.onnx.time_axes import time_axes
from registry.formats.onnx.values import Value
from registry.formats.tflite_names import text
from registry.formats.tree import Node

_BATCH_NAMES = re.compile("n|b|bs")
# Symbols that name another axis are one of these, or have one of those in them: `T`, `seq_len`.
_OTHER_NAMES = re.compile("[cdhltw]")
_OTHER_WORDS = re.compile(
    "channel|char|col|depth|frame|height|len|node|pixel|point|row|seq|step|time|token|width|window"
    "|word|[*+/]"
)
# torch makes up INPUT_dynamic_axes_1 where nobody names an axis: the input's name says nothing.
_MADE_UP = "_dynamic_axes_"


@dataclass(frozen=True, slots=True)
class Batch:
    """Symbols that stand for one, inputs whose nameless first axis is one, and both in words."""

    symbols: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _OpenAxis:
    """An axis of an input whose length the file leaves open; the symbol may be empty."""

    owner: str
    position: int
    symbol: str

    def __str__(self) -> str:
        order = "first axis" if self.position == 0 else "axis"
        name = f'"{self.symbol}"' if self.symbol else f'of "{self.owner}"'
        return text(f"open {order} {name} taken as 1")


def find_batch(
    inputs: Iterable[Node], nodes: Sequence[Node], initializers: Iterable[Node]
) -> Batch:
    """The batch of a network with these inputs, nodes and constants."""
    times = time_axes(nodes, initializers)
    axes = [axis for entry in inputs for axis in _open_axes(entry)]
    timed = {axis.symbol for axis in axes if (axis.owner, axis.position) in times} - {""}
    taken = [
        axis
        for axis in axes
        if _is_batch(axis) and (axis.owner, axis.position) not in times and axis.symbol not in timed
    ]
    return Batch(
        symbols=frozenset(axis.symbol for axis in taken) - {""},
        inputs=frozenset(axis.owner for axis in taken if not axis.symbol),
        remarks=tuple(dict.fromkeys(map(str, taken))),
    )


def input_value(entry: Node, batch: Batch, where: str) -> Value:
    """Type and shape of a network's own input. Raises FormatError for an impossible one."""
    value = declared_value(entry, batch.symbols, where)
    if value.shape and entry.get("name", "") in batch.inputs:
        return replace(value, shape=(1, *value.shape[1:]))
    return value


def _open_axes(entry: Node) -> Iterator[_OpenAxis]:
    for position, dim in enumerate(dimensions(entry)):
        if is_open(dim):
            yield _OpenAxis(entry.get("name", ""), position, dim.get("dim_param", ""))


def _is_batch(axis: _OpenAxis) -> bool:
    name = axis.symbol.lower()
    if _MADE_UP in name:
        return axis.position == 0
    if _OTHER_NAMES.fullmatch(name) or _OTHER_WORDS.search(name):
        return False
    return axis.position == 0 or "batch" in name or bool(_BATCH_NAMES.fullmatch(name))
