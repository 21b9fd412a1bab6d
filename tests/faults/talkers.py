"""Devices with more to say than any real one: real rings, links and loop, numbers for samples."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from device_firmware_sim.builds import BUILDS, Build
from device_firmware_sim.client import Link
from device_firmware_sim.device import Device, Setup
from device_firmware_sim.flash import Flash
from device_firmware_sim.loop import Clock, Loop
from device_firmware_sim.runtime import Network
from device_firmware_sim.sampling import Sampler
from device_firmware_sim.sensors import World
from orchestrator.protocol.messages import LearnUpdate, TelemetryPack

BUILD: Build = BUILDS["esp32dev"]
ROOM = BUILD.ring_packs
LONG_AGO = 1.0


class Source(Sampler):
    """Packs of `samples` each, numbered from 1 on in `free_heap_bytes`, in place of a camera's.

    `room` is how many packs the ring still takes; a patient source waits for it, another overflows.
    """

    def __init__(self, room: Callable[[], int], *, is_patient: bool) -> None:
        self._room = room
        self._is_patient = is_patient
        self.samples = 1
        self.wanted = 0
        self.given = 0

    @property
    def has_run(self) -> bool:
        """No network is on trial here."""
        return True

    def attach(self, network: Network | None, now: float) -> None:
        """It needs none."""

    @property
    def due_at(self) -> float | None:
        """At once, as long as there is something to say and somewhere to keep it."""
        return LONG_AGO if self._next_packs() else None

    def run(self, now: float) -> tuple[list[TelemetryPack], list[LearnUpdate]]:
        """As many as there is room for."""
        first = self.given + 1
        self.given += self._next_packs()
        numbers = range(first, self.given + 1)
        return [TelemetryPack(0, 0, samples=self.samples, free_heap_bytes=n) for n in numbers], []

    def _next_packs(self) -> int:
        left = self.wanted - self.given
        return min(left, self._room()) if self._is_patient else left


class Talker(Device):
    """A device whose samples are numbers."""

    def __init__(self, setup: Setup, flash: Flash, now: float, *, is_patient: bool = True) -> None:
        super().__init__(setup, flash, None, now)
        self.source = Source(lambda: ROOM - len(self._ring), is_patient=is_patient)
        self._sampler = self.source

    @property
    def unacknowledged(self) -> int:
        """Packs that the ring still holds."""
        return len(self._ring)

    @property
    def dropped(self) -> int:
        """Packs that the ring had to drop."""
        return self._ring.dropped


class Talk:
    """Talkers on their loop, in a thread of their own."""

    def __init__(
        self, folder: Path, port: int, password: str, tokens: Mapping[str, str], *, is_patient: bool
    ) -> None:
        clock = Clock()
        self.talkers = [
            Talker(
                Setup(name, BUILD, {}, token, password, port=port),
                Flash(folder / name, BUILD.slot_bytes, BUILD.record_bytes),
                clock.now(),
                is_patient=is_patient,
            )
            for name, token in tokens.items()
        ]
        links = [Link(t, "127.0.0.1", port, n, clock.now()) for n, t in enumerate(self.talkers)]
        self._loop = Loop(links, World(None), clock)
        self._thread = threading.Thread(target=self._loop.run, daemon=True)

    def start(self, packs_each: int, samples_per_pack: int = 1) -> None:
        """Let each device say so many packs."""
        for talker in self.talkers:
            talker.source.samples = samples_per_pack
            talker.source.wanted = packs_each
        self._thread.start()

    def stop(self) -> None:
        """Let every device say goodbye."""
        self._loop.stop()
        self._thread.join(30)
        assert not self._thread.is_alive()

    @property
    def said(self) -> list[tuple[str, int, int, int, int]]:
        """Every pack that was handed to a ring: device, boot, sequence, samples, its number."""
        return [
            (talker.device_id, talker.boot, number, talker.source.samples, number)
            for talker in self.talkers
            for number in range(1, talker.source.given + 1)
        ]
