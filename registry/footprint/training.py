"""What learning on the device costs in memory."""

from __future__ import annotations

_FLOAT_BYTES = 4
_VARIANCE_AND_COUNT = 2  # a float32 and a uint32


def online_layer_bytes(features: int, classes: int) -> int:
    """RAM in bytes of a last layer that learns sample by sample on frozen features.

    Softmax regression by stochastic gradient descent in float32, after TinyOL (Ren, Anicic and
    Runkler, "TinyOL: TinyML with Online-Learning on Microcontrollers", 2021). What
    docs/mqtt-protocol.md says of learning, and so what a device asks for: weights and biases, a
    running mean for each feature, one pooled variance and the count of samples are kept; the sample
    in hand and its error, which replaces the logits in place, are live.

    Raises ValueError unless both are positive.
    """
    if features < 1 or classes < 1:
        raise ValueError(f"a layer of {features} features and {classes} classes cannot exist")
    kept = (features + 1) * classes + features + _VARIANCE_AND_COUNT
    live = features + classes
    return _FLOAT_BYTES * (kept + live)
