"""Compression of digits for the demonstration's fleet: in time, and never behind the hand-made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.core.management import call_command

from deploy.demo.expectations import DEVICES, SEED
from orchestrator.models import Job, JobStatus
from orchestrator.services import jobs
from orchestrator.services.compression_orders import Order, order_compression
from orchestrator.services.job_functions import JOB_FUNCTIONS
from orchestrator.services.working import Worker
from registry.models import Release
from tests.benchmarks.compression_fleet import FLEET, best_by_profile, enrol_fleet, one_variant

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

MOST_S, MOST_BYTES = 10.0, 1.5e9
MOST_FOR_THE_FLEET_S = 300.0


def test_one_variant_training_aside(record: Callable[..., None]) -> None:
    """Converted, quantized, stripped, described and evaluated; with all imports it is recorded."""
    figures = one_variant()
    record(**figures, reached_ten_seconds=figures["next_s"] <= MOST_S)
    # Of the processor's time, since others may work beside it; it computes in one thread.
    assert figures["next_cpu_s"] <= MOST_S
    assert figures["peak_bytes"] <= MOST_BYTES


def _run(job: Job) -> tuple[Release, float]:
    began = time.monotonic()
    Worker(JOB_FUNCTIONS, threading.Event()).run_one(only=job.pk)
    job.refresh_from_db()
    assert job.status == JobStatus.SUCCEEDED, job.error
    return Release.objects.get(pk=job.result["release"]), time.monotonic() - began


@pytest.mark.django_db(transaction=True)
def test_the_demonstrations_fleet(
    record: Callable[..., None], monkeypatch, settings, tmp_path
) -> None:
    """Both with the demonstration's seed; what MLflow is told is left aside."""
    settings.MEDIA_ROOT = tmp_path / "artifacts"
    for module in ("compression", "training"):
        place = f"orchestrator.services.{module}.log_release"
        monkeypatch.setattr(place, lambda release, on_progress: release.variants.count())
    call_command("load_catalogue", verbosity=0)
    enrol_fleet(DEVICES, SEED)
    job = order_compression(Order("searched", task="digits", fleet=FLEET, seed=SEED))
    searched, searched_s = _run(job)
    by_hand, by_hand_s = _run(jobs.enqueue("train_family", {"model_name": "by-hand", "seed": SEED}))
    ours, theirs = best_by_profile(searched), best_by_profile(by_hand)
    record(
        searched_s=searched_s,
        by_hand_s=by_hand_s,
        trials=job.trials.count(),
        variants=searched.variants.count(),
        profiles={name: [ours[name], theirs[name]] for name in sorted(ours)},
        beaten=[name for name, best in theirs.items() if best and ours[name] > best],
        unreachable=[each for each in job.result["standings"] if each["reach"] != "served"],
    )
    assert {each["reach"] for each in job.result["standings"]} <= {"served", "unreachable"}
    assert [name for name, best in theirs.items() if best is not None and ours[name] is None] == []
    assert [name for name, best in theirs.items() if best and ours[name] < best] == []
    assert searched_s <= MOST_FOR_THE_FLEET_S
