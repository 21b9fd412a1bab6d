"""All that a model file says about its own needs, in one value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from registry.footprint.activations import activation_timeline, peak_bytes
from registry.footprint.arena import ArenaPlan, predict_arena
from registry.footprint.code import runtime_code_bytes
from registry.footprint.core_speed import pace_of, predict_energy, predict_latency
from registry.footprint.latency import Estimate, predict_instructions
from registry.footprint.layers import layers_json
from registry.footprint.macs import MacCount, count_macs, network_parameters
from registry.footprint.quantization import QuantizationSummary, summarize_quantization
from registry.footprint.training import online_layer_bytes
from registry.formats.model_file import read_network
from registry.formats.network import UNDEFINED, FileFormat, Network, Tensor
from registry.formats.tflite import strip_names

_NO_ARENA = (
    "TFLite Micro does not run .onnx files, and what another runtime takes does not follow from"
    " the file: record a measurement"
)


@dataclass(frozen=True, slots=True)
class Board:
    """The board that a description is made for: its name, its core and that core's clock."""

    slug: str
    core: str = ""
    clock_hz: int | None = None


@dataclass(frozen=True, slots=True)
class OperatorUse:
    """An operator of the network: the highest version used and how often it occurs."""

    name: str
    version: int
    count: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a network needs. Sizes are bytes; None is "not known".

    `file_bytes` is the file as it came, `flash_bytes` what it takes after stripping names, which
    is only done to .tflite files.
    """

    file_bytes: int
    flash_bytes: int
    arena: ArenaPlan
    mac_count: MacCount
    parameters: int
    operators: tuple[OperatorUse, ...]
    dtypes: tuple[str, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    runtime_code_bytes: int | None
    latency_ms: Estimate | None
    energy_mj: Estimate | None
    board: Board | None
    instructions: Estimate | None
    training_bytes: int | None
    kernels: str
    quantization: QuantizationSummary
    network: Network = field(repr=False, compare=False)

    @property
    def arena_bytes(self) -> int | None:
        """The smallest arena, or None where an operator's need is not known."""
        return self.arena.arena_bytes

    @property
    def known_dtypes(self) -> frozenset[str] | None:
        """The types as runtimes declare them; None where that of some tensor is not known."""
        return None if UNDEFINED in self.dtypes else frozenset(map(str.lower, self.dtypes))

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one run, or None where they do not follow from the file."""
        return self.mac_count.macs

    @property
    def peak_activation_bytes(self) -> int | None:
        """The most bytes of tensors alive at once in the file's order; no runtime's figure."""
        return peak_bytes(self.arena.memory_timeline)

    def as_json(self, layers_at_most: int | None = None) -> dict[str, Any]:
        """The form that the command, the API and the database show; null where not known."""
        return {
            "format": self.network.file_format.value,
            "file_bytes": self.file_bytes,
            "flash_bytes": self.flash_bytes,
            "arena_bytes": self.arena.arena_bytes,
            "arena_parts": dict(self.arena.parts),
            "arena_unknown": list(self.arena.unknown),
            "kernels": self.kernels,
            "peak_activation_bytes": self.peak_activation_bytes,
            "macs": self.macs,
            "macs_unknown": list(self.mac_count.unknown),
            "remarks": list(self.network.remarks),
            "parameters": self.parameters,
            "operators": [
                {"name": use.name, "version": use.version, "count": use.count}
                for use in self.operators
            ],
            "dtypes": list(self.dtypes),
            "quantization": self.quantization.as_json(),
            "inputs": [_tensor_json(tensor) for tensor in self.inputs],
            "outputs": [_tensor_json(tensor) for tensor in self.outputs],
            "runtime_code_bytes": self.runtime_code_bytes,
            "latency_ms": _estimate_json(self.latency_ms, core=self.board and self.board.core),
            "energy_mj": _estimate_json(self.energy_mj, board=self.board and self.board.slug),
            "instructions": _estimate_json(self.instructions),
            "training_bytes": self.training_bytes,
            "memory_timeline": list(self.arena.memory_timeline),
            **layers_json(self.network, layers_at_most),
        }


def describe(data: bytes, *, board: Board | None = None, kernels: str = "cmsis_nn") -> Description:
    """What the network in `data` needs, for `board` where one is given.

    `kernels` is the kernel set of the runtime: "cmsis_nn" or "reference". Raises FormatError for
    what is no well-formed .tflite or .onnx file and ValueError for an unknown kernel set.
    """
    network = read_network(data)
    is_tflite = network.file_format is FileFormat.TFLITE
    instructions = predict_instructions(network, kernels) if is_tflite else None
    pace = pace_of(board.core, board.clock_hz, board.slug) if board else None
    latency_ms = predict_latency(network, instructions, pace)
    return Description(
        file_bytes=len(data),
        flash_bytes=len(strip_names(data)) if is_tflite else len(data),
        arena=_arena(network, kernels),
        mac_count=count_macs(network),
        parameters=network_parameters(network),
        operators=_operator_uses(network),
        dtypes=tuple(sorted(network.dtypes)),
        inputs=network.inputs,
        outputs=network.outputs,
        runtime_code_bytes=runtime_code_bytes(network.operator_versions) if is_tflite else None,
        latency_ms=latency_ms,
        energy_mj=predict_energy(latency_ms, pace),
        board=board,
        instructions=instructions,
        training_bytes=_online_layer(network),
        kernels=kernels,
        quantization=summarize_quantization(network),
        network=network,
    )


def _arena(network: Network, kernels: str) -> ArenaPlan:
    """TFLite Micro's plan; of another runtime's file only what is alive when."""
    if network.file_format is FileFormat.TFLITE:
        return predict_arena(network, kernels)
    return ArenaPlan(None, {}, activation_timeline(network), (_NO_ARENA,))


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
        "shape": [None if n < 0 else n for n in tensor.shape] if tensor.has_shape else None,
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
