"""What is known of a tensor before a network runs, and of the node that a rule is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from registry.formats.network import UNDEFINED

# A length that the file leaves open is None.
Dim: TypeAlias = int | None
Shape: TypeAlias = tuple[Dim, ...]
Number: TypeAlias = int | float
_Rule = TypeVar("_Rule")

# Shapes are computed by tensors of a few numbers; larger ones are weights.
MAX_FOLDED = 1024


class CannotInfer(Exception):
    """A shape depends on what is not known before the network runs, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor's type, its shape (None: not even the rank) and, of a small constant, its numbers.

    `numbers` is flat, in C order; an entry that is not known is None.
    """

    dtype: str = UNDEFINED
    shape: Shape | None = None
    numbers: tuple[Number | None, ...] | None = None


UNKNOWN = Value()


@dataclass(frozen=True, slots=True)
class Call:
    """A node with what is known of its inputs; None stands for one that is left out.

    `attributes` are numbers, texts, tuples of either, and of tensors their Value.
    """

    name: str
    opset: int
    inputs: tuple[Value | None, ...]
    outputs: int
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def has(self, position: int) -> bool:
        """Whether the input is given."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def value(self, position: int) -> Value:
        """The input, or one of which nothing is known."""
        found = self.inputs[position] if position < len(self.inputs) else None
        return UNKNOWN if found is None else found

    def dtype(self, position: int) -> str:
        """The input's type."""
        return self.value(position).dtype

    def shape(self, position: int) -> Shape:
        """The input's shape. Raises CannotInfer where its rank is not known."""
        shape = self.value(position).shape
        if shape is None:
            raise CannotInfer
        return shape

    def numbers(self, position: int) -> tuple[Number | None, ...]:
        """The input's contents. Raises CannotInfer where they are not known beforehand."""
        numbers = self.value(position).numbers
        if numbers is None:
            raise CannotInfer
        return numbers

    def lengths(self, position: int) -> tuple[Dim, ...]:
        """The input's contents, which must be whole numbers."""
        numbers = self.numbers(position)
        if any(isinstance(n, float) for n in numbers):
            raise CannotInfer
        return tuple(None if n is None else int(n) for n in numbers)

    def integer(self, name: str, default: int = 0) -> int:
        """An attribute, or the default where the node has none or another form of it."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, int) else default

    def text(self, name: str, default: str = "") -> str:
        """The same for a text."""
        value = self.attributes.get(name, default)
        return value if isinstance(value, str) else default

    def integers(self, name: str) -> tuple[int, ...] | None:
        """The same for a list of whole numbers."""
        value = self.attributes.get(name)
        if not isinstance(value, tuple) or not all(isinstance(n, int) for n in value):
            return None
        return value

    def listed(self, name: str, position: int) -> tuple[Dim, ...] | None:
        """A list that older opsets have as an attribute and newer ones as an input."""
        if self.has(position):
            return self.lengths(position)
        return self.integers(name)


def axis_of(axis: Dim, rank: int) -> int:
    """An axis counted from the front. Raises CannotInfer for one that is not there."""
    if axis is None or not -rank <= axis < rank:
        raise CannotInfer
    return axis % rank


def axes_of(axes: Sequence[Dim], rank: int) -> tuple[int, ...]:
    """The same for several."""
    return tuple(axis_of(axis, rank) for axis in axes)


def product(lengths: Sequence[Dim]) -> Dim:
    """The number of elements, None where a length is open; 0 where one is."""
    result = 1
    for length in lengths:
        if length is None:
            return None
        result *= length
    return result


def broadcast(*shapes: Shape) -> Shape:
    """The shape that all stretch to (numpy's rule). Raises CannotInfer where they do not."""
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(_stretched(lengths) for lengths in zip(*padded, strict=True))


def _stretched(lengths: Sequence[Dim]) -> Dim:
    fixed = {length for length in lengths if length not in (None, 1)}
    if len(fixed) > 1:
        raise CannotInfer
    if fixed:
        return fixed.pop()
    return None if None in lengths else 1


def for_each(names: str, rule: _Rule) -> dict[str, _Rule]:
    """The same rule for several operators, named in one text."""
    return dict.fromkeys(names.split(), rule)
