"""What one node asks of the arena, and how kernels' models read the node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from registry.footprint.layout import Layout
from registry.formats.network import Operator, Subgraph, Tensor


@dataclass(frozen=True, slots=True)
class KernelNeed:
    """The allocations that one node makes.

    `options` are the members (`registry.footprint.layout`) of its decoded options, `state` those of
    what its kernel keeps from Init. In bytes: `prepared` is what it keeps from Prepare, `scratch`
    what it uses while it runs. `temporaries` are the tensors that it looks at in Prepare, each as
    often as it does; `afterwards` those that it looks at when it has kept what it keeps; `running`
    those that it looks at while it runs.
    """

    options: str = ""
    state: str = ""
    prepared: tuple[int, ...] = ()
    scratch: tuple[int, ...] = ()
    temporaries: tuple[int, ...] = ()
    afterwards: tuple[int, ...] = ()
    running: tuple[int, ...] = ()


class UnmodelledNode(ValueError):
    """The kernel's need is not known, or the kernel refuses this node; says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """An operator in its subgraph, with the kernel set and the machine that run it."""

    operator: Operator
    graph: Subgraph
    cmsis_nn: bool
    layout: Layout

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


def takes(types: str, model: KernelModel, position: int = 0) -> KernelModel:
    """The model of a kernel that takes only those types at that input."""
    allowed = types.split()

    def need(node: Node) -> KernelNeed:
        require_types(node, node.input(position), *allowed)
        return model(node)

    return need


def converts(pairs: Mapping[str, str], model: KernelModel, position: int = 0) -> KernelModel:
    """The model of a kernel that turns each type at that input into those beside it."""

    def need(node: Node) -> KernelNeed:
        source, target = node.input(position), node.output()
        require_types(node, source, *pairs)
        if target.dtype not in pairs[source.dtype].split():
            raise UnmodelledNode(
                f"{node.operator.name} does not turn {source.dtype} into {target.dtype}"
            )
        return model(node)

    return need


def at_most(rank: int, model: KernelModel) -> KernelModel:
    """The model of a kernel whose first input has no more dimensions than that."""

    def need(node: Node) -> KernelNeed:
        if len(node.input(0).shape) > rank:
            raise UnmodelledNode(f"{node.operator.name} takes at most {rank} dimensions")
        return model(node)

    return need


def at_most_with_cmsis_nn(rank: int, types: str, model: KernelModel) -> KernelModel:
    """The model of a kernel whose CMSIS-NN version ends where inputs of those types, or what comes
    of them, have more dimensions than that; the portable one takes them."""
    limited = types.split()

    def need(node: Node) -> KernelNeed:
        tensors = (*map(node.input, range(len(node.operator.inputs))), node.output())
        longest = max(len(tensor.shape) for tensor in tensors)
        if node.cmsis_nn and tensors[0].dtype in limited and longest > rank:
            raise UnmodelledNode(
                f"{node.operator.name} of CMSIS-NN takes at most {rank} dimensions"
            )
        return model(node)

    return need


def alike(model: KernelModel) -> KernelModel:
    """The model of a kernel whose first two inputs have one type."""

    def need(node: Node) -> KernelNeed:
        require_types(node, node.input(1), node.input(0).dtype)
        return model(node)

    return need


def gives(types: str, model: KernelModel) -> KernelModel:
    """The model of a kernel that gives only those types."""
    allowed = types.split()

    def need(node: Node) -> KernelNeed:
        if node.output().dtype not in allowed:
            raise UnmodelledNode(f"{node.operator.name} does not give {node.output().dtype}")
        return model(node)

    return need


def constant(positions: tuple[int, ...], model: KernelModel) -> KernelModel:
    """The model of a kernel that wants to know those inputs before it runs."""

    def need(node: Node) -> KernelNeed:
        for position in positions:
            if not node.input(position).is_constant:
                raise UnmodelledNode(
                    f"{node.operator.name} takes input {position} only as a constant"
                )
        return model(node)

    return need
