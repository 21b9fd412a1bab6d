"""What a rollout over a large fleet costs, measured on an installation of its own.

Run as `python -m tests.benchmarks.rollouts_at_scale DEVICES SPEAKERS WORKERS` in that
installation's environment; prints JSON. As `... words FIRST COUNT` it is one of the workers.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from orchestrator.models import Deployment, DeploymentEvent, DeviceShadow  # noqa: E402
from orchestrator.protocol import topics  # noqa: E402
from orchestrator.protocol.encoding import encode_report, encode_state  # noqa: E402
from orchestrator.protocol.messages import (  # noqa: E402
    DeploymentStatus,
    Report,
    ResultCode,
    State,
)
from orchestrator.services import deployments, rollouts  # noqa: E402
from orchestrator.services.expected_time import expected_time  # noqa: E402
from orchestrator.services.inbox import Arrival, take  # noqa: E402
from registry.models import Device, Release  # noqa: E402
from registry.services.pieces import chunks  # noqa: E402
from tests.benchmarks.installation import cpu_s  # noqa: E402
from tests.orchestrator import rollout_world as world  # noqa: E402

CRAMPED_SHARE, SNUG_SHARE = 0.05, 0.25
ENVELOPE = bytes(700)
"""As long as a signed manifest; nobody reads it here."""
SAID = (
    DeploymentStatus.DOWNLOADING,
    DeploymentStatus.INSTALLING,
    DeploymentStatus.VERIFYING,
    DeploymentStatus.INSTALLED,
)
ROUNDS = 15


class Clock:
    """Wall seconds since it was made, and processor seconds here and in the database's process."""

    def __init__(self) -> None:
        self._began, self._used, self._served = time.perf_counter(), time.process_time(), served_s()

    def figures(self, name: str) -> dict[str, float]:
        taken_s = time.perf_counter() - self._began
        used_s, server_s = time.process_time() - self._used, served_s() - self._served
        return {f"{name}_s": taken_s, f"{name}_cpu_s": used_s, f"{name}_database_cpu_s": server_s}


def served_s() -> float:
    """Processor seconds of the process that PostgreSQL gave this connection; SQLite has none."""
    if connection.vendor != "postgresql":
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    return cpu_s(pid)


def fill(devices: int) -> Release:
    """Devices that have been heard of: most can run both networks, some the small one, few none."""
    cramped, snug = int(devices * CRAMPED_SHARE), int(devices * SNUG_SHARE)
    world.make_devices(cramped, world.CRAMPED)
    world.make_devices(snug, world.SNUG)
    world.make_devices(devices - cramped - snug, world.ROOMY)
    shadows = (
        DeviceShadow(device_id=key, boot=1) for key in Device.objects.values_list("pk", flat=True)
    )
    DeviceShadow.objects.bulk_create(shadows, batch_size=1000)
    return world.make_release()


def dry_run(release: Release) -> dict[str, float]:
    """As REST and the admin ask for it: nothing is written."""
    clock = Clock()
    draft = rollouts.draft_rollout("at scale", release=release, target={"all": True})
    planned = rollouts.plan(draft)
    expected_time(draft, planned)
    figures = clock.figures("planned")
    assert len(planned.updates) + len(planned.refused) == Device.objects.count()
    return figures | {"updates": len(planned.updates)}


def start(release: Release) -> dict[str, float]:
    """From the order to the wave that runs, the scheduler's turn included."""
    rollout = rollouts.create_rollout("at scale", release=release, target={"all": True})
    clock = Clock()
    rollouts.start_rollout(rollout)
    rollouts.tick(timezone.now())
    figures = clock.figures("started")
    assert world.wave_statuses(rollout) == ["running"]
    return figures


def idle_tick() -> dict[str, float]:
    """A tick with nothing to do: the median and the longest of some."""
    taken_ms, used_s = [], time.process_time()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        assert rollouts.tick(timezone.now()) == 0
        taken_ms.append((time.perf_counter() - began) * 1000)
    used_ms = (time.process_time() - used_s) * 1000 / ROUNDS
    return {"idle_tick_ms": statistics.median(taken_ms), "idle_tick_cpu_ms": used_ms}


def notify(count: int) -> dict[str, float]:
    """The first of them are numbered and their manifests kept, as the gateway does it."""
    pending = Deployment.objects.filter(status=DeploymentStatus.PENDING).order_by("pk")
    rows = list(pending.defer("reasons", "manifest")[:count])
    clock = Clock()
    for chunk in chunks(rows):
        deployments.number(chunk)
        deployments.attach_manifests([(row, ENVELOPE) for row in chunk], timezone.now())
    figures = clock.figures("notified")
    return figures | {"notified_per_s": count / figures["notified_s"]}


def words(first: int, count: int) -> list[Arrival]:
    """What so many devices say while they install: word by word, each once through the fleet."""
    rows = Deployment.objects.filter(manifest__isnull=False).order_by("sequence")
    rows = rows.select_related("device", "variant")[first : first + count]
    speakers = [
        (row.pk, row.sequence, row.device.device_id, row.variant.artifact_id) for row in rows
    ]
    return [*_reports(speakers), *_states(speakers)]


def _reports(speakers: Sequence[Any]) -> Iterator[Arrival]:
    for status in SAID:
        for key, sequence, device, _ in speakers:
            said = Report(key, status, ResultCode.OK, boot=1, sequence=sequence, progress=1.0)
            yield Arrival(topics.report(device), encode_report(said))


def _states(speakers: Sequence[Any]) -> Iterator[Arrival]:
    for _, sequence, device, digest in speakers:
        said = State(digest, slot=1, sequence=sequence, boot=1)
        yield Arrival(topics.state(device), encode_state(said))


def take_all(arrivals: Sequence[Arrival]) -> None:
    """In batches as the gateway makes them."""
    for batch in chunks(arrivals, settings.GATEWAY_BATCH_MESSAGES):
        take(batch, timezone.now())


def one_process(speakers: int) -> dict[str, float]:
    """Words that change a state, then words that only repeat it."""
    arrivals = words(0, speakers)
    changes, repeats = arrivals[: len(SAID) * speakers], arrivals[len(SAID) * speakers :]
    before = DeploymentEvent.objects.count()
    clock = Clock()
    take_all(changes)
    figures = clock.figures("changes")
    changed = DeploymentEvent.objects.count() - before
    assert changed == len(changes)
    clock = Clock()
    take_all(repeats)
    figures |= clock.figures("states")
    assert DeploymentEvent.objects.count() - before == changed
    return figures | {
        "changes": changed,
        "changes_per_s": changed / figures["changes_s"],
        "states_per_s": len(repeats) / figures["states_s"],
    }


def in_bursts(first: int, speakers: int) -> dict[str, float]:
    """The same changes from devices that are so quick that a batch has all words of each."""
    arrivals = words(first, speakers)[: len(SAID) * speakers]
    quick = [word for device in range(speakers) for word in arrivals[device::speakers]]
    clock = Clock()
    take_all(quick)
    figures = clock.figures("bursts")
    return figures | {"bursts_changes_per_s": len(quick) / figures["bursts_s"]}


def settle() -> dict[str, float]:
    """The soaks end, all in one tick."""
    installed = Deployment.objects.filter(status=DeploymentStatus.INSTALLED).count()
    clock = Clock()
    rollouts.tick(timezone.now())
    figures = clock.figures("confirmed")
    return figures | {"confirmed_per_s": installed / figures["confirmed_s"]}


def several_processes(first: int, speakers: int, workers: int) -> dict[str, float]:
    """The same by several processes at once, each with devices of its own."""
    each = speakers // workers
    argv = [sys.executable, "-m", "tests.benchmarks.rollouts_at_scale", "words"]
    running = [
        subprocess.Popen(
            [*argv, str(first + number * each), str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(workers)
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    before = DeploymentEvent.objects.count()
    began = time.perf_counter()
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait() for process in running] == [0] * workers
    taken_s = time.perf_counter() - began
    changed = DeploymentEvent.objects.count() - before
    assert changed == len(SAID) * each * workers
    return {"workers": workers, "workers_changes_per_s": changed / taken_s}


def worker(first: int, count: int) -> None:
    arrivals = words(first, count)[: len(SAID) * count]
    print("ready", flush=True)
    sys.stdin.readline()
    take_all(arrivals)


def each_ended_once(speakers: int) -> None:
    """One outcome for each attempt, and nothing twice."""
    told = DeploymentEvent.objects.filter(deployment__manifest__isnull=False)
    steps = Counter(told.values_list("status", flat=True))
    confirmed = Deployment.objects.filter(status=DeploymentStatus.CONFIRMED).count()
    assert confirmed == speakers == steps[DeploymentStatus.CONFIRMED]
    assert set(steps.values()) == {speakers}, steps


def measure(devices: int, speakers: int, workers: int) -> dict[str, float]:
    call_command("migrate", verbosity=0)
    release = fill(devices)
    figures: dict[str, float] = {"devices": devices, "speakers": speakers}
    figures |= dry_run(release) | start(release) | idle_tick()
    several = speakers if workers > 1 else 0
    figures |= notify(2 * speakers + several) | one_process(speakers)
    figures |= in_bursts(speakers, speakers) | settle()
    if several:
        figures |= several_processes(2 * speakers, several, workers)
        rollouts.tick(timezone.now())
    each_ended_once(2 * speakers + several)
    return figures | {"load_1min": os.getloadavg()[0]}


if __name__ == "__main__":
    if sys.argv[1] == "words":
        worker(int(sys.argv[2]), int(sys.argv[3]))
    else:
        print(json.dumps(measure(*map(int, sys.argv[1:]))))
