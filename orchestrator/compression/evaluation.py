"""The int8 file itself, run on the host by the kernels that TensorFlow Lite Micro's agree with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from orchestrator.compression.digits import DigitImages, Images

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the file got right of how many images it has never seen."""

    correct: int
    images: int

    @property
    def accuracy(self) -> float:
        """As a fraction of one."""
        return self.correct / self.images


class Int8Classifier:
    """A .tflite with int8 input and outputs. Output 0 are logits; output 1, if any, features."""

    def __init__(self, model: bytes) -> None:
        # Without the default delegate: the same integer kernels everywhere, and no console line.
        self._interpreter = Interpreter(
            model_content=model,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            num_threads=1,
        )
        self._interpreter.allocate_tensors()
        (self._input,) = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    def run(self, images: Images) -> list[Floats]:
        """Each output, dequantized, over all images: arrays of shape (n, ...)."""
        answers: list[list[Floats]] = [[] for _ in self._outputs]
        for image in images:
            self._interpreter.set_tensor(self._input["index"], self._quantized(image))
            self._interpreter.invoke()
            for kept, output in zip(answers, self._outputs, strict=True):
                kept.append(self._dequantized(output))
        return [np.stack(kept) for kept in answers]

    def _quantized(self, image: Floats) -> npt.NDArray[np.int8]:
        scale, zero_point = self._input["quantization"]
        steps = np.clip(np.round(image / scale) + zero_point, -128, 127)
        return steps.astype(np.int8)[np.newaxis]

    def _dequantized(self, output: dict[str, Any]) -> Floats:
        scale, zero_point = output["quantization"]
        steps = self._interpreter.get_tensor(output["index"])[0].astype(np.float32)
        return np.asarray((steps - zero_point) * scale, np.float32)


def evaluate(model: bytes, data: DigitImages) -> Evaluation:
    """How often the largest of output 0 is the label."""
    said = Int8Classifier(model).run(data.images)[0].argmax(1)
    return Evaluation(correct=int((said == data.labels).sum()), images=len(data))
