"""Layers that slide a window over a map: what patches and sparse updates are counted by."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from registry.footprint.activations import activation_timeline
from registry.footprint.operands import input_tensor, output_tensor
from registry.formats.network import Network, Operator, Tensor

Size: TypeAlias = tuple[int, int]  # rows, columns

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})
# What takes no memory of its own where maps are computed piece by piece.
_PADDINGS = frozenset({"PAD", "PADV2"})
_ELEMENTWISE = frozenset({"RELU", "RELU6", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE", "RESHAPE"})
_IN_PASSING = _PADDINGS | _ELEMENTWISE


@dataclass(frozen=True, slots=True)
class MapLayer:
    """A convolution or a pooling. `groups` is the number of channels of a depthwise one."""

    in_channels: int
    out_channels: int
    groups: int
    kernel: Size
    stride: Size
    in_size: Size
    out_size: Size
    dilation: Size = (1, 1)
    has_weights: bool = True
    element_bytes: int = 1

    @property
    def works_in_place(self) -> bool:
        """A depthwise convolution writes each channel over the one that it has read."""
        return self.has_weights and self.groups == self.in_channels == self.out_channels

    @property
    def weights(self) -> int:
        """How many weights there are, biases left out."""
        if not self.has_weights:
            return 0
        return math.prod(self.kernel) * self.in_channels // self.groups * self.out_channels

    @property
    def in_elements(self) -> int:
        """How many values it reads."""
        return math.prod(self.in_size) * self.in_channels

    @property
    def out_elements(self) -> int:
        """How many values it gives."""
        return math.prod(self.out_size) * self.out_channels

    def in_bytes(self, size: Size) -> int:
        """What a part of its input of that size takes."""
        return math.prod(size) * self.in_channels * self.element_bytes

    def out_bytes(self, size: Size) -> int:
        """What a part of its output of that size takes."""
        return math.prod(size) * self.out_channels * self.element_bytes

    def macs(self, size: Size) -> int:
        """Multiply-accumulates of a part of its output of that size."""
        return math.prod(size) * self.weights

    def reads(self, size: Size) -> Size:
        """The part of its input that a part of its output is made of; no more than there is."""
        if size == self.out_size:
            return self.in_size
        rows, columns = (
            min((length - 1) * step + (taps - 1) * gap + 1, whole)
            for length, step, taps, gap, whole in zip(
                size, self.stride, self.kernel, self.dilation, self.in_size, strict=True
            )
        )
        return rows, columns


@dataclass(frozen=True, slots=True)
class MapChain:
    """Layers one behind the other from the network's input on.

    In each residual block, (first, last), the input of the first layer is added to the output of
    the last one. `rest_bytes` is the most that is alive at once behind these layers.
    """

    layers: tuple[MapLayer, ...]
    residuals: tuple[tuple[int, int], ...] = ()
    rest_bytes: int = 0


def map_chain(network: Network) -> MapChain | None:
    """The chain of layers with which a .tflite network begins, as long as nothing branches off.

    Tensors that are reshaped before the first layer, padded or activated take no memory of their
    own. None where it does not begin with such a layer, or how large its tensors are is not known.
    """
    timeline = activation_timeline(network)
    if not timeline or len(network.inputs) != 1:
        return None
    walk = _Walk(network)
    end = next((link for link in reversed(list(walk.links())) if walk.may_end(link)), None)
    if end is None:
        return None
    rest_bytes = max(timeline[end.operator + 1 :], default=0)
    return MapChain(tuple(walk.layers[: end.layers]), tuple(sorted(end.residuals)), rest_bytes)


@dataclass(frozen=True, slots=True)
class _Link:
    """How far a walk has come: by which operator, to which tensor, past how many layers."""

    operator: int
    tensor: int
    layers: int
    residuals: frozenset[tuple[int, int]]


class _Walk:
    """Follows a network from its input on, operator by operator."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.layers: list[MapLayer] = []
        self._residuals: set[tuple[int, int]] = set()
        self._tensor = network.inputs[0].index
        self._source = network.inputs[0]  # what the next layer reads, before any padding
        self._layers_before = {self._tensor: 0}
        self._made_by = {self._tensor: -1}
        self._last_use = {
            index: operator.index for operator in network.operators for index in operator.inputs
        } | dict.fromkeys(network.main.outputs, len(network.operators))

    def links(self) -> Iterator[_Link]:
        """One after each operator, up to the first that does not belong to the chain."""
        for operator in self._network.operators:
            if not self._follow(operator):
                return
            self._made_by[operator.outputs[0]] = operator.index
            residuals = frozenset(self._residuals)
            yield _Link(operator.index, self._tensor, len(self.layers), residuals)

    def may_end(self, link: _Link) -> bool:
        """Whether nothing behind it reads what was made before it."""
        return link.layers > 0 and all(
            self._last_use.get(tensor, -1) <= link.operator
            for tensor, made_by in self._made_by.items()
            if made_by <= link.operator and tensor != link.tensor
        )

    def _follow(self, operator: Operator) -> bool:
        if len(operator.outputs) != 1 or not operator.inputs:
            return False
        read = operator.inputs[0]
        if operator.name == "ADD":
            return self._add(operator)
        if operator.name == "RESHAPE" and self.layers:
            return False  # what comes is no map any more
        if operator.name in _IN_PASSING and read in self._layers_before:
            self._pass(operator, read)
            return True
        return read == self._tensor and self._slide(operator)

    def _add(self, operator: Operator) -> bool:
        """An ADD of this tensor and an earlier one ends a residual block."""
        others = [index for index in operator.inputs if index != self._tensor]
        if len(others) != 1 or others[0] not in self._layers_before or not self.layers:
            return False
        self._residuals.add((self._layers_before[others[0]], len(self.layers) - 1))
        self._go_on(operator.outputs[0])
        return True

    def _pass(self, operator: Operator, read: int) -> None:
        """In the chain itself or, where it reads an earlier tensor, beside it."""
        made = operator.outputs[0]
        self._layers_before[made] = self._layers_before[read]
        if read == self._tensor:
            self._tensor = made
            if operator.name not in _PADDINGS:
                self._source = self._network.tensors[made]

    def _slide(self, operator: Operator) -> bool:
        layer = _map_layer(operator, self._network, self._source)
        if layer is None:
            return False
        self.layers.append(layer)
        self._go_on(operator.outputs[0])
        return True

    def _go_on(self, tensor: int) -> None:
        self._tensor, self._source = tensor, self._network.tensors[tensor]
        self._layers_before[tensor] = len(self.layers)


def _map_layer(operator: Operator, network: Network, source: Tensor) -> MapLayer | None:
    """`source` is what it reads before any padding; None for another kind of operator."""
    output = output_tensor(operator, network.main)
    if output is None or len(source.shape) != 4 or len(output.shape) != 4 or source.shape[0] != 1:
        return None
    kernel = _kernel(operator, network)
    stride = (operator.integer("stride_h"), operator.integer("stride_w"))
    if kernel is None or min(stride) < 1 or not source.elements:
        return None
    (_, *in_size, in_channels), (_, *out_size, out_channels) = source.shape, output.shape
    return MapLayer(
        in_channels=in_channels,
        out_channels=out_channels,
        groups=_groups(operator, network, in_channels),
        kernel=kernel,
        stride=stride,
        in_size=(in_size[0], in_size[1]),
        out_size=(out_size[0], out_size[1]),
        dilation=(operator.integer("dilation_h", 1), operator.integer("dilation_w", 1)),
        has_weights=operator.name in _CONVOLUTIONS,
        element_bytes=max(1, (source.size_bytes or 0) // source.elements),
    )


def _kernel(operator: Operator, network: Network) -> Size | None:
    """The rows and columns of its window."""
    if operator.name in _POOLS:
        return operator.integer("filter_h"), operator.integer("filter_w")
    weights = input_tensor(operator, network.main, 1) if operator.name in _CONVOLUTIONS else None
    if weights is None or len(weights.shape) != 4:
        return None
    return weights.shape[1], weights.shape[2]


def _groups(operator: Operator, network: Network, in_channels: int) -> int:
    if operator.name != "CONV_2D":
        return in_channels
    weights = input_tensor(operator, network.main, 1)
    depth = weights.shape[3] if weights is not None and len(weights.shape) == 4 else in_channels
    return max(1, in_channels // max(1, depth))
