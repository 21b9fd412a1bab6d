"""Small members of the digit family, each built once for all tests."""

from __future__ import annotations

from functools import cache

from orchestrator.compression.family import BuiltVariant, build_family, digit_family


@cache
def quickly_built(*names: str) -> dict[str, BuiltVariant]:
    """The named variants, trained for two epochs: whole in form, poor in accuracy."""
    recipe = digit_family(0).only(names).with_epochs(2)
    return {built.name: built for built in build_family(recipe, lambda share, doing: None)}


@cache
def well_built(*names: str) -> dict[str, BuiltVariant]:
    """The named variants as the family has them."""
    recipe = digit_family(0).only(names)
    return {built.name: built for built in build_family(recipe, lambda share, doing: None)}
