"""All that a .tflite file says about its own needs, in one value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from registry.footprint.arena import ArenaPlan, predict_arena
from registry.footprint.code import runtime_code_bytes
from registry.footprint.latency import Estimate, predict_instructions
from registry.footprint.layers import layers_json
from registry.footprint.macs import network_macs, network_parameters
from registry.footprint.training import online_layer_bytes
from registry.formats.network import Network, Tensor
from registry.formats.tflite import parse, strip_names


@dataclass(frozen=True, slots=True)
class Board:
    """The board that a description is made for: its name and its core."""

    slug: str
    core: str = ""


@dataclass(frozen=True, slots=True)
class OperatorUse:
    """An operator of the network: the highest version used and how often it occurs."""

    name: str
    version: int
    count: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a network needs. Sizes are bytes; None is "not known".

    `file_bytes` is the file as it came, `flash_bytes` what it takes after stripping names.
    """

    file_bytes: int
    flash_bytes: int
    arena: ArenaPlan
    macs: int
    parameters: int
    operators: tuple[OperatorUse, ...]
    dtypes: tuple[str, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    runtime_code_bytes: int | None
    latency_ms: Estimate | None
    core: str | None
    instructions: Estimate | None
    training_bytes: int | None
    kernels: str
    network: Network = field(repr=False, compare=False)

    @property
    def arena_bytes(self) -> int | None:
        """The smallest arena, or None where an operator's need is not known."""
        return self.arena.arena_bytes

    def as_json(self, layers_at_most: int | None = None) -> dict[str, Any]:
        """The form that the command, the API and the database show; null where not known."""
        return {
            "file_bytes": self.file_bytes,
            "flash_bytes": self.flash_bytes,
            "arena_bytes": self.arena.arena_bytes,
            "arena_parts": dict(self.arena.parts),
            "arena_unknown": list(self.arena.unknown),
            "kernels": self.kernels,
            "macs": self.macs,
            "parameters": self.parameters,
            "operators": [
                {"name": use.name, "version": use.version, "count": use.count}
                for use in self.operators
            ],
            "dtypes": list(self.dtypes),
            "inputs": [_tensor_json(tensor) for tensor in self.inputs],
            "outputs": [_tensor_json(tensor) for tensor in self.outputs],
            "runtime_code_bytes": self.runtime_code_bytes,
            "latency_ms": _estimate_json(self.latency_ms, core=self.core),
            "instructions": _estimate_json(self.instructions),
            "training_bytes": self.training_bytes,
            "memory_timeline": list(self.arena.memory_timeline),
            **layers_json(self.network, layers_at_most),
        }


def describe(data: bytes, *, board: Board | None = None, kernels: str = "cmsis_nn") -> Description:
    """What the network in `data` needs, for `board` where one is given.

    `kernels` is the kernel set of the runtime: "cmsis_nn" or "reference". Raises FormatError for
    what is no well-formed .tflite file and ValueError for an unknown kernel set.
    """
    network = parse(data)
    return Description(
        file_bytes=len(data),
        flash_bytes=len(strip_names(data)),
        arena=predict_arena(network, kernels),
        macs=network_macs(network),
        parameters=network_parameters(network),
        operators=_operator_uses(network),
        dtypes=tuple(sorted(network.dtypes)),
        inputs=network.inputs,
        outputs=network.outputs,
        runtime_code_bytes=runtime_code_bytes(network.operator_versions),
        latency_ms=None,
        core=board.core if board else None,
        instructions=predict_instructions(network, kernels),
        training_bytes=_online_layer(network),
        kernels=kernels,
        network=network,
    )


def _online_layer(network: Network) -> int | None:
    """What an online last layer would take: on the second output, or else before the last layer.

    A network that is to learn on the device gives its features as a second output. Of another one
    the last fully connected layer would be replaced. None where there is neither.
    """
    if not network.outputs:
        return None
    if len(network.outputs) == 2:
        logits, features = network.outputs
        return _layer_bytes(features.elements, logits.elements)
    for operator in reversed(network.operators):
        if operator.name == "FULLY_CONNECTED":
            weights = network.main.tensor(operator.inputs[1]) if len(operator.inputs) > 1 else None
            shape = weights.shape if weights else ()
            return _layer_bytes(shape[1], shape[0]) if len(shape) == 2 else None
    return None


def _layer_bytes(features: int, classes: int) -> int | None:
    return online_layer_bytes(features, classes) if features and classes else None


def _operator_uses(network: Network) -> tuple[OperatorUse, ...]:
    counts = Counter(
        operator.name for subgraph in network.subgraphs for operator in subgraph.operators
    )
    versions = network.operator_versions
    return tuple(OperatorUse(name, versions[name], counts[name]) for name in sorted(counts))


def _tensor_json(tensor: Tensor) -> dict[str, Any]:
    quantization = tensor.quantization
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": quantization.scales[0] if quantization else None,
        "zero_point": quantization.zero_points[0]
        if quantization and quantization.zero_points
        else None,
    }


def _estimate_json(estimate: Estimate | None, **more: Any) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"value": estimate.value, "error": estimate.error, **more}
