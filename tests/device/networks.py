"""Small int8 networks, written as .tflite files from numpy weights: real, and made in milliseconds.

Input (1, 8, 8, 1) -> RESHAPE -> FULLY_CONNECTED with ReLU (features) -> FULLY_CONNECTED (logits).
Outputs are logits, then features, as the compression pipeline exports them.
"""

from __future__ import annotations

from dataclasses import dataclass

import flatbuffers
import numpy as np
import tflite

INT8, INT32 = tflite.TensorType.INT8, tflite.TensorType.INT32


@dataclass(frozen=True)
class Dense:
    """Float weights (inputs, outputs) and biases of two layers, and the range of what they give."""

    first: tuple[np.ndarray, np.ndarray]
    second: tuple[np.ndarray, np.ndarray]
    features_high: float
    logits_range: tuple[float, float]


def random_dense(hidden: int, seed: int, classes: int = 10) -> Dense:
    """An untrained network; good enough wherever only bytes and shapes matter."""
    random = np.random.default_rng(seed)
    first = random.normal(0, 0.3, (64, hidden)), random.normal(0, 0.1, hidden)
    second = random.normal(0, 0.3, (hidden, classes)), random.normal(0, 0.1, classes)
    return calibrated(first, second, random.random((64, 64)))


def calibrated(first: tuple, second: tuple, samples: np.ndarray) -> Dense:
    """The network with the ranges that it shows on `samples` (N, 64)."""
    features = np.maximum(samples @ first[0] + first[1], 0)
    logits = features @ second[0] + second[1]
    return Dense(
        first, second, float(features.max()) or 1.0, (float(logits.min()), float(logits.max()))
    )


def as_tflite(network: Dense, *, exports_features: bool = True, activation: str = "RELU") -> bytes:
    """The int8 file."""
    hidden = network.first[0].shape[1]
    classes = network.second[0].shape[1]
    low, high = network.logits_range
    in_scale, in_zero = 1 / 255, -128
    feature_scale, feature_zero = network.features_high / 255, -128
    logit_scale = (max(high, 0) - min(low, 0)) / 255 or 1.0
    logit_zero = int(round(-128 - min(low, 0) / logit_scale))
    builder = _Builder()
    source = builder.tensor((1, 8, 8, 1), INT8, in_scale, in_zero)
    shape = builder.tensor((2,), INT32, data=np.array([1, 64], np.int32))
    flat = builder.tensor((1, 64), INT8, in_scale, in_zero)
    weights_1, biases_1 = builder.layer(network.first, in_scale)
    features = builder.tensor((1, hidden), INT8, feature_scale, feature_zero)
    weights_2, biases_2 = builder.layer(network.second, feature_scale)
    logits = builder.tensor((1, classes), INT8, logit_scale, logit_zero)
    builder.operator("RESHAPE", [source, shape], [flat])
    if activation == "HARD_SWISH":
        swished = builder.tensor((1, 64), INT8, in_scale, in_zero)
        builder.operator("HARD_SWISH", [flat], [swished])
        flat = swished
    builder.operator("FULLY_CONNECTED", [flat, weights_1, biases_1], [features], relu=True)
    builder.operator("FULLY_CONNECTED", [features, weights_2, biases_2], [logits])
    return builder.finish([source], [logits, features] if exports_features else [logits])


class _Builder:
    """Collects tensors and operators, then writes one flatbuffer."""

    def __init__(self) -> None:
        self._tensors: list[tuple] = []
        self._buffers: list[bytes] = [b""]
        self._operators: list[tuple] = []
        self._codes: list[str] = []

    def tensor(self, shape, dtype, scale=0.0, zero=0, data=None) -> int:
        buffer = 0
        if data is not None:
            self._buffers.append(np.ascontiguousarray(data).tobytes())
            buffer = len(self._buffers) - 1
        self._tensors.append((shape, dtype, scale, zero, buffer))
        return len(self._tensors) - 1

    def layer(self, parameters: tuple, in_scale: float) -> tuple[int, int]:
        weights, biases = parameters
        scale = float(np.abs(weights).max()) / 127 or 1.0
        quantized = np.clip(np.rint(weights.T / scale), -127, 127).astype(np.int8)
        held = np.rint(biases / (scale * in_scale)).astype(np.int32)
        return (
            self.tensor(quantized.shape, INT8, scale, 0, quantized),
            self.tensor(held.shape, INT32, scale * in_scale, 0, held),
        )

    def operator(self, name, inputs, outputs, relu=False) -> None:
        if name not in self._codes:
            self._codes.append(name)
        self._operators.append((self._codes.index(name), name, inputs, outputs, relu))

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        b = flatbuffers.Builder(4096)
        buffers = _vector(b, [_buffer(b, data) for data in self._buffers])
        tensors = _vector(b, [_tensor(b, *each) for each in self._tensors])
        operators = _vector(b, [_operator(b, *each) for each in self._operators])
        given, found = _integers(b, inputs), _integers(b, outputs)
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, tensors)
        tflite.SubGraphAddInputs(b, given)
        tflite.SubGraphAddOutputs(b, found)
        tflite.SubGraphAddOperators(b, operators)
        graphs = _vector(b, [tflite.SubGraphEnd(b)])
        codes = _vector(b, [_code(b, name) for name in self._codes])
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, codes)
        tflite.ModelAddSubgraphs(b, graphs)
        tflite.ModelAddBuffers(b, buffers)
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        return bytes(b.Output())


def _vector(b, offsets: list[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _integers(b, values) -> int:
    return b.CreateNumpyVector(np.array(values, np.int32))


def _buffer(b, data: bytes) -> int:
    content = b.CreateByteVector(data) if data else None
    tflite.BufferStart(b)
    if content is not None:
        tflite.BufferAddData(b, content)
    return tflite.BufferEnd(b)


def _tensor(b, shape, dtype, scale, zero, buffer) -> int:
    dims = _integers(b, shape)
    scales = b.CreateNumpyVector(np.array([scale], np.float32)) if scale else None
    zeros = b.CreateNumpyVector(np.array([zero], np.int64)) if scale else None
    tflite.QuantizationParametersStart(b)
    if scales is not None:
        tflite.QuantizationParametersAddScale(b, scales)
        tflite.QuantizationParametersAddZeroPoint(b, zeros)
    quantization = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, dims)
    tflite.TensorAddType(b, dtype)
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddQuantization(b, quantization)
    return tflite.TensorEnd(b)


def _operator(b, code, name, inputs, outputs, relu) -> int:
    given, found = _integers(b, inputs), _integers(b, outputs)
    options = None
    if name == "FULLY_CONNECTED":
        tflite.FullyConnectedOptionsStart(b)
        relu_code = tflite.ActivationFunctionType.RELU
        tflite.FullyConnectedOptionsAddFusedActivationFunction(b, relu_code if relu else 0)
        options = tflite.FullyConnectedOptionsEnd(b)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, code)
    tflite.OperatorAddInputs(b, given)
    tflite.OperatorAddOutputs(b, found)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, tflite.BuiltinOptions.FullyConnectedOptions)
        tflite.OperatorAddBuiltinOptions(b, options)
    return tflite.OperatorEnd(b)


def _code(b, name: str) -> int:
    code = getattr(tflite.BuiltinOperator, name)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, code)
    tflite.OperatorCodeAddBuiltinCode(b, code)
    tflite.OperatorCodeAddVersion(b, 4 if name == "FULLY_CONNECTED" else 1)
    return tflite.OperatorCodeEnd(b)
