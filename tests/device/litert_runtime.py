"""LiteRT as a program, for clients that call their interpreter by a command.

`load SLOT ARENA_BUDGET_BYTES` says what the network takes and gives, `run SLOT INPUT` what it
computes; device_firmware_sim/c_client/runtime_command.h says in which words.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

NO_NETWORK, ARENA_TOO_SMALL = 3, 4


def opened(slot: str) -> Interpreter:
    """The network, ready to run; reference kernels, as TFLite Micro's."""
    interpreter = Interpreter(
        model_path=slot, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    return interpreter


def load(slot: str, arena_budget_bytes: str) -> int:
    try:
        network = opened(slot)
    except (RuntimeError, ValueError):
        return NO_NETWORK
    tensors = [network.get_input_details()[0], network.get_output_details()[0]]
    # What goes in and out is the least that an arena has to hold.
    if sum(int(np.prod(t["shape"])) for t in tensors) > int(arena_budget_bytes):
        return ARENA_TOO_SMALL
    for kind, tensor in zip(("input", "output"), tensors, strict=True):
        print(kind, np.dtype(tensor["dtype"]).name, *tensor["shape"])
    return 0


def run(slot: str, given: str) -> int:
    network = opened(slot)
    entry = network.get_input_details()[0]
    values = np.frombuffer(Path(given).read_bytes(), entry["dtype"]).reshape(entry["shape"])
    network.set_tensor(entry["index"], values)
    network.invoke()
    first = network.get_tensor(network.get_output_details()[0]["index"])
    sys.stdout.buffer.write(first.tobytes())
    return 0


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    sys.exit({"load": load, "run": run}[verb](*words))
