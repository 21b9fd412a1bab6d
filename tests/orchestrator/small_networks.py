"""Real int8 .tflite files of any size, made without a converter: one fully connected layer."""

from __future__ import annotations

import numpy as np

from registry.formats.tflite_strip import write_model

_FULLY_CONNECTED = 9
_FULLY_CONNECTED_OPTIONS = 8
_INT8, _INT32 = 9, 2
_LIMIT = 1 << 22


def small_network(inputs: int, outputs: int, seed: int = 0) -> bytes:
    """A dense layer from `inputs` to `outputs` int8 numbers; about inputs * outputs bytes."""
    weights = np.random.default_rng(seed).integers(-127, 128, (outputs, inputs), np.int8)
    tree = {
        "version": 3,
        "operator_codes": [
            {"deprecated_builtin_code": _FULLY_CONNECTED, "version": 4, "builtin_code": 9}
        ],
        "subgraphs": [_graph(inputs, outputs)],
        "buffers": [{}, {"data": weights.tobytes()}, {"data": bytes(4 * outputs)}],
    }
    data = write_model(tree, _LIMIT)
    assert data is not None
    return data


def _graph(inputs: int, outputs: int) -> dict:
    return {
        "tensors": [
            _tensor([1, inputs], _INT8, 0, 0.05),
            _tensor([outputs, inputs], _INT8, 1, 0.01),
            _tensor([outputs], _INT32, 2, 0.0005),
            _tensor([1, outputs], _INT8, 0, 0.5),
        ],
        "inputs": [0],
        "outputs": [3],
        "operators": [
            {
                "opcode_index": 0,
                "inputs": [0, 1, 2],
                "outputs": [3],
                "builtin_options_type": _FULLY_CONNECTED_OPTIONS,
                "builtin_options": {},
            }
        ],
    }


def _tensor(shape: list[int], dtype: int, buffer: int, scale: float) -> dict:
    return {
        "shape": shape,
        "type": dtype,
        "buffer": buffer,
        "quantization": {"scale": [scale], "zero_point": [0]},
    }
