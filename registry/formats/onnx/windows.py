"""Shapes behind what slides a window over its input: convolutions and pools.

Rules: https://onnx.ai/onnx/operators/ (Conv, ConvTranspose, MaxPool, AveragePool).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.formats.onnx.values import Call, CannotInfer, Dim, Shape


@dataclass(frozen=True, slots=True)
class _Axis:
    """One spatial axis of a window."""

    kernel: Dim
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def reach(self) -> Dim:
        """What the kernel spans with its dilation."""
        return None if self.kernel is None else (self.kernel - 1) * self.dilation + 1


def convolution(call: Call) -> list[Shape]:
    """Batch, filters, and the places that the window takes."""
    return _convolution(call, call.shape(1))


def quantized_convolution(call: Call) -> list[Shape]:
    """QLinearConv: the weights stand behind the input's scale and zero point."""
    return _convolution(call, call.shape(3))


def _convolution(call: Call, weights: Shape) -> list[Shape]:
    source = call.shape(0)
    if len(weights) != len(source) or len(source) < 3:
        raise CannotInfer
    axes = _axes(call, weights[2:])
    places = _places(call, source[2:], axes, ceil=False)
    return [(source[0], weights[0], *places)]


def pool(call: Call) -> list[Shape]:
    """As many channels as the input; MaxPool's second output has the same shape."""
    source = call.shape(0)
    kernel = call.integers("kernel_shape")
    if kernel is None or len(kernel) != len(source) - 2:
        raise CannotInfer
    places = _places(call, source[2:], _axes(call, kernel), ceil=call.integer("ceil_mode") == 1)
    return [(*source[:2], *places)] * call.outputs


def global_pool(call: Call) -> list[Shape]:
    """One number for each channel."""
    source = call.shape(0)
    if len(source) < 2:
        raise CannotInfer
    return [(*source[:2], *(1 for _ in source[2:]))]


def transposed_convolution(call: Call) -> list[Shape]:
    """Each input element spreads over a window of the output."""
    source, weights = call.shape(0), call.shape(1)
    if len(weights) != len(source) or len(source) < 3:
        raise CannotInfer
    width = weights[1]
    channels = None if width is None else width * call.integer("group", 1)
    return [(source[0], channels, *_spread(call, source[2:], _axes(call, weights[2:])))]


def _spread(call: Call, lengths: Shape, axes: Sequence[_Axis]) -> Shape:
    stated = call.integers("output_shape")
    if stated is not None:
        return tuple(stated[-len(lengths) :])
    if call.text("auto_pad").startswith("SAME"):
        return tuple(
            None if n is None else n * axis.stride for n, axis in zip(lengths, axes, strict=True)
        )
    extra = _repeated(call.integers("output_padding"), len(axes), 0)
    return tuple(
        None
        if n is None or axis.reach is None
        else axis.stride * (n - 1) + more + axis.reach - axis.before - axis.after
        for n, axis, more in zip(lengths, axes, extra, strict=True)
    )


def _axes(call: Call, weights: Shape) -> list[_Axis]:
    rank = len(weights)
    kernel = call.integers("kernel_shape") or weights
    strides = _repeated(call.integers("strides"), rank, 1)
    dilations = _repeated(call.integers("dilations"), rank, 1)
    # VALID says "none"; SAME is worked out from the stride alone.
    pads = None if call.text("auto_pad") == "VALID" else call.integers("pads")
    both = _repeated(pads, 2 * rank, 0)
    if len(kernel) != rank or min(strides, default=1) < 1:
        raise CannotInfer
    return [
        _Axis(kernel[n], strides[n], dilations[n], both[n], both[rank + n]) for n in range(rank)
    ]


def _repeated(stated: tuple[int, ...] | None, count: int, default: int) -> tuple[int, ...]:
    if stated is not None and len(stated) != count:
        raise CannotInfer
    return (default,) * count if stated is None else stated


def _places(call: Call, lengths: Shape, axes: Sequence[_Axis], *, ceil: bool) -> Shape:
    if call.text("auto_pad").startswith("SAME"):
        return tuple(
            None if n is None else -(-n // axis.stride)
            for n, axis in zip(lengths, axes, strict=True)
        )
    return tuple(_window(n, axis, ceil) for n, axis in zip(lengths, axes, strict=True))


def _window(length: Dim, axis: _Axis, ceil: bool) -> Dim:
    if length is None or axis.reach is None:
        return None
    room = length + axis.before + axis.after - axis.reach
    if room < 0:
        raise CannotInfer
    places = (-(-room // axis.stride) if ceil else room // axis.stride) + 1
    # A window of the rounded-up count must not begin in the padding behind the input.
    if ceil and (places - 1) * axis.stride >= length + axis.before:
        places -= 1
    return places
