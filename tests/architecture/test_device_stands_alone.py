"""The device shares the protocol with the server and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = ("django", "registry", "ontology", "deploy", "rdflib", "torch", "mlflow")
PROBE = """
import pkgutil, importlib, sys, device_firmware_sim
for module in pkgutil.walk_packages(device_firmware_sim.__path__, "device_firmware_sim."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_a_fresh_interpreter_loads_the_device_alone() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    loaded = set(answer.stdout.split())
    assert "device_firmware_sim" in loaded
    assert not loaded & set(FORBIDDEN)
