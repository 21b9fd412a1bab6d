"""How a network is quantized, read off the operators that multiply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from registry.footprint.macs import multiplies, weight_positions
from registry.footprint.operands import WEIGHT_CARRIERS, carried_from, producers
from registry.formats.network import DTYPE_BITS, FileFormat, Network, Operator, Subgraph, Tensor

_DYNAMIC = ("ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "DynamicQuantizeMatMul")


class Scheme(StrEnum):
    """What is whole numbers: nothing, weights and activations with ranges fixed beforehand or found
    while it runs, or the weights alone, which are turned back before they are multiplied."""

    NONE = "none"
    STATIC = "static"
    DYNAMIC = "dynamic"
    WEIGHTS = "weights"


@dataclass(frozen=True, slots=True)
class QuantizationSummary:
    """Scheme, ONNX's form of it ("QDQ", "QOperator"), and the types of what is multiplied."""

    scheme: Scheme
    form: str
    weights: tuple[str, ...]
    activations: tuple[str, ...]
    per_channel: bool

    def as_json(self) -> dict[str, Any]:
        """The form that descriptions show."""
        return {
            "scheme": self.scheme.value,
            "form": self.form or None,
            "weights": list(self.weights),
            "activations": list(self.activations),
            "per_channel": self.per_channel,
        }


def summarize_quantization(network: Network) -> QuantizationSummary:
    """Of all operators that multiply weights together."""
    pairs = [pair for graph in network.subgraphs for pair in _multiplied(graph)]
    weights = tuple(sorted({weight.dtype for _, weight in pairs}))
    activations = tuple(sorted({data.dtype for data, _ in pairs}))
    names = set(network.operator_versions)
    return QuantizationSummary(
        scheme=_scheme(network, weights, activations, names),
        form=_form(names),
        weights=weights,
        activations=activations,
        per_channel=any(
            weight.quantization is not None and len(weight.quantization.scales) > 1
            for _, weight in pairs
        ),
    )


def _multiplied(graph: Subgraph) -> Iterator[tuple[Tensor, Tensor]]:
    """What is multiplied with which weights, each in the form in which it is kept."""
    given_by = producers(graph)
    for operator in graph.operators:
        if not multiplies(operator):
            continue
        data, weights = None, None
        for index in _operands(operator):
            source = carried_from(index, given_by, graph, WEIGHT_CARRIERS)
            if source.is_constant:
                weights = weights or source
            else:
                data = data or carried_from(index, given_by, graph)
        if data is not None and weights is not None:
            yield data, weights


def _operands(operator: Operator) -> list[int]:
    """Indices of data and weights; biases and what else the operator reads stand behind them."""
    if operator.name == "TRANSPOSE_CONV":
        return list(operator.inputs[1:3])
    places = weight_positions(operator)[:2]
    if operator.name in {"LSTM", "GRU", "RNN"}:
        places = (0, 1)
    return [
        operator.inputs[n] for n in places if n < len(operator.inputs) and operator.inputs[n] >= 0
    ]


def _scheme(
    network: Network, weights: tuple[str, ...], activations: tuple[str, ...], names: set[str]
) -> Scheme:
    if any(name.rpartition(".")[2] in _DYNAMIC for name in names):
        return Scheme.DYNAMIC
    if any(_is_whole(dtype) for dtype in activations):
        return Scheme.STATIC
    if not any(_is_whole(dtype) for dtype in weights):
        return Scheme.NONE
    # LiteRT multiplies 8-bit weights with activations that it quantizes as they come.
    return Scheme.DYNAMIC if network.file_format is FileFormat.TFLITE else Scheme.WEIGHTS


def _is_whole(dtype: str) -> bool:
    return dtype in DTYPE_BITS and dtype.removeprefix("U").startswith("INT")


def _form(names: set[str]) -> str:
    plain = {name.rpartition(".")[2] for name in names}
    if any(name.startswith("QLinear") or name == "QGemm" for name in plain):
        return "QOperator"
    return "QDQ" if "DequantizeLinear" in plain else ""
