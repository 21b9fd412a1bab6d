"""Names of a graph and what is known of them, with those of the graphs around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from registry.formats.network import Quantization, Tensor
from registry.formats.onnx.tensors import Constant
from registry.formats.onnx.values import UNKNOWN, Value
from registry.formats.tflite_names import text


@dataclass(slots=True)
class Scope:
    """One graph while it is read. `indices` gives each name its place among `order`."""

    outer: Scope | None = None
    depth: int = 0
    values: dict[str, Value] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)
    quantizations: dict[str, Quantization] = field(default_factory=dict)
    indices: dict[str, int] = field(default_factory=dict)
    # Scales and zero points by the names of the constants, each read once for all that share them.
    decoded: dict[tuple[str, str], tuple[float, ...] | tuple[int, ...]] = field(
        default_factory=dict
    )

    def __contains__(self, name: object) -> bool:
        return name in self.values or (self.outer is not None and name in self.outer)

    def value(self, name: str) -> Value:
        """What is known of a tensor of this graph or of one around it."""
        if name in self.values:
            return self.values[name]
        return UNKNOWN if self.outer is None else self.outer.value(name)

    def constant(self, name: str) -> Constant | None:
        """Its contents, where the file has them."""
        if name in self.values or self.outer is None:
            return self.constants.get(name)
        return self.outer.constant(name)

    def define(self, name: str, value: Value, constant: Constant | None = None) -> int:
        """A tensor of this graph; its index."""
        self.values[name] = value
        if constant is not None:
            self.constants[name] = constant
        return self.index(name)

    def index(self, name: str) -> int:
        """Its index among this graph's tensors; one from around gets one when it is first read."""
        return self.indices.setdefault(name, len(self.indices)) if name else -1

    def quantize(self, name: str, quantization: Quantization) -> None:
        """What a tensor's numbers stand for; the first that says so counts."""
        self.quantizations.setdefault(name, quantization)

    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors that this graph has or reads, by index."""
        return tuple(self._tensor(name, index) for name, index in self.indices.items())

    def index_all(self, names: Iterable[str]) -> tuple[int, ...]:
        """The index of each; -1 for an empty name."""
        return tuple(self.index(name) for name in names)

    def _tensor(self, name: str, index: int) -> Tensor:
        value, constant = self.value(name), self.constant(name)
        return Tensor(
            index=index,
            name=text(name),
            shape=tuple(-1 if n is None else n for n in value.shape or ()),
            dtype=value.dtype,
            quantization=self.quantizations.get(name),
            data=None if constant is None else constant.data,
            is_sparse=constant is not None and constant.is_sparse,
            has_shape=value.shape is not None,
        )
