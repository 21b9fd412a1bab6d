"""The four networks of MLPerf Tiny, by the shapes of their layers.

Banbury et al., "MLPerf Tiny Benchmark" (2021), section 4, and the models of its repository: an
autoencoder of dense layers for machine sounds, a depthwise-separable network for keywords, a
ResNet of eight layers for small images, and MobileNetV1 of a quarter's width for persons. All are
int8. Only development needs this module: boards' milliseconds are stated for these networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from registry.formats.network import Network, Operator, Subgraph, Tensor


class _Layers:
    """Puts layers one behind the other; `here` is the tensor that the next one reads."""

    def __init__(self, *shape: int) -> None:
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self.here = self._tensor(1, *shape)
        self._input = self.here

    def convolution(self, filters: int, kernel: tuple[int, int], stride: int = 1) -> None:
        """A convolution that pads its image so that only the stride makes it smaller."""
        rows, columns, channels = self._image()
        weights = self._tensor(filters, *kernel, channels)
        self._run("CONV_2D", weights, 1, *_smaller(rows, columns, stride), filters)

    def depthwise(self, stride: int = 1) -> None:
        """3 x 3 in each channel, padded likewise."""
        rows, columns, channels = self._image()
        weights = self._tensor(1, 3, 3, channels)
        self._run("DEPTHWISE_CONV_2D", weights, 1, *_smaller(rows, columns, stride), channels)

    def separable(self, filters: int, stride: int = 1) -> None:
        """A depthwise convolution and one of single elements over channels."""
        self.depthwise(stride)
        self.convolution(filters, (1, 1))

    def residual(self, filters: int, stride: int) -> None:
        """Two convolutions, to which their input is added; brought to their shape where needed."""
        before = self.here
        self.convolution(filters, (3, 3), stride)
        self.convolution(filters, (3, 3))
        after = self.here
        if stride > 1:
            self.here = before
            self.convolution(filters, (1, 1), stride)
            before, self.here = self.here, after
        self._run("ADD", before, *self._tensors[after].shape)

    def average(self) -> None:
        """One value a channel."""
        self._run("AVERAGE_POOL_2D", None, 1, 1, 1, self._image()[2])

    def dense(self, units: int) -> None:
        """A fully connected layer over all that there is."""
        weights = self._tensor(units, self._tensors[self.here].elements)
        self._run("FULLY_CONNECTED", weights, 1, units)

    def classify(self, classes: int) -> None:
        """The usual end."""
        self.average()
        self.dense(classes)
        self._run("SOFTMAX", None, 1, classes)

    def network(self) -> Network:
        """What has been put together."""
        graph = Subgraph(tuple(self._tensors), tuple(self._operators), (self._input,), (self.here,))
        return Network(3, (graph,), 0)

    def _image(self) -> tuple[int, int, int]:
        _, rows, columns, channels = self._tensors[self.here].shape
        return rows, columns, channels

    def _tensor(self, *shape: int) -> int:
        self._tensors.append(Tensor(len(self._tensors), "", shape, "INT8"))
        return len(self._tensors) - 1

    def _run(self, name: str, other: int | None, *shape: int) -> None:
        inputs = (self.here,) if other is None else (self.here, other)
        output = self._tensor(*shape)
        self._operators.append(Operator(len(self._operators), name, 1, inputs, (output,)))
        self.here = output


def _smaller(rows: int, columns: int, stride: int) -> tuple[int, int]:
    return math.ceil(rows / stride), math.ceil(columns / stride)


def anomaly_detection() -> Network:
    """640 values through nine dense layers and a bottleneck of eight."""
    layers = _Layers(640)
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128, 640):
        layers.dense(units)
    return layers.network()


def keyword_spotting() -> Network:
    """49 x 10 coefficients of sound; twelve classes."""
    layers = _Layers(49, 10, 1)
    layers.convolution(64, (10, 4), 2)
    for _ in range(4):
        layers.separable(64)
    layers.classify(12)
    return layers.network()


def image_classification() -> Network:
    """32 x 32 pixels of three colours; ten classes."""
    layers = _Layers(32, 32, 3)
    layers.convolution(16, (3, 3))
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        layers.residual(filters, stride)
    layers.classify(10)
    return layers.network()


def visual_wake_words() -> Network:
    """96 x 96 pixels of three colours; two classes."""
    layers = _Layers(96, 96, 3)
    layers.convolution(8, (3, 3), 2)
    blocks = [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2)]
    for filters, stride in [*blocks, (256, 1)]:
        layers.separable(filters, stride)
    layers.classify(2)
    return layers.network()


# By the names that the benchmark's results give them.
REFERENCE_NETWORKS: Mapping[str, Callable[[], Network]] = {
    "ad": anomaly_detection,
    "kws": keyword_spotting,
    "ic": image_classification,
    "vww": visual_wake_words,
}
