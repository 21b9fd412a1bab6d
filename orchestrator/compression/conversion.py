"""From a trained torch network to the int8 file that a microcontroller runs.

litert-torch exports it to a float .tflite, ai-edge-quantizer calibrates it on real images and makes
all of it int8, inputs and outputs too, and names that no runtime reads are stripped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from torch import nn

from orchestrator.compression.blame import Blame, blame, blame_operator, without_location
from orchestrator.compression.digits import Images
from orchestrator.compression.evaluation import Int8Classifier
from orchestrator.compression.quiet import quiet
from orchestrator.compression.ranges import NotFinite, RangeRule, observed
from orchestrator.compression.soundness import (
    ConversionError,
    check_answer,
    check_room,
    check_weights,
    checked_images,
    first_line,
    not_finite,
)
from registry.formats.model_file import read_network
from registry.formats.tflite import strip_names

__all__ = ["ConversionError", "convert_int8"]

_LEAST = 1e-12  # variance: of an output that is always the same


def convert_int8(
    network: nn.Module, calibration: Images, rule: RangeRule = RangeRule.NEAREST
) -> bytes:
    """The stripped int8 .tflite of a network that takes one image (1, ...) of `calibration`.

    `rule` says which ranges of the calibration images the int8 steps are spread over.
    Raises ConversionError for weights, answers or images that are not finite, for no images, for
    images that are not float32 or that the network does not take, and for what a converter cannot
    express, by operator and layer; OSError where the disk is full. The network is left in
    evaluation mode.
    """
    with quiet():
        network.eval()
        check_weights(network)
        images = checked_images(calibration)
        check_answer(network, images)
        check_room(network)
        import litert_torch  # noqa: F401  # takes seconds, talks, and sets up logs of its own
    with quiet():
        float_model = _exported(network, images)
        return strip_names(_full_integer(network, float_model, images, rule))


def _exported(network: nn.Module, calibration: Images) -> bytes:
    import litert_torch

    try:
        model = litert_torch.convert(network, (torch.from_numpy(calibration[:1]),))
    except OSError:
        raise
    except Exception as error:  # a library's own, of any kind: it is told, with what it met
        raise ConversionError(_told("litert-torch", blame(error, network), error)) from error
    with TemporaryDirectory(prefix="tinyfleet-") as folder:
        path = Path(folder) / "float.tflite"
        model.export(str(path))
        return path.read_bytes()


def _full_integer(
    network: nn.Module, float_model: bytes, calibration: Images, rule: RangeRule
) -> bytes:
    try:
        return _quantized(float_model, calibration, rule)
    except (ConversionError, OSError):
        raise  # a full disk is no fault of the network's
    except NotFinite as error:
        raise ConversionError(not_finite(network, calibration)) from error
    except Exception as error:  # as in _exported
        found = blame_operator(str(error), float_model, network)
        raise ConversionError(_told("ai-edge-quantizer", found, error)) from error


def _told(converter: str, found: Blame | None, error: Exception) -> str:
    """Operator and layer, where they can be told, and the first line of what was raised."""
    first = without_location(first_line(error))
    return f"{converter} cannot convert {found or 'the network'}: {first}"


def _quantized(float_model: bytes, calibration: Images, rule: RangeRule) -> bytes:
    from ai_edge_quantizer import quantizer, recipe

    rules = recipe.static_wi8_ai8()
    files = {}
    for name, ranges in observed(float_model, rules, _steps(float_model, calibration)).items():
        if rule in (name, RangeRule.NEAREST):
            quantizing = quantizer.Quantizer(bytearray(float_model), rules)
            found = quantizing.quantize(ranges, enable_progress_report=False)
            files[name] = bytes(found.quantized_model)
            _check_ends(files[name])
    return files[rule] if rule in files else _nearest(files.values(), float_model, calibration)


def _check_ends(model: bytes) -> None:
    """An input that no answer depends on, for one, is left as it was."""
    graph = read_network(model)
    for side, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for place, tensor in enumerate(tensors):
            if not tensor.dtype.lower().startswith("int"):
                told = f"{side} {place} stays {tensor.dtype.lower()}"
                raise ConversionError(
                    f"ai-edge-quantizer makes no int8 file of the network: {told}"
                )


def _nearest(files: Iterable[bytes], float_model: bytes, calibration: Images) -> bytes:
    wanted = _float_answers(float_model, calibration)
    return min(files, key=lambda file: _distance(Int8Classifier(file).run(calibration), wanted))


def _float_answers(float_model: bytes, images: Images) -> list[Images]:
    interpreter = _interpreter(float_model)
    interpreter.allocate_tensors()
    (taken,) = interpreter.get_input_details()
    answers = []
    for image in images:
        interpreter.set_tensor(taken["index"], image[np.newaxis])
        interpreter.invoke()
        given = interpreter.get_output_details()
        answers.append([interpreter.get_tensor(each["index"])[0] for each in given])
    return [np.stack(each) for each in zip(*answers, strict=True)]


def _distance(answers: list[Images], wanted: list[Images]) -> float:
    """The mean square of the difference, each output's in units of its own variance, summed."""
    return sum(
        float(((ours - theirs) ** 2).mean() / (theirs.var() + _LEAST))
        for ours, theirs in zip(answers, wanted, strict=True)
    )


def _steps(float_model: bytes, calibration: Images) -> dict[str, Sequence[dict[str, Any]]]:
    """One image a step, under the name that the signature gives its only input."""
    ((signature, names),) = _interpreter(float_model).get_signature_list().items()
    (image,) = names["inputs"]
    steps = [{image: calibration[i : i + 1]} for i in range(len(calibration))]
    return {signature: steps}


def _interpreter(float_model: bytes) -> Interpreter:
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(model_content=float_model, experimental_op_resolver_type=resolver)
