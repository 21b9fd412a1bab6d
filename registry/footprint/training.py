"""What learning on the device costs in memory."""

from __future__ import annotations

_FLOAT_BYTES = 4


def online_layer_bytes(features: int, classes: int) -> int:
    """RAM in bytes of a last layer that learns sample by sample on frozen features.

    Softmax regression by stochastic gradient descent in float32, as TinyOL has it (Ren, Anicic and
    Runkler, "TinyOL: TinyML with Online-Learning on Microcontrollers", 2021): weights
    (features x classes) and biases are kept; one sample's features and logits are live, and the
    gradient replaces the logits in place, so it takes nothing more.

    Raises ValueError unless both are positive.
    """
    if features < 1 or classes < 1:
        raise ValueError(f"a layer of {features} features and {classes} classes cannot exist")
    kept = features * classes + classes
    live = features + classes
    return _FLOAT_BYTES * (kept + live)
