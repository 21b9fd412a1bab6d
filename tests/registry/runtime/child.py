"""Runs networks in TensorFlow Lite Micro itself, one line of JSON for each.

    python -m tests.registry.runtime.child < "PATH [ARENA_BYTES]" lines

The runtime ends its process over some networks that it refuses, so it gets one of its own.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from tflite_micro.python.tflite_micro import runtime

from registry.formats.tflite import parse

GRANULE = 16
ROOMY = 1 << 20
_ALLOCATED = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_KIND = re.compile(r"'([^']+)' used \d+ bytes .*?\(requested (\d+) bytes")


def run(model: bytes, arena_bytes: int) -> Any:
    """An interpreter of that arena after one inference. Raises what the runtime raises."""
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
    for index, tensor in enumerate(parse(model).inputs):
        if tensor.dtype != "INT4":  # numpy has no such type
            details = interpreter.get_input_details(index)
            interpreter.set_input(np.ones(details["shape"], details["dtype"]), index)
    interpreter.invoke()
    return interpreter


def runs(model: bytes, arena_bytes: int) -> bool:
    """Whether it allocates and runs in that arena, tried in a process that may end over it."""
    trial = os.fork()
    if not trial:
        try:
            run(model, arena_bytes)
        except RuntimeError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(trial, 0)[1] == 0


def measure(model: bytes, predicted: int, log: Any) -> dict[str, Any]:
    """What it allocated, and whether the predicted arena is enough and one granule less is not."""
    log.seek(0)
    log.truncate()
    try:
        run(model, ROOMY).print_allocations()
    except (RuntimeError, ValueError) as error:
        return {"refused": _printed(log) or str(error)}
    text = _printed(log)
    found: dict[str, Any] = {name: int(size) for name, size in _ALLOCATED.findall(text)}
    found["kinds"] = {name: int(size) for name, size in _KIND.findall(text)}
    if predicted:
        found["enough"] = runs(model, predicted)
        found["less_is_enough"] = runs(model, predicted - GRANULE)
    return found


def _printed(log: Any) -> str:
    sys.stderr.flush()
    log.seek(0)
    return str(log.read().decode(errors="replace"))


def main() -> None:
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
        for line in sys.stdin:
            path, _, predicted = line.strip().partition(" ")
            found = measure(Path(path).read_bytes(), int(predicted or 0), log)
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
