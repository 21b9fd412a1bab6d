"""The last layer as a device learns it: float weights over the frozen features of an int8 file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

Floats = npt.NDArray[np.float32]


def last_layer(model: bytes) -> Floats:
    """The dequantized layer that makes output 0 of output 1: (features + 1, classes), biases last.

    ValueError where output 0 is not made by one dense layer with biases.
    """
    interpreter = Interpreter(
        model_content=model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    logits = interpreter.get_output_details()[0]["index"]
    operators = interpreter._get_ops_details()  # there is no public way to ask
    maker = next(operator for operator in operators if logits in operator["outputs"])
    if maker["op_name"] != "FULLY_CONNECTED" or len(maker["inputs"]) != 3:
        raise ValueError(f"output 0 is made by {maker['op_name']}, not by a dense layer")
    _, weights, biases = (int(index) for index in maker["inputs"])
    return np.vstack(
        [
            _dequantized(interpreter, details[weights]).T,
            _dequantized(interpreter, details[biases]),
        ]
    )


def _dequantized(interpreter: Interpreter, tensor: dict[str, Any]) -> Floats:
    """Symmetric int8 weights and int32 biases, one scale for all or one for each class."""
    steps = interpreter.get_tensor(tensor["index"]).astype(np.float32)
    scales = np.asarray(tensor["quantization_parameters"]["scales"], np.float32)
    return np.asarray(steps * scales.reshape(-1, *[1] * (steps.ndim - 1)), np.float32)
