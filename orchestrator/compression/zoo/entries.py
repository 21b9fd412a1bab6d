"""Every network of the zoo, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.compression.zoo import digit_cnn
from orchestrator.compression.zoo.entry import ZooEntry

ZOO: Mapping[str, ZooEntry] = MappingProxyType({entry.name: entry for entry in (digit_cnn.ENTRY,)})


def zoo_entry(name: str) -> ZooEntry:
    """The entry of that name. ValueError, with the names that there are, for any other."""
    try:
        return ZOO[name]
    except KeyError:
        raise ValueError(f"no network {name!r} in the zoo; there are {', '.join(ZOO)}") from None
