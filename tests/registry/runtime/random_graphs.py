"""Networks of many operators, drawn at random: chains, branches, several outputs, control flow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from tests.registry.runtime.cases import Case
from tests.registry.runtime.schema import Call, Graph, Spec, whole, write_network


class _Growing:
    """A graph to which operators are added, each on a tensor that is there."""

    def __init__(self, random: Random, dtype: str) -> None:
        self._random = random
        sizes = random.randint(3, 9), random.randint(3, 9), random.choice((1, 3, 8))
        self.tensors = [Spec((1, *sizes), dtype)]
        self.calls: list[Call] = []
        self.open = [0]

    def graph(self) -> Graph:
        """With what nothing reads, and sometimes one thing more, as its outputs."""
        read = {index for call in self.calls for index in call.inputs}
        written = [index for call in self.calls for index in call.outputs]
        left = [index for index in written if index not in read]
        if self._random.random() < 0.3:
            left = list(dict.fromkeys([*left, self._random.choice(written)]))
        return Graph(self.tensors, self.calls, (0,), tuple(left))

    def grow(self) -> None:
        """One operator more."""
        index = self._random.choice(self.open[-3:])
        steps = [self._activate, self._join, self._convolve, self._pool, self._concatenate]
        steps += [self._reshape, self._dense, self._average]
        self._random.choice(steps)(index)

    def _add(
        self, operator: str, inputs: list[int], shape: tuple[int, ...], **more: object
    ) -> None:
        options = str(more.pop("options", ""))
        self.tensors.append(replace(self.tensors[0], shape=shape))
        self.open.append(len(self.tensors) - 1)
        self.calls.append(Call(operator, tuple(inputs), (self.open[-1],), options, dict(more)))

    def _constant(self, spec: Spec) -> int:
        self.tensors.append(spec)
        return len(self.tensors) - 1

    def _activate(self, index: int) -> None:
        self._add(self._random.choice(("RELU", "RELU6", "ABS")), [index], self.tensors[index].shape)

    def _join(self, index: int) -> None:
        shape = self.tensors[index].shape
        others = [other for other in self.open if self.tensors[other].shape == shape]
        name = self._random.choice(("Add", "Mul", "Sub"))
        options = {"options": f"{name}Options"}
        self._add(name.upper(), [index, self._random.choice(others)], shape, **options)

    def _convolve(self, index: int) -> None:
        shape = self.tensors[index].shape
        if len(shape) != 4:
            self._activate(index)
            return
        filters = self._random.choice((1, 4, 7))
        size = self._random.choice((1, 3))
        weight = "FLOAT32" if self.tensors[0].dtype == "FLOAT32" else "INT8"
        kernel = Spec(
            (filters, size, size, shape[3]), weight, constant=True, scales=(0.5,) * filters
        )
        strides = {"strideH": 1, "strideW": 1, "options": "Conv2DOptions"}
        self._add("CONV_2D", [index, self._constant(kernel)], (*shape[:3], filters), **strides)

    def _pool(self, index: int) -> None:
        shape = self.tensors[index].shape
        if len(shape) != 4:
            self._activate(index)
            return
        values: dict[str, Any] = {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
        values |= {"options": "Pool2DOptions"}
        halved = (1, -(-shape[1] // 2), -(-shape[2] // 2), shape[3])
        self._add(
            self._random.choice(("MAX_POOL_2D", "AVERAGE_POOL_2D")), [index], halved, **values
        )

    def _concatenate(self, index: int) -> None:
        shape = self.tensors[index].shape
        others = [other for other in self.open if self.tensors[other].shape == shape]
        count = self._random.randint(1, 3)
        parts = [index, *self._random.choices(others, k=count)]
        joined = (*shape[:-1], shape[-1] * len(parts))
        self._add("CONCATENATION", parts, joined, options="ConcatenationOptions", axis=-1)

    def _reshape(self, index: int) -> None:
        shape = (1, self.tensors[index].elements)
        self._add("RESHAPE", [index, self._constant(whole(shape))], shape)

    def _dense(self, index: int) -> None:
        shape = self.tensors[index].shape
        units = self._random.choice((1, 5, 16))
        weight = "FLOAT32" if self.tensors[0].dtype == "FLOAT32" else "INT8"
        kernel = self._constant(Spec((units, shape[-1]), weight, constant=True))
        options = {"options": "FullyConnectedOptions", "keepNumDims": True}
        self._add("FULLY_CONNECTED", [index, kernel], (*shape[:-1], units), **options)

    def _average(self, index: int) -> None:
        shape = self.tensors[index].shape
        axis = self._constant(whole((1,)))
        kept = {"options": "ReducerOptions", "keepDims": True}
        self._add("MEAN", [index, axis], (shape[0], 1, *shape[2:]), **kept)


def grown(random: Random, number: int) -> Case:
    """A network of up to twenty operators."""
    graph = _grown_graph(random)
    return Case(f"random {number} of {len(graph.calls)} operators", partial(write_network, graph))


def _grown_graph(random: Random) -> Graph:
    growing = _Growing(random, random.choice(("FLOAT32", "INT8", "INT16")))
    for _ in range(random.randint(1, 20)):
        growing.grow()
    return growing.graph()


def branching(random: Random, number: int) -> Case:
    """A network whose first function chooses between two others, repeats one, or runs one once."""
    data = Spec((1, random.choice((4, 20, 100))), random.choice(("FLOAT32", "INT8")))
    functions = [_function(random, data) for _ in range(2)]
    kind = random.choice(("if", "while", "once"))
    if kind == "if":
        graphs = [_chooser(data), *functions]
    elif kind == "while":
        stops = Graph([data, Spec((1,), "BOOL", (0,), True)], [], (0,), (1,))
        graphs = [_repeater(data), stops, functions[0]]
    else:
        graphs = [_beginner(data), _beginning(data)]
    return Case(f"{kind} {number}", partial(write_network, *graphs))


def _function(random: Random, data: Spec) -> Graph:
    steps = random.randint(1, 4)
    calls = [Call(random.choice(("RELU", "ABS")), (n,), (n + 1,)) for n in range(steps)]
    return Graph([data] * (steps + 1), calls, (0,), (steps,))


def _chooser(data: Spec) -> Graph:
    values = {"thenSubgraphIndex": 1, "elseSubgraphIndex": 2}
    call = Call("IF", (0, 1), (2,), "IfOptions", values)
    return Graph([Spec((1,), "BOOL"), data, data], [call], (0, 1), (2,))


def _repeater(data: Spec) -> Graph:
    values = {"condSubgraphIndex": 1, "bodySubgraphIndex": 2}
    before = Call("ABS", (0,), (1,))
    call = Call("WHILE", (1,), (2,), "WhileOptions", values)
    return Graph([data] * 3, [before, call], (0,), (2,))


def _beginner(data: Spec) -> Graph:
    once = Call("CALL_ONCE", (), (), "CallOnceOptions", {"initSubgraphIndex": 1})
    return Graph([data, data], [once, Call("ABS", (0,), (1,))], (0,), (1,))


def _beginning(data: Spec) -> Graph:
    return Graph([data.fixed(), data], [Call("ABS", (0,), (1,))], (), ())


def random_networks(random: Random, count: int) -> Iterator[Case]:
    """So many; every fourth has functions."""
    for number in range(count):
        yield (branching if number % 4 == 3 else grown)(random, number)
