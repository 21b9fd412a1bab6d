"""How much work one inference is: instructions on a Cortex-M4 with CMSIS-NN.

The work of a network is a sum over a few kinds of work (MACs of 8-bit convolutions, bytes of image
that they unroll, outputs that they scale back ...), each with its cost in instructions. Costs are
fitted by `calibration` to instruction counts measured on an emulated core; a network with a kind of
work that too few measured networks have gets no figure.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from registry.footprint.mac_rules import UnknownMacs
from registry.footprint.macs import operator_macs
from registry.formats.network import Network, Operator, Subgraph, Tensor

COSTS_FILE = Path(__file__).with_name("instruction_costs.json")

_COPIES = frozenset({"RESHAPE", "EXPAND_DIMS", "SQUEEZE"})
_PRODUCTS = ("convolution", "depthwise", "fully connected")
_EXPONENTIALS = frozenset({"SOFTMAX", "LOGISTIC", "TANH"})


@dataclass(frozen=True, slots=True)
class Estimate:
    """A derived figure; four of five networks that its calibration left out erred by less than
    `error` (0.25 is 25 %)."""

    value: float
    error: float | None


@dataclass(frozen=True, slots=True)
class InstructionCosts:
    """Instructions per unit of each kind of work, where they come from, and how far they err.

    `most_other_work` is the largest ratio of other work to products among the measured networks:
    what pooling or adding costs is not known beyond it.
    """

    source: str
    most_other_work: float
    costs: Mapping[str, float]
    error: float
    median_error: float


@cache
def instruction_costs() -> InstructionCosts:
    """The costs that this product carries."""
    facts = json.loads(COSTS_FILE.read_text(encoding="utf-8"))
    return InstructionCosts(
        source=facts["source"],
        most_other_work=facts["most_other_work"],
        costs=facts["costs"],
        error=facts["error"],
        median_error=facts["median_error"],
    )


def predict_instructions(network: Network, kernels: str = "cmsis_nn") -> Estimate | None:
    """Instructions of one inference on a Cortex-M4 with CMSIS-NN; None without a basis."""
    if kernels != "cmsis_nn":
        return None
    known = instruction_costs()
    work = network_work(network)
    if not work.keys() <= known.costs.keys() or other_work(work) > known.most_other_work:
        return None
    value = sum(known.costs[kind] * amount for kind, amount in work.items())
    return Estimate(round(value), known.error)


def network_work(network: Network) -> dict[str, float]:
    """How much of each kind of work the main subgraph does; kinds with none are left out."""
    work: dict[str, float] = defaultdict(float)
    for operator in network.operators:
        work["operator"] += 1
        for kind, amount in _operator_work(operator, network.main):
            work[kind] += amount
    return {kind: amount for kind, amount in work.items() if amount}


def other_work(work: Mapping[str, float]) -> float:
    """Elements that are only moved, compared or added, per product of a weight."""
    products = sum(amount for kind, amount in work.items() if kind.startswith(_PRODUCTS))
    return work.get("elements", 0.0) / products if products else math.inf


def _operator_work(operator: Operator, graph: Subgraph) -> list[tuple[str, float]]:
    source = graph.tensor(operator.inputs[0]) if operator.inputs else None
    if source is None or not operator.outputs or operator.name in _COPIES:
        return []
    output = graph.tensors[operator.outputs[0]]
    try:
        macs = operator_macs(operator, graph)
    except UnknownMacs:
        return [(f"{operator.name} of unknown size", 1)]
    if operator.name == "CONV_2D":
        unrolled = _unrolled_elements(operator, graph, output)
        return [*_products("convolution", macs, source, output), *unrolled]
    if operator.name == "DEPTHWISE_CONV_2D":
        several = source.shape[-1:] != output.shape[-1:]
        kind = "depthwise with multiplier" if several else "depthwise"
        return _products(kind, macs, source, output)
    if operator.name == "FULLY_CONNECTED":
        return _products("fully connected", macs, source, output)
    if macs:
        return [(f"{operator.name} {source.dtype}", macs)]
    if operator.name in _EXPONENTIALS:
        return [(f"exponentials {source.dtype}", output.elements)]
    return [("elements", max(source.elements, output.elements))]


def _products(kind: str, macs: int, source: Tensor, output: Tensor) -> list[tuple[str, float]]:
    return [(f"{kind} {source.dtype}", macs), (f"scaled outputs {source.dtype}", output.elements)]


def _unrolled_elements(
    operator: Operator, graph: Subgraph, output: Tensor
) -> list[tuple[str, float]]:
    """What CMSIS-NN copies to unroll an 8-bit image; nothing for filters of one element."""
    source, weights = (graph.tensor(index) for index in operator.inputs[:2])
    if source is None or weights is None or source.dtype != "INT8" or len(weights.shape) != 4:
        return []
    filters, height, width, depth = weights.shape
    if (height, width) == (1, 1) or not filters:
        return []
    return [
        ("unrolled elements INT8", output.elements / filters * math.prod((height, width, depth)))
    ]
