"""An operator's tensors by their position, and the constants that they come of."""

from __future__ import annotations

from collections.abc import Container, Mapping

from registry.formats.network import Operator, Subgraph, Tensor

# Operators that give a tensor in another form: what reads them reads that tensor.
CARRIERS = frozenset(
    [
        "DequantizeLinear",
        "Cast",
        "Transpose",
        "Reshape",
        "Identity",
        "Squeeze",
        "Unsqueeze",
        "DEQUANTIZE",
        "DENSIFY",
        "CAST",
        "TRANSPOSE",
        "RESHAPE",
    ]
)
# Exporters put a handful of them behind each other. A chain of thousands would be walked again by
# each operator that reads from its end.
MAX_CARRIED = 32
# Weights may be kept as real numbers that are quantized while the network runs.
WEIGHT_CARRIERS = CARRIERS | {"QuantizeLinear"}


def input_tensor(operator: Operator, subgraph: Subgraph, position: int) -> Tensor | None:
    """The input at that position, or None where it is left out."""
    if position >= len(operator.inputs):
        return None
    return subgraph.tensor(operator.inputs[position])


def output_tensor(operator: Operator, subgraph: Subgraph) -> Tensor | None:
    """The first output, or None for an operator that gives nothing."""
    return subgraph.tensors[operator.outputs[0]] if operator.outputs else None


def producers(subgraph: Subgraph) -> dict[int, Operator]:
    """The operator that gives each tensor, by the tensor's index."""
    return {index: operator for operator in subgraph.operators for index in operator.outputs}


def carried_from(
    index: int,
    given_by: Mapping[int, Operator],
    subgraph: Subgraph,
    carriers: Container[str] = CARRIERS,
) -> Tensor:
    """The tensor that this one is another form of: the same one where nothing carries it over."""
    for _ in range(MAX_CARRIED):
        operator = given_by.get(index)
        source = operator.inputs[0] if operator is not None and operator.inputs else -1
        if subgraph.tensors[index].is_constant or operator is None or source < 0:
            break
        if operator.name not in carriers:
            break
        index = source
    return subgraph.tensors[index]
