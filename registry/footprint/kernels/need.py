"""What one node asks of the arena, and how kernels' models read the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from registry.formats.network import Operator, Subgraph, Tensor


@dataclass(frozen=True, slots=True)
class KernelNeed:
    """The allocations that one node makes, in bytes.

    `options` is the struct of decoded options with its alignment; `state` what its kernel keeps
    from Init; `prepared` what it keeps from Prepare; `scratch` what it uses while it runs;
    `temporaries` the tensors that it looks at in Prepare, each as often as it does, and `running`
    those that it looks at while it runs.
    """

    options: tuple[int, int] = (0, 1)
    state: int = 0
    prepared: tuple[int, ...] = ()
    scratch: tuple[int, ...] = ()
    temporaries: tuple[int, ...] = ()
    running: tuple[int, ...] = ()


class UnmodelledNode(ValueError):
    """The kernel's need is not known, or the kernel refuses this node; says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """An operator in its subgraph, with the kernel set that runs it."""

    operator: Operator
    graph: Subgraph
    cmsis_nn: bool

    def input(self, position: int) -> Tensor:
        """An input that must be there. Raises UnmodelledNode."""
        tensor = self.optional(position)
        if tensor is None:
            raise UnmodelledNode(f"{self.operator.name} lacks its input {position}")
        return tensor

    def optional(self, position: int) -> Tensor | None:
        """An input that may be left out."""
        if position >= len(self.operator.inputs):
            return None
        return self.graph.tensor(self.operator.inputs[position])

    def output(self, position: int = 0) -> Tensor:
        """An output. Raises UnmodelledNode."""
        if position >= len(self.operator.outputs):
            raise UnmodelledNode(f"{self.operator.name} lacks its output {position}")
        return self.graph.tensors[self.operator.outputs[position]]

    def shaped(self, position: int, rank: int) -> Tensor:
        """An input of that many dimensions. Raises UnmodelledNode."""
        tensor = self.input(position)
        if len(tensor.shape) != rank:
            raise UnmodelledNode(
                f"{self.operator.name}: input {position} has {len(tensor.shape)} dimensions,"
                f" not {rank}"
            )
        return tensor

    def looks_at(self, *positions: int, outputs: int = 1) -> tuple[int, ...]:
        """The indices of those inputs that are there, then of the first outputs."""
        inputs = (self.optional(position) for position in positions)
        found = tuple(tensor.index for tensor in inputs if tensor is not None)
        return found + self.operator.outputs[:outputs]


KernelModel: TypeAlias = Callable[[Node], KernelNeed]


def require_types(node: Node, tensor: Tensor, *allowed: str) -> None:
    """Raises UnmodelledNode where the kernel does not take the tensor's type."""
    if tensor.dtype not in allowed:
        raise UnmodelledNode(f"{node.operator.name} does not take {tensor.dtype}")
