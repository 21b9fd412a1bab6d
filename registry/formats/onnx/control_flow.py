"""What goes into the bodies of If, Loop and Scan, and what comes out of them.

Rules: https://onnx.ai/onnx/operators/ (If, Loop, Scan from opset 9 on).
"""

from __future__ import annotations

from collections.abc import Sequence

from registry.formats.network import UNDEFINED
from registry.formats.onnx.values import Call, Dim, Shape, Value


def body_inputs(call: Call) -> list[Value]:
    """What is known of a body's inputs beforehand, as far as there is a rule."""
    carried = [value or Value() for value in call.inputs]
    if call.name == "Loop":
        return [Value("INT64", ()), Value("BOOL", ()), *(_carried(v) for v in carried[2:])]
    if call.name == "Scan" and call.opset >= 9:
        states = max(0, len(carried) - call.integer("num_scan_inputs"))
        slices = [Value(v.dtype, _without_first(v.shape)) for v in carried[states:]]
        return [_carried(v) for v in carried[:states]] + slices
    return []


def outputs_of_bodies(call: Call, results: Sequence[Sequence[Value]]) -> list[Value]:
    """What the node gives; `results` are the outputs of its bodies in the order of attributes."""
    if call.name == "If" and len(results) == 2:
        return [_either(one, other) for one, other in zip(*results, strict=False)]
    if call.name == "Loop":
        states = max(0, len(call.inputs) - 2)
        trips = call.value(0).numbers
        count = int(trips[0]) if trips and isinstance(trips[0], int) else None
        return _stacked(results[0][1:], states, count)
    if call.name == "Scan" and call.opset >= 9:
        scanned = call.integer("num_scan_inputs")
        source = call.inputs[-1] if call.inputs else None
        length = source.shape[0] if source is not None and source.shape else None
        return _stacked(results[0], max(0, len(call.inputs) - scanned), length)
    return [Value()] * call.outputs


def _carried(value: Value) -> Value:
    """A loop changes the numbers that it carries; their type and shape it keeps."""
    return Value(value.dtype, value.shape)


def _without_first(shape: Shape | None) -> Shape | None:
    return shape[1:] if shape else None


def _stacked(outputs: Sequence[Value], states: int, length: Dim) -> list[Value]:
    """States as they are; behind them what each round adds, one behind the other."""
    scanned = [
        Value(value.dtype, None if value.shape is None else (length, *value.shape))
        for value in outputs[states:]
    ]
    return [_carried(value) for value in outputs[:states]] + scanned


def _either(one: Value, other: Value) -> Value:
    """What holds whichever branch runs."""
    dtype = one.dtype if one.dtype == other.dtype else UNDEFINED
    if one.shape is None or other.shape is None or len(one.shape) != len(other.shape):
        return Value(dtype)
    pairs = zip(one.shape, other.shape, strict=True)
    return Value(dtype, tuple(a if a == b else None for a, b in pairs))
