"""Networks of one operator: how they are written and named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.registry.runtime.schema import Call, Graph, Spec, write_network

TYPES = ("FLOAT32", "INT8", "INT16", "INT32", "INT64", "UINT8", "BOOL", "FLOAT16", "UINT32", "INT4")


BIAS = {"INT8": "INT32", "INT16": "INT64", "FLOAT32": "FLOAT32"}


SHAPES = ((1, 4, 4, 8), (3, 5), (24,), ())


@dataclass(frozen=True, slots=True)
class Case:
    """A network and what is in it."""

    name: str
    write: Callable[[], bytes] = field(repr=False)

    @property
    def network(self) -> bytes:
        """The file, written anew at each call: most networks of a sweep are not asked about."""
        return self.write()

    @property
    def operator(self) -> str:
        """The one that a network of a single one is named for."""
        return self.name.partition(" ")[0]


def one(
    operator: str,
    inputs: Sequence[Spec | None],
    outputs: Sequence[Spec],
    options: str = "",
    intermediates: Sequence[Spec] = (),
    **values: Any,
) -> Case:
    """The network of that operator; inputs without contents are the network's own."""
    tensors = [spec for spec in inputs if spec is not None]
    places = iter(range(len(tensors)))
    reads = tuple(-1 if spec is None else next(places) for spec in inputs)
    writes = tuple(range(len(tensors), len(tensors) + len(outputs)))
    between = tuple(range(writes[-1] + 1, writes[-1] + 1 + len(intermediates)))
    fed = tuple(n for n, spec in enumerate(tensors) if not spec.constant and not spec.variable)
    call = Call(operator, reads, writes, options, values, between)
    graph = Graph([*tensors, *outputs, *intermediates], [call], fed, writes)
    shown = "+".join("-" if spec is None else _shown(spec) for spec in inputs)
    more = " ".join(f"{name}={value}" for name, value in values.items())
    return Case(
        f"{operator} {shown} > {_shown(outputs[0])} {more}".strip(), partial(write_network, graph)
    )


def _shown(spec: Spec) -> str:
    mark = "k" if spec.constant else "v" if spec.variable else ""
    scales = f"*{len(spec.quantization)}" if len(spec.quantization) != 1 else ""
    return f"{spec.dtype}{mark}{list(spec.shape)}{scales}".replace(" ", "")


def scaled_bias(size: int, dtype: str, channels: int) -> Spec:
    """With the scales of input times weights."""
    return Spec((size,), dtype, constant=True, scales=(0.25,) * channels)
