"""Layer by layer, in the form that is kept with a variant and that the graph shows.

A layer is an operator of the subgraph that runs; bodies of loops and branches are not listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from registry.footprint.mac_rules import UnknownMacs
from registry.footprint.macs import operator_macs
from registry.formats.network import Network, Operator, Quantization, Tensor

# ActivationFunctionType of the TensorFlow Lite schema; 0 is none.
_ACTIVATIONS: Mapping[int, str] = {
    1: "RELU",
    2: "RELU_N1_TO_1",
    3: "RELU6",
    4: "TANH",
    5: "SIGN_BIT",
}


def layers_json(network: Network, at_most: int | None = None) -> dict[str, Any]:
    """The first `at_most` layers in execution order, with the tensors that they read and write.

    `layer_count` is of all, so that one sees when layers were left out. A tensor is known by its
    index in the file; sizes are bytes, None where a type has no fixed size or the shape is open,
    and a shape is None where not every length of it is known.
    """
    layers = network.operators[:at_most]
    used = {index for layer in layers for index in (*layer.inputs, *layer.outputs) if index >= 0}
    return {
        "layer_count": len(network.operators),
        "layers": [_layer(layer, network) for layer in layers],
        "tensors": [_tensor(network.tensors[index]) for index in sorted(used)],
    }


def _layer(layer: Operator, network: Network) -> dict[str, Any]:
    return {
        "operator": layer.name,
        "activation": _ACTIVATIONS.get(layer.integer("activation")),
        "macs": _macs(layer, network),
        "reads": _present(layer.inputs),
        "writes": _present(layer.outputs),
    }


def _macs(layer: Operator, network: Network) -> int | None:
    try:
        return operator_macs(layer, network.main)
    except UnknownMacs:
        return None


def _present(indices: Iterable[int]) -> list[int]:
    return [index for index in indices if index >= 0]


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "index": tensor.index,
        "shape": list(tensor.shape) if tensor.is_sized else None,
        "dtype": tensor.dtype,
        "constant": tensor.is_constant,
        "bytes": tensor.size_bytes,
        "quantization": _quantization(tensor.quantization),
    }


def _quantization(quantization: Quantization | None) -> dict[str, Any] | None:
    """One scale for the whole tensor, or along which dimension there are how many."""
    if quantization is None or not quantization.scales:
        return None
    if len(quantization.scales) > 1:
        return {"axis": quantization.dimension, "scales": len(quantization.scales)}
    zero_points = quantization.zero_points
    return {"scale": quantization.scales[0], "zero_point": zero_points[0] if zero_points else None}
