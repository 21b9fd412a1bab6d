"""The client in C as tests use it: built with gcc, and run as a process."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import cbor2

from device_firmware_sim.builds import RUNTIME_NAME, RUNTIME_VERSION, Build
from orchestrator.protocol.blocks import CRC_BYTES
from tests.device.server import ROOT

SOURCE = ROOT / "device_firmware_sim" / "c_client"
HEADERS = ("mosquitto.h", "openssl/evp.h", "cjson/cJSON.h", "cbor/streaming.h")
ORDER_WITHIN_S = 30.0


@functools.cache
def missing_tools() -> str:
    """Why the client cannot be built here, empty where it can."""
    for tool in ("gcc", "make"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    headers = "".join(f"#include <{header}>\n" for header in HEADERS)
    if not _compiles("-fsyntax-only", headers):
        return "libmosquitto-dev, libssl-dev, libcjson-dev and libcbor-dev are not all installed"
    if not _compiles("-fsanitize=address,undefined", "int main(void) { return 0; }\n"):
        return "gcc's sanitizers are not installed"
    return ""


def _compiles(option: str, program: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        command = ["gcc", option, "-x", "c", "-", "-o", f"{folder}/program"]
        done = subprocess.run(command, input=program, text=True, capture_output=True)
    return done.returncode == 0


def build(folder: Path, *options: str) -> Path:
    """Compile both programs into the folder; every warning is an error."""
    command = ["make", "-s", "-j2", "-C", str(SOURCE), f"BUILD={folder}", "CFLAGS=-O1 -g"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder


BOARD = "esp32-s3-devkitc-1"
BUILD = Build(
    board=BOARD,
    title="client in C",
    kernels="reference",
    arena_budget_bytes=49_152,
    slot_bytes=65_536,
    operators={"RESHAPE": 1, "FULLY_CONNECTED": 4},
    receive_buffer_bytes=2048,
    record_bytes=1024,
    ring_packs=0,
    speaks_cbor=False,
    sensors=(),
)


def firmware_file(build: Build) -> str:
    """What the image is and offers, as the client reads it."""
    facts = [
        f"board {build.board}",
        "firmware c-client 1.0.0",
        f"slot_bytes {build.slot_bytes}",
        f"arena_budget_bytes {build.arena_budget_bytes}",
        f"receive_buffer_bytes {build.receive_buffer_bytes}",
        f"runtime {RUNTIME_NAME} {RUNTIME_VERSION} {build.kernels}",
        *(f"operator {name} {version}" for name, version in build.operators.items()),
        *(f"dtype {dtype}" for dtype in build.dtypes),
    ]
    return "\n".join(facts) + "\n"


class CClient:
    """One device: its flash as a folder, and the process while it has power."""

    def __init__(self, program: Path, device: str, folder: Path, common: dict[str, str]) -> None:
        self.device = device
        self.flash = folder / "flash"
        self.flash.mkdir(parents=True)
        firmware = folder / "firmware"
        firmware.write_text(firmware_file(BUILD))
        runtime = f"{sys.executable} {Path(__file__).with_name('litert_runtime.py')}"
        options = {"device": device, "state": self.flash, "firmware": firmware, "runtime": runtime}
        named = (options | common).items()
        self._command = [str(program), *(f"--{name}={value}" for name, value in named)]
        self._heard = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._ear = threading.Thread()
        self.lines: list[str] = []

    def start(self, *options: str, environment: dict[str, str] | None = None) -> None:
        """Give it power."""
        self.lines = []
        self._process = subprocess.Popen(
            [*self._command, *options],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
        )
        self._ear = threading.Thread(target=self._listen, args=[self._process], daemon=True)
        self._ear.start()

    def is_up(self) -> bool:
        """Whether it has power."""
        return self._process is not None and self._process.poll() is None

    def running(self) -> str:
        """Digest of what a device without power runs next, by its boot record; it must be whole."""
        record = cbor2.loads((self.flash / "boot_record").read_bytes()[:-CRC_BYTES])
        _, accepted, active, *slots = record[:5]
        whole, digest, _ = slots[active]
        held = (self.flash / f"slot{active}").read_bytes()
        assert accepted and whole and hashlib.sha256(held).digest() == digest
        return digest.hex()

    def ended(self) -> int:
        """Wait until the process ends by itself; its exit status."""
        assert self._process is not None
        status = self._process.wait(ORDER_WITHIN_S)
        self._ear.join()
        return status

    def stop(self) -> int:
        """Ask it to end in good order; its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """Cut the power."""
        if self._process is not None and self.is_up():
            self._process.kill()
            self.ended()

    def wait_for(self, words: str, seconds: float = ORDER_WITHIN_S) -> None:
        """Until a line with these words has been written since the start."""
        with self._heard:
            found = self._heard.wait_for(lambda: any(words in line for line in self.lines), seconds)
            assert found, (words, self.lines)

    def blocks(self) -> list[int]:
        """Numbers of the blocks that were stored since the start, in order."""
        words = [line.split() for line in self.lines]
        return [int(word[3]) for word in words if word[2:3] == ["block"]]

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as errors:
            for line in errors:
                with self._heard:
                    self.lines.append(line.rstrip())
                    self._heard.notify_all()
