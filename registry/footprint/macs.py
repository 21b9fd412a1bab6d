"""Multiply-accumulates and parameters: what an operator computes, whatever computes it.

One multiply-accumulate (MAC) is one weight times one activation, added. Element-wise arithmetic,
pooling and copying count none; bias additions count none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from registry.footprint.mac_rules import (
    TFLITE_CUSTOM_WITHOUT,
    TFLITE_RULES,
    TFLITE_UNCOUNTED,
    MacRule,
    UnknownMacs,
)
from registry.footprint.mac_rules_onnx import (
    ONNX_FOREIGN_WITHOUT,
    ONNX_RULES,
    ONNX_UNCOUNTED,
    ONNX_WEIGHTS,
)
from registry.footprint.operands import WEIGHT_CARRIERS, carried_from, producers
from registry.formats.network import Network, Operator, Subgraph, Tensor

_MAX_REASONS = 20
_RULES: Mapping[str, MacRule] = {**TFLITE_RULES, **ONNX_RULES}
_UNCOUNTED = TFLITE_UNCOUNTED | ONNX_UNCOUNTED
_WITHOUT = TFLITE_CUSTOM_WITHOUT | ONNX_FOREIGN_WITHOUT


@dataclass(frozen=True, slots=True)
class MacCount:
    """MACs of one run; None where `unknown` says why they do not follow from the file."""

    macs: int | None
    unknown: tuple[str, ...] = ()


def count_macs(network: Network) -> MacCount:
    """MACs of one run of the main subgraph. Bodies of loops and branches count once each."""
    whole = 0
    unknown: dict[str, None] = {}
    for subgraph in network.running:
        for operator in subgraph.operators:
            try:
                whole += operator_macs(operator, subgraph)
            except UnknownMacs as reason:
                unknown[str(reason)] = None
    return MacCount(None if unknown else whole, tuple(unknown)[:_MAX_REASONS])


def network_parameters(network: Network) -> int:
    """Weights and biases: the elements of all constant tensors that MAC operators read.

    A tensor that several operators share counts once; one that is read through a change of its
    form counts as it stands in the file; so does a bias that a separate operator adds.
    """
    return sum(
        tensor.elements
        for subgraph in network.subgraphs
        for tensor in {tensor.index: tensor for tensor in _weights(subgraph)}.values()
    )


def multiplies(operator: Operator) -> bool:
    """Whether an operator multiplies weights and there is a rule for how often."""
    return operator.name in _RULES


def weight_positions(operator: Operator) -> tuple[int, ...]:
    """Where among its inputs data, weights and biases stand."""
    return ONNX_WEIGHTS.get(operator.name, tuple(range(len(operator.inputs))))


def operator_macs(operator: Operator, subgraph: Subgraph) -> int:
    """MACs of one run of one operator; 0 for one that multiplies no weights.

    Raises UnknownMacs where they do not follow from the file.
    """
    rule = _RULES.get(operator.name)
    if rule is not None:
        return rule(operator, subgraph)
    if operator.name in _UNCOUNTED or (_is_foreign(operator) and operator.name not in _WITHOUT):
        raise UnknownMacs(f"how often {operator.name} multiplies is not known")
    return 0


def _is_foreign(operator: Operator) -> bool:
    """Whether it is of no set that this product knows: a custom one, or of another domain."""
    return ":" in operator.name or "." in operator.name


def _weights(subgraph: Subgraph) -> Iterator[Tensor]:
    given_by = producers(subgraph)
    for operator in subgraph.operators:
        for position in _positions(operator, given_by):
            index = operator.inputs[position] if position < len(operator.inputs) else -1
            if index < 0:
                continue
            tensor = carried_from(index, given_by, subgraph, WEIGHT_CARRIERS)
            if tensor.is_constant:
                yield tensor


def _positions(operator: Operator, given_by: Mapping[int, Operator]) -> tuple[int, ...]:
    if multiplies(operator):
        return weight_positions(operator)
    if operator.name != "Add":
        return ()
    added_to = [given_by.get(index) for index in operator.inputs]
    return (0, 1) if any(source and multiplies(source) for source in added_to) else ()
