"""Every network of the zoo, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.compression.zoo import (
    anomaly_autoencoder,
    compact_transformer,
    digit_cnn,
    ds_cnn,
    gaze,
    gesture_cnn,
    presence_mlp,
    sine,
    tiny_transformer,
)
from orchestrator.compression.zoo.entry import ZooEntry

_MODULES = (
    sine,
    digit_cnn,
    ds_cnn,
    tiny_transformer,
    compact_transformer,
    gaze,
    gesture_cnn,
    presence_mlp,
    anomaly_autoencoder,
)

ZOO: Mapping[str, ZooEntry] = MappingProxyType(
    {module.ENTRY.name: module.ENTRY for module in _MODULES}
)


def zoo_entry(name: str) -> ZooEntry:
    """The entry of that name. ValueError, with the names that there are, for any other."""
    try:
        return ZOO[name]
    except KeyError:
        raise ValueError(f"no network {name!r} in the zoo; there are {', '.join(ZOO)}") from None
