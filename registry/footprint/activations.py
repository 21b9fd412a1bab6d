"""Bytes of tensors that are alive at once, whatever runtime holds them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from registry.formats.network import Network


def activation_timeline(network: Network) -> tuple[int, ...]:
    """Bytes alive at each operator when they run in the file's order, each tensor in its own place.

    Inputs live from the start, outputs to the end, constants not at all. Empty where a tensor's
    size is not known or the network has branches or loops. What a runtime takes differs both ways:
    it may compute in place, fuse operators or split them, and it has buffers of its own.
    """
    if len(network.subgraphs) != 1:
        return ()
    steps = len(network.operators)
    born, dies = _lives(network)
    changes = [0] * (steps + 1)
    for index in born:
        tensor = network.tensors[index]
        if tensor.is_constant:
            continue
        if tensor.size_bytes is None:
            return ()
        changes[born[index]] += tensor.size_bytes
        changes[dies[index] + 1] -= tensor.size_bytes
    return tuple(accumulate(changes[:steps]))


def peak_bytes(timeline: Sequence[int]) -> int | None:
    """The most that is alive at once; None where that is not known."""
    return max(timeline, default=None)


def _lives(network: Network) -> tuple[dict[int, int], dict[int, int]]:
    """For each tensor the operator at which it comes to be, and the last that touches it."""
    last = max(len(network.operators) - 1, 0)
    born = dict.fromkeys(network.main.inputs, 0)
    dies = dict.fromkeys(network.main.inputs, 0)
    for step, operator in enumerate(network.operators):
        born |= {index: step for index in operator.outputs if index not in born}
        dies |= dict.fromkeys((*operator.inputs, *operator.outputs), step)
    dies |= dict.fromkeys(network.main.outputs, last)
    return born, dies
