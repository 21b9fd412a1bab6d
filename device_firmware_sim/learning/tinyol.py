"""TinyOL: an online last layer on frozen features, trained one sample at a time.

After H. Ren, D. Anicic and T. Runkler, "TinyOL: TinyML with Online-Learning on Microcontrollers",
IJCNN 2021: the network stays as it is in flash, one dense softmax layer in RAM replaces its last
one, inputs are standardised by running statistics, and each labelled sample makes one step of
stochastic gradient descent and is forgotten.

Two things differ from the paper. The variance is pooled into one scalar, which costs 4 bytes
instead of 4 for each feature and lost nothing measurable. And the weights are kept for features as
the network gives them: the step is transformed instead, so the layer starts as exactly the
network's own last layer, and layers of different devices can be averaged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_FLOAT_BYTES = 4
_WINDOW_SAMPLES = 64
_VARIANCE_FLOOR = np.float32(1e-6)


def training_bytes(features: int, classes: int) -> int:
    """RAM that training takes beside the network's arena, in bytes: exactly `OnlineLayer`'s state.

    Weights and biases, running mean, the sample in hand, the error in hand; variance and count.
    """
    floats = (features + 1) * classes + 2 * features + classes
    return floats * _FLOAT_BYTES + 8


class OnlineLayer:
    """logits = features @ weights + biases, in float32; `layer` is (features + 1, classes).

    The last row of `layer` holds the biases.
    """

    def __init__(self, layer: Floats) -> None:
        features = layer.shape[0] - 1
        self.layer = np.array(layer, np.float32)
        self._mean = np.zeros(features, np.float32)
        self._sample = np.zeros(features, np.float32)
        self._error = np.zeros(layer.shape[1], np.float32)
        self._variance = np.zeros(1, np.float32)
        self._seen = np.zeros(1, np.uint32)

    @property
    def state_bytes(self) -> int:
        """Bytes of everything that training holds; equals `training_bytes`."""
        arrays: tuple[NDArray[Any], ...] = (
            self.layer,
            self._mean,
            self._sample,
            self._error,
            self._variance,
            self._seen,
        )
        return sum(array.nbytes for array in arrays)

    @property
    def is_finite(self) -> bool:
        """False where a learning rate was so high that the weights ran away."""
        return bool(np.isfinite(self.layer).all())

    def classify(self, features: Floats) -> int:
        """The most likely class."""
        return int(np.argmax(features @ self.layer[:-1] + self.layer[-1]))

    def learn(self, features: Floats, label: int, learning_rate: float) -> int:
        """The class that it would have said before this sample, then one step towards `label`."""
        with np.errstate(over="ignore", invalid="ignore"):
            np.dot(features, self.layer[:-1], out=self._error)
            self._error += self.layer[-1]
            said = int(self._error.argmax())
            self._softmax_error(label)
            self._observe(features)
            self._step(features, np.float32(learning_rate))
        return said

    def _softmax_error(self, label: int) -> None:
        """Gradient of the cross-entropy by the logits: softmax(logits) - one_hot(label)."""
        self._error -= self._error.max()
        np.exp(self._error, out=self._error)
        self._error /= self._error.sum()
        self._error[label] -= 1

    def _observe(self, features: Floats) -> None:
        """Running mean and pooled variance over about the last 64 samples (Welford's update)."""
        self._seen[0] += 1
        share = np.float32(1 / min(int(self._seen[0]), _WINDOW_SAMPLES))
        np.subtract(features, self._mean, out=self._sample)
        self._mean += share * self._sample
        spread = np.float32(np.dot(self._sample, features - self._mean) / len(features))
        self._variance += share * (spread - self._variance)

    def _step(self, features: Floats, rate: np.float32) -> None:
        """One step of SGD in standardised features, expressed in the features as they are.

        With x' = (x - mean) / sd the layer is W' = W sd and b' = b + mean W. A step on W' and b'
        moves W by g = (x - mean) / variance and b by 1 - mean g, times error and rate.
        """
        np.subtract(features, self._mean, out=self._sample)
        self._sample /= self._variance + _VARIANCE_FLOOR
        self._error *= rate
        bias_step = np.float32(1) - np.dot(self._mean, self._sample)
        self.layer[:-1] -= np.outer(self._sample, self._error)
        self.layer[-1] -= bias_step * self._error
