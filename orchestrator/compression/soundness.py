"""What a network and its calibration images have to be before a converter is asked.

A converter that meets something else fails deep inside itself, or makes a file that answers
nonsense.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from orchestrator.compression.blame import blame
from orchestrator.compression.digits import Images

_ROOM_BYTES = 8 << 20
_COPIES = 4  # of the weights, in files of converters


class ConversionError(ValueError):
    """The network cannot become an int8 file; says why, and where one is to blame, which layer."""


def first_line(error: BaseException) -> str:
    """Of what was raised; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def check_weights(network: nn.Module) -> None:
    """ConversionError unless all weights are finite, float32 and in this machine's memory."""
    for name, weights in (*network.named_parameters(), *network.named_buffers()):
        if weights.device.type != "cpu":
            raise ConversionError(f"layer {name} is on {weights.device}, not on the CPU")
        if not bool(torch.isfinite(weights).all()):
            raise ConversionError(f"layer {name} has weights that are not finite")
    for name, weights in network.named_parameters():
        if weights.dtype is not torch.float32:
            told = str(weights.dtype).removeprefix("torch.")
            raise ConversionError(f"layer {name} has weights of {told}, not of float32")


def check_room(network: nn.Module) -> None:
    """OSError where the temporary folder is full: converters end the whole process there."""
    folder = tempfile.gettempdir()
    weights = sum(each.numel() * each.element_size() for each in network.parameters())
    if shutil.disk_usage(folder).free < _ROOM_BYTES + _COPIES * weights:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)


def checked_images(calibration: Images) -> Images:
    """The images, (n, ...), as torch takes them. ConversionError says what was expected, and given.

    Whoever calls may have them from anywhere: the type is looked at, too.
    """
    is_array = isinstance(calibration, np.ndarray)
    if not is_array or calibration.dtype != np.float32:
        given = f"an array of {calibration.dtype}" if is_array else type(calibration).__name__
        raise ConversionError(f"calibration images are an array of float32, not {given}")
    if calibration.ndim < 2:
        raise ConversionError(f"calibration images are (n, ...), not {calibration.shape}")
    if len(calibration) == 0:
        raise ConversionError("there are no calibration images; int8 ranges need some")
    if not bool(np.isfinite(calibration).all()):
        raise ConversionError("calibration images hold values that are not finite")
    return np.array(calibration)  # torch takes no negative strides, and warns of read-only memory


def check_answer(network: nn.Module, images: Images) -> None:
    """ConversionError unless it takes one of the images and answers with tensors."""
    try:
        with torch.no_grad():
            answer = network(torch.from_numpy(images[:1]))
    except Exception as error:  # the network's own code, which may raise anything
        at = blame(error, network)
        told = f"{first_line(error)} ({at})" if at else first_line(error)
        shape = images.shape[1:]
        raise ConversionError(f"the network does not take images of {shape}: {told}") from error
    given = [type(leaf).__name__ for leaf in tree_leaves(answer)]
    if not given or set(given) != {"Tensor"}:
        wrong = next((name for name in given if name != "Tensor"), "nothing")
        raise ConversionError(f"the network answers with {wrong}, where an int8 file gives tensors")


def not_finite(network: nn.Module, images: Images) -> str:
    """Which layer it is whose answer to some image is not finite, as a reason; it costs a pass."""
    names = {id(each): name for name, each in network.named_modules()}
    found: list[str] = []

    def look(layer: nn.Module, taken: Any, given: Any) -> None:
        tensors = [leaf for leaf in tree_leaves(given) if isinstance(leaf, torch.Tensor)]
        if not all(bool(torch.isfinite(each).all()) for each in tensors):
            name = names[id(layer)]
            found.append(f"layer {name}" if name else "the network")
            found[-1] += f" ({type(layer).__name__})"

    hooks = [layer.register_forward_hook(look) for layer in network.modules()]
    try:
        with torch.no_grad():
            for image in torch.from_numpy(images).split(1):
                network(image)
                if found:
                    break
    finally:
        for hook in hooks:
            hook.remove()
    return f"{found[0] if found else 'the network'} answers with values that are not finite"
