"""The demonstration's fleet as rows, and what each of its profiles gets of a release."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.utils import timezone

from device_firmware_sim.fleet import default_fleet
from device_firmware_sim.td import thing_description
from registry.models import CapabilityProfile, Device, Fleet, Release, Variant
from registry.services.inventory import accept_device
from registry.services.matching import choose_variants
from registry.services.things import describe_device

FLEET = "demo"
_REPOSITORY = Path(__file__).resolve().parents[2]

# Training aside: an untrained network costs as much to convert and to run as a trained one.
_ONE_VARIANT = """
import json, resource, time
began = time.perf_counter()
from orchestrator.compression.conversion import convert_int8
from orchestrator.compression.digits import load_split
from orchestrator.compression.evaluation import evaluate
from orchestrator.compression.search.digit_task import DigitTask
from registry.footprint.description import describe
task, split = DigitTask(), load_split(0)
bench, choice = task.prepare(0), task.starts()[-1]
network, taken, spent = bench.untrained(choice), [], []
for _ in range(2):
    data = convert_int8(network, split.calibration.images)
    describe(data)
    evaluate(data, split.held_out)
    taken.append(time.perf_counter() - began)
    spent.append(time.process_time())
    began = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps(
    {"first_s": taken[0], "next_s": taken[1], "next_cpu_s": spent[1] - spent[0], "peak_bytes": peak}
))
"""


def one_variant() -> dict[str, float]:
    """Seconds of a fresh process with all that it imports, of the next variant in it, its memory.

    Of the largest network of the family.
    """
    answer = subprocess.run(
        [sys.executable, "-c", _ONE_VARIANT],
        cwd=_REPOSITORY,
        capture_output=True,
        check=True,
        timeout=900,
    )
    figures: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return figures


def enrol_fleet(count: int, seed: int) -> Fleet:
    """The devices that `manage.py demo` simulates, by what they say of themselves."""
    fleet = Fleet.objects.create(slug=FLEET, name="the demonstration's")
    for member in default_fleet(count, seed):
        device = accept_device(member.device_id, public_key="", at=timezone.now())
        describe_device(device, thing_description(member.device_id, member.build, "127.0.0.1", 1))
        fleet.devices.add(device)
    return fleet


def best_by_profile(release: Release) -> dict[str, Variant | None]:
    """Board and digest of each profile to what a rollout would choose for it."""
    devices = list(Device.objects.exclude(profile=None))
    chosen = choose_variants(release, devices)
    rows = CapabilityProfile.objects.select_related("board")
    names = {row.pk: f"{row.board.slug} {row.digest[:8]}" for row in rows}
    return {names[device.profile_id]: chosen[device.pk].variant for device in devices}


def file_of(variant: Variant | None) -> dict[str, Any] | None:
    """Accuracy, size and technique of a variant."""
    if variant is None:
        return None
    accuracy = variant.measurements.filter(metric="accuracy").latest("pk").value
    size = variant.delivered.size_bytes
    return {"accuracy": accuracy, "bytes": size, "technique": variant.technique}


def accuracy_of(variant: Variant | None) -> float:
    """0 where nothing fits."""
    found = file_of(variant)
    return 0.0 if found is None else float(found["accuracy"])
