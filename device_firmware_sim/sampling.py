"""A device at work: it senses, infers, counts, and learns where it was told to."""

from __future__ import annotations

from device_firmware_sim.builds import Build
from device_firmware_sim.learning.learner import Learner
from device_firmware_sim.runtime import Network, Runtime
from device_firmware_sim.sensors import Camera
from device_firmware_sim.telemetry import Meter
from orchestrator.protocol.messages import LearnUpdate, TelemetryPack

BATCH_S = 0.5
MAX_BATCH = 64


class Sampler:
    """Runs the network on the camera's samples, some at a time, and fills telemetry packs.

    `per_second` samples are due each second; they are taken in batches about BATCH_S apart, so
    that a process with a thousand devices wakes up rarely. A backlog beyond MAX_BATCH is skipped: a
    camera does not wait either.
    """

    def __init__(
        self,
        build: Build,
        runtime: Runtime,
        learner: Learner,
        camera: Camera | None,
        per_second: float,
        per_pack: int,
    ) -> None:
        self._build = build
        self._runtime = runtime
        self._learner = learner
        self._camera = camera
        self._period_s = 1 / per_second if per_second > 0 else 0.0
        self._batch = min(max(1, int(per_second * BATCH_S)), per_pack, MAX_BATCH)
        self._per_pack = per_pack
        self._network: Network | None = None
        self._arena_bytes = 0
        self._next_at = 0.0
        self._has_run = False
        self._meter = Meter()

    def attach(self, network: Network | None, now: float) -> None:
        """Sample with this network from now on; not at all where the camera does not suit it."""
        self._meter = Meter()
        self._network = None
        self._has_run = False
        if network is not None:
            self._arena_bytes = self._runtime.arena_of(network)
        self._learner.attach(network, self._build.arena_budget_bytes - self._arena_bytes)
        if network is not None and self._suits(network):
            self._network = network
            self._next_at = now + self._batch * self._period_s

    @property
    def has_run(self) -> bool:
        """Whether the attached network has run, where it is to run at all."""
        return self._has_run or self._network is None

    @property
    def due_at(self) -> float | None:
        """When the next batch is complete; None where nothing is sampled."""
        return None if self._network is None else self._next_at

    def run(self, now: float) -> tuple[list[TelemetryPack], list[LearnUpdate]]:
        """Take the samples that are due: full packs (boot and sequence still 0), words of tasks."""
        if self._network is None or now < self._next_at:
            return [], []
        late = int((now - self._next_at) / self._period_s)
        packs: list[TelemetryPack] = []
        updates: list[LearnUpdate] = []
        for _ in range(min(self._batch + late, MAX_BATCH)):
            updates += self._take_sample(self._network)
            if self._meter.samples >= self._per_pack:
                packs.append(self._full_pack(self._network, now))
        self._next_at += (late + self._batch) * self._period_s
        return packs, updates

    def _suits(self, network: Network) -> bool:
        if self._camera is None or not self._period_s:
            return False
        return network.takes(self._camera.shape)

    def _take_sample(self, network: Network) -> list[LearnUpdate]:
        assert self._camera is not None
        image, label = self._camera.sense()
        inference = self._runtime.run(network, image)
        self._has_run = True
        if label is None:
            self._meter.count(None, inference.latency_ms)
            return []
        hit, update = self._learner.observe(inference, label)
        self._meter.count(hit, inference.latency_ms)
        return [] if update is None else [update]

    def _full_pack(self, network: Network, now: float) -> TelemetryPack:
        meter, self._meter = self._meter, Meter()
        used = self._arena_bytes + self._learner.used_bytes
        return TelemetryPack(
            boot=0,
            sequence=0,
            at=now,
            digest=network.digest.hex(),
            samples=meter.samples,
            labelled=meter.labelled,
            accuracy=meter.accuracy,
            latency_ms=meter.latency_ms,
            arena_used_bytes=self._arena_bytes,
            free_heap_bytes=max(self._build.arena_budget_bytes - used, 0),
            adapted_samples=self._learner.adapted_samples,
        )
