"""The interpreter of a device: loads an int8 .tflite file, judges it, runs it.

Equal bytes are the same network, so within one process every device that runs an artifact shares
one interpreter: a thousand devices then cost a thousand states, not a thousand interpreters. A
network keeps nothing between two samples, which is what makes that sound.
"""

from __future__ import annotations

import hashlib
import math
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from device_firmware_sim.memory import Graph, OperatorFact, TensorFact, arena_bytes
from device_firmware_sim.network_errors import NetworkCrashed, NetworkRefused
from device_firmware_sim.operators import not_linked, operator_versions
from orchestrator.protocol.messages import ResultCode, Shortage

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: shape with its batch axis, dtype, and real = scale * (q - zero)."""

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    def quantize(self, real: Floats) -> NDArray[Any]:
        """Real values as this tensor holds them."""
        if not self.scale:
            return real.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.rint(real / self.scale) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def real(self, held: NDArray[Any]) -> Floats:
        """What this tensor holds as real values."""
        if not self.scale:
            return held.astype(np.float32)
        return (held.astype(np.float32) - self.zero_point) * np.float32(self.scale)


@dataclass(frozen=True, slots=True)
class LastLayer:
    """The network's own last layer: logits = features @ weights + biases, in real values.

    `weights` is (features, classes), `biases` (classes,).
    """

    weights: Floats
    biases: Floats


@dataclass(frozen=True, slots=True)
class Inference:
    """One sample's result; `features` is None where the network does not export them."""

    logits: Floats
    features: Floats | None
    latency_ms: float


@dataclass(slots=True, weakref_slot=True)
class Network:
    """A loaded network. Output 0 is logits, output 1, where there is one, features.

    `operators` maps each to the version that the file needs of it.
    """

    digest: bytes
    graph: Graph
    source: Tensor
    logits: Tensor
    features: Tensor | None
    operators: Mapping[str, int]
    last_layer: LastLayer | None
    _interpreter: Interpreter = field(repr=False)

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether a sensor's sample of this shape is an input of this network."""
        return math.prod(shape) == math.prod(self.source.shape)

    def run(self, sample: Floats) -> Inference:
        """Run one sample of real values, of the shape that the sensor gives."""
        held = self.source.quantize(_arranged(sample, self.source.shape))
        begin = time.perf_counter()
        self._invoke(held)
        latency_ms = (time.perf_counter() - begin) * 1e3
        return Inference(self._read(self.logits), self._read_features(), latency_ms)

    def self_test(self, source: bytes) -> bytes:
        """Output 0 as the bytes that it holds, for an input given as the bytes that it holds."""
        held = np.frombuffer(source, self.source.dtype).reshape(self.source.shape)
        self._invoke(held)
        output: bytes = self._interpreter.get_tensor(self.logits.index).tobytes()
        return output

    def _invoke(self, held: NDArray[Any]) -> None:
        try:
            self._interpreter.set_tensor(self.source.index, held)
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise NetworkCrashed(f"the network does not run: {error}") from error

    def _read(self, tensor: Tensor) -> Floats:
        return tensor.real(self._interpreter.get_tensor(tensor.index)[0])

    def _read_features(self) -> Floats | None:
        return None if self.features is None else self._read(self.features).ravel()


@dataclass(frozen=True, slots=True)
class Runtime:
    """What one build runs networks with, and how it judges their memory.

    `measured_arena` gives the arena of known artifacts by hex digest, where somebody measured it
    (`measured.py`); every other network is judged by `memory.arena_bytes`, times `arena_error`: 1
    is no error, others stand for a board that needs more, or less, than anybody foresaw.
    """

    kernels: str
    operators: Mapping[str, int]
    arena_budget_bytes: int
    measured_arena: Mapping[str, int] = field(default_factory=dict)
    arena_error: float = 1.0
    crashes_with: frozenset[str] = frozenset()

    def run(self, network: Network, sample: Floats) -> Inference:
        """One sample's result, or NetworkCrashed."""
        if network.digest.hex() in self.crashes_with:
            raise NetworkCrashed("a crash was asked for")
        return network.run(sample)

    def load(self, data: bytes) -> Network:
        """The network, or NetworkRefused where this device cannot or may not run it."""
        network = load_network(data)
        missing = not_linked(network.operators, self.operators)
        if missing:
            detail = f"not linked here, and used by the file: {', '.join(missing)}"
            raise NetworkRefused(ResultCode.MISSING_OPERATOR, detail)
        arena = self.arena_of(network)
        if arena > self.arena_budget_bytes:
            raise NetworkRefused(
                ResultCode.ARENA_TOO_SMALL,
                f"by this device's own count the file needs {arena} bytes of arena, "
                f"{self.arena_budget_bytes} are there",
                Shortage(arena, self.arena_budget_bytes),
            )
        return network

    def arena_of(self, network: Network) -> int:
        """Bytes of arena by this device's own view."""
        measured = self.measured_arena.get(network.digest.hex())
        if measured is not None:
            return measured
        return math.ceil(arena_bytes(network.graph, self.kernels) * self.arena_error)


_loaded: weakref.WeakValueDictionary[bytes, Network] = weakref.WeakValueDictionary()


def load_network(data: bytes) -> Network:
    """The network of a .tflite file, or NetworkRefused where the interpreter will not have it."""
    digest = hashlib.sha256(data).digest()
    network = _loaded.get(digest)
    if network is None:
        network = _loaded[digest] = _load(digest, data)
    return network


def _load(digest: bytes, data: bytes) -> Network:
    try:
        interpreter = Interpreter(
            model_content=data,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise NetworkRefused(ResultCode.MALFORMED, f"no network: {error}") from error
    graph = _graph(interpreter)
    versions = operator_versions(data)
    if len(graph.inputs) != 1 or len(graph.outputs) not in (1, 2):
        raise NetworkRefused(
            ResultCode.WRONG_SHAPE,
            f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs; one input, and logits "
            "with or without features, are what runs here",
        )
    outputs = [_tensor(each) for each in interpreter.get_output_details()]
    features = outputs[1] if len(outputs) == 2 else None
    return Network(
        digest=digest,
        graph=graph,
        source=_tensor(interpreter.get_input_details()[0]),
        logits=outputs[0],
        features=features,
        operators={each.name: versions.get(each.name, 1) for each in graph.operators},
        last_layer=_last_layer(interpreter, graph, outputs[0], features),
        _interpreter=interpreter,
    )


def _graph(interpreter: Interpreter) -> Graph:
    tensors = {
        int(each["index"]): TensorFact(
            tuple(int(size) for size in each["shape"]),
            np.dtype(each["dtype"]).name,
            int(np.prod(each["shape"])) * np.dtype(each["dtype"]).itemsize,
        )
        for each in interpreter.get_tensor_details()
    }
    operators = [
        OperatorFact(
            each["op_name"],
            tuple(int(index) for index in each["inputs"]),
            tuple(int(index) for index in each["outputs"]),
        )
        for each in interpreter._get_ops_details()
    ]
    inputs = tuple(int(each["index"]) for each in interpreter.get_input_details())
    outputs = tuple(int(each["index"]) for each in interpreter.get_output_details())
    return Graph(tensors, operators, inputs, outputs)


def _tensor(details: Mapping[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(size) for size in details["shape"])
    dtype = np.dtype(details["dtype"])
    return Tensor(int(details["index"]), shape, dtype, float(scale), int(zero_point))


def _last_layer(
    interpreter: Interpreter, graph: Graph, logits: Tensor, features: Tensor | None
) -> LastLayer | None:
    """The FULLY_CONNECTED operator that makes output 0 of output 1, dequantized.

    None where no single operator does that, or where it has a fused activation's shape in doubt.
    """
    if features is None:
        return None
    found = [
        operator
        for operator in graph.operators
        if operator.name == "FULLY_CONNECTED"
        and operator.inputs[0] == features.index
        and operator.outputs == (logits.index,)
    ]
    if len(found) != 1:
        return None
    scales = _weight_scales(interpreter, found[0].inputs[1])
    weights = interpreter.get_tensor(found[0].inputs[1]).astype(np.float32) * scales[:, None]
    biases = np.zeros(len(weights), np.float32)
    if len(found[0].inputs) > 2 and found[0].inputs[2] >= 0:
        held = interpreter.get_tensor(found[0].inputs[2]).astype(np.float32)
        biases = held * scales * np.float32(features.scale or 1)
    return LastLayer(np.ascontiguousarray(weights.T, np.float32), biases.astype(np.float32))


def _weight_scales(interpreter: Interpreter, index: int) -> Floats:
    """One scale an output channel; ones where the weights are not quantized."""
    details = next(d for d in interpreter.get_tensor_details() if d["index"] == index)
    scales = details["quantization_parameters"]["scales"]
    channels = int(details["shape"][0])
    if not len(scales):
        return np.ones(channels, np.float32)
    return np.broadcast_to(np.asarray(scales, np.float32), (channels,))


def _arranged(sample: Floats, shape: tuple[int, ...]) -> Floats:
    """A sample (height, width, channels) as the network's input wants it, batch axis included.

    Networks from torch take channels first; those from Keras take them last; dense ones take a row.
    """
    if len(shape) == 4 and sample.ndim == 3 and shape[1:] == sample.shape[2:] + sample.shape[:2]:
        return sample.transpose(2, 0, 1).reshape(shape)
    return sample.reshape(shape)
