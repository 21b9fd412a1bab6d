"""Steps 1 to 4: a fleet, a release, what fits what, and its delivery."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import structlog
from django.conf import settings
from django.utils import timezone

from deploy.demo import figures
from deploy.demo.client import Client
from deploy.demo.expectations import (
    DEVICES,
    MIN_BOARD_TYPES,
    MIN_CONFIRMED,
    MIN_DISTINCT_VARIANTS,
    MIN_SIZE_RATIO,
    MIN_VARIANTS,
    MODEL_NAME,
    NEEDED_CONSTRAINTS,
    SAMPLES_PER_PACK,
    SAMPLES_PER_SECOND,
    SEED,
)
from deploy.demo.run import Demonstration, StepFailed, installation_ready
from deploy.demo.surroundings import CALM, write_stream, write_world
from deploy.supervisor import ProcessSpec, Supervisor
from device_firmware_sim.fleet import default_fleet
from ontology.facts import Constraint
from orchestrator.compression.digits import load_split
from orchestrator.models import Deployment, Job, JobStatus
from orchestrator.services import enrolment, jobs, rollouts
from registry.models import CapabilityProfile, Device, DeviceStatus, Release
from registry.services import matching

log = structlog.get_logger(__name__)


def start(run: Demonstration) -> None:
    """Bring up the installation and let the worker begin to train."""
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "up"]
    supervisor = Supervisor([ProcessSpec("up", argv)], run.log_dir)
    run.add_processes(supervisor)
    run.wait("starting every process", lambda: _ready(run, supervisor), timeout_s=120)
    run.job = jobs.enqueue("train_family", {"model_name": MODEL_NAME, "seed": SEED})
    run.say("every process is ready")


def fleet(run: Demonstration) -> None:
    """1: simulated devices enrol with their own credentials and describe themselves."""
    run.add_processes(Supervisor([_simulator(run.directory)], run.log_dir))
    devices = Device.objects.filter(status=DeviceStatus.ACCEPTED, profile__isnull=False)
    run.wait("1 fleet: enrolling", lambda: devices.count() / DEVICES, timeout_s=60)
    client = Client.from_settings()
    run.wait("1 fleet: into the graph", lambda: _projected_share(client), timeout_s=60)
    profiles = CapabilityProfile.objects.filter(devices__isnull=False)
    boards = set(profiles.values_list("board__slug", flat=True))
    run.expect(len(boards) >= MIN_BOARD_TYPES, f"only {len(boards)} board types enrolled")
    run.findings |= {"devices": devices.count(), "board_types": len(boards)}
    run.say(f"1 fleet: {DEVICES} devices of {len(boards)} board types in registry and graph")


def release(run: Demonstration) -> None:
    """2: the worker trains, prunes, converts, quantizes, evaluates and registers a family."""
    run.wait("2 release: training the family", lambda: _job_progress(run.job), timeout_s=240)
    run.release = Release.objects.filter(model__name=MODEL_NAME).latest("number")
    variants = list(run.release.variants.select_related("artifact"))
    run.expect(len(variants) >= MIN_VARIANTS, f"only {len(variants)} variants")
    sizes = sorted(variant.delivered.size_bytes for variant in variants)
    run.expect(sizes[-1] > MIN_SIZE_RATIO * sizes[0], f"sizes {sizes[0]} to {sizes[-1]} B")
    versions = sum(1 for variant in variants if variant.mlflow_version)
    run.expect(versions == len(variants), f"{versions} of {len(variants)} variants are in MLflow")
    run.findings |= {"variants": len(variants), "mlflow_versions": versions}
    run.say(f"2 release: {len(variants)} int8 variants of {sizes[0]:,} to {sizes[-1]:,} B")


def match(run: Demonstration) -> None:
    """3: every device against every variant, three-valued, with reasons."""
    pairs = list(matching.assess_all(Device.objects.all(), run.release.variants.all()))
    failed = {r.constraint.value for p in pairs for r in p.verdict.reasons if r.holds is False}
    missing = NEEDED_CONSTRAINTS - failed
    run.expect(not missing, f"no pair fails for {', '.join(sorted(missing))}")
    fits = sum(1 for pair in pairs if pair.verdict.answer.value == "fits")
    run.findings["constraints_seen"] = sorted(failed)
    run.say(f"3 match: {fits} of {len(pairs)} pairs fit; misfits by {', '.join(sorted(failed))}")


def update(run: Demonstration) -> None:
    """4: a rollout brings each device its best variant, signed, in two waves."""
    now = timezone.now()
    run.rollout = rollouts.create_rollout(
        f"{MODEL_NAME} {run.release.number}",
        release=run.release,
        target={"all": True},
        policy=rollouts.RolloutPolicy(wave_percentages=(25, 100)),
        now=now,
    )
    rollouts.start_rollout(run.rollout, now)
    run.wait("4 update: delivering", lambda: _final_share(run), timeout_s=120)
    done = figures.confirmed(run.rollout)
    run.devices = [deployment.device_id for deployment in done]
    names = set(done.values_list("variant__name", flat=True))
    run.expect(len(run.devices) >= MIN_CONFIRMED, f"only {len(run.devices)} devices confirmed")
    run.expect(len(names) >= MIN_DISTINCT_VARIANTS, f"only {len(names)} variants installed")
    refused = figures.refusals(run.rollout)
    unnamed = [row.device for row in refused if row.constraint not in set(Constraint)]
    run.expect(not unnamed, f"{', '.join(unnamed)} got nothing without a named constraint")
    run.findings |= {"installed": len(run.devices), "distinct_variants_installed": len(names)}
    run.findings["refused"] = refused
    run.say(
        f"4 update: {len(run.devices)} confirmed, {len(names)} variants, {len(refused)} refused"
    )


def _ready(run: Demonstration, supervisor: Supervisor) -> float:
    if supervisor.views()[0].restarts:
        said = (run.log_dir / "up.log").read_text().strip().splitlines()
        raise StepFailed(f"`up` ended: {said[-1] if said else 'without a word'}")
    return installation_ready()


def _projected_share(client: Client) -> float:
    try:
        return client.count_devices() / DEVICES
    except httpx.HTTPError as error:  # web or graph starts again
        log.info("not_answered", error=str(error))
        return 0.0


def _simulator(directory: Path) -> ProcessSpec:
    held_out = load_split(SEED).held_out
    write_stream(directory / "stream.npz", held_out.images, held_out.labels)
    write_world(directory / "world.json", CALM)
    now = timezone.now()
    names = [member.device_id for member in default_fleet(DEVICES, SEED)]
    tokens = {name: enrolment.issue_token(name, now) for name in names}
    token_file = directory / "tokens.json"
    token_file.touch(mode=0o600)
    token_file.write_text(json.dumps(tokens))
    argv = [sys.executable, "-m", "device_firmware_sim"]
    argv += ["--host", settings.MQTT_HOST, "--port", str(settings.MQTT_PORT)]
    argv += ["--devices", str(DEVICES), "--seed", str(SEED), "--tokens", str(token_file)]
    argv += ["--trust", str(settings.KEYS_DIR / "trust")]
    argv += ["--enrol-password-file", str(settings.KEYS_DIR / "enrol-mqtt")]
    argv += ["--state-dir", str(directory / "devices")]
    argv += ["--stream", str(directory / "stream.npz"), "--world", str(directory / "world.json")]
    argv += ["--samples-per-second", str(SAMPLES_PER_SECOND)]
    argv += ["--samples-per-pack", str(SAMPLES_PER_PACK)]
    return ProcessSpec("devices", argv)


def _job_progress(job: Job) -> float:
    job.refresh_from_db()
    if job.status == JobStatus.FAILED:
        raise StepFailed(f"training failed: {job.error.strip().splitlines()[-1]}")
    return 1.0 if job.status == JobStatus.SUCCEEDED else min(job.progress, 0.99)


def _final_share(run: Demonstration) -> float:
    deployments = Deployment.objects.filter(wave__rollout=run.rollout)
    return deployments.filter(is_open=False).count() / DEVICES
