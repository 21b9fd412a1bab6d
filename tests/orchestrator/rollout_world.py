"""A small fleet and its releases for tests of rollouts: real networks, devices as their words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec

from orchestrator.models import Deployment, Rollout
from orchestrator.protocol.manifest import encode, envelope
from orchestrator.protocol.messages import DeploymentStatus, Report, ResultCode, State
from orchestrator.services import deployments, rollouts
from registry.models import (
    BoardType,
    CapabilityProfile,
    Device,
    DeviceStatus,
    FirmwareBuild,
    Release,
    Runtime,
)
from registry.services.networks import open_release, register_variant
from registry.services.profiles import profile_for
from tests.orchestrator.small_networks import small_network

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
Status = DeploymentStatus

ROOMY, SNUG, CRAMPED = "roomy", "snug", "cramped"
# (slot, arena) in bytes: everything fits, only the small network fits, nothing fits.
_SIZES = {ROOMY: (65536, 65536), SNUG: (2048, 65536), CRAMPED: (512, 65536)}

#: The variants of an ordinary release: name to (inputs, outputs, accuracy).
USUAL = {"large": (64, 60, 0.97), "small": (64, 10, 0.90)}


@cache
def signing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def seconds(count: float) -> datetime:
    """So many seconds after the test's beginning."""
    return NOW + timedelta(seconds=count)


def profile(size: str) -> CapabilityProfile:
    """The profile of one of the three kinds of device."""
    slot, arena = _SIZES[size]
    board, _ = BoardType.objects.get_or_create(
        slug=f"board-{size}",
        defaults={"name": size, "vendor": "test", "mcu": "m4", "core": "cortex-m4f", "source": "-"},
    )
    runtime, _ = Runtime.objects.get_or_create(
        name="tflite-micro", version="2024", kernels="reference"
    )
    firmware, _ = FirmwareBuild.objects.get_or_create(
        board=board,
        name="sim",
        version="1",
        capacity_digest=size,
        defaults={
            "runtime": runtime,
            "slot_bytes": slot,
            "arena_budget_bytes": arena,
            "operators": {"FULLY_CONNECTED": 12},
            "dtypes": ["int8", "int32"],
        },
    )
    return profile_for(board, firmware, [])


def make_devices(count: int, size: str = ROOMY) -> list[Device]:
    """So many accepted devices of a size, named SIZE-000 and on."""
    kind = profile(size)
    rows = [
        Device(device_id=f"{size}-{n:03d}", status=DeviceStatus.ACCEPTED, profile=kind)
        for n in range(count)
    ]
    return Device.objects.bulk_create(rows)


def make_release(
    model: str = "digits", variants: Mapping[str, tuple[int, int, float]] = USUAL, seed: int = 1
) -> Release:
    """A release with real int8 files."""
    release = open_release(model)
    for name, (inputs, outputs, accuracy) in variants.items():
        data = small_network(inputs, outputs, seed * 1000 + release.number)
        register_variant(release, name, data, sensors=[], accuracy=accuracy)
    return release


def make_rollout(release: Release | None = None, **policy) -> Rollout:
    """A draft to every device."""
    target = policy.pop("target", {"all": True})
    variant = policy.pop("variant", None)
    name = policy.pop("name", "trial")
    user = policy.pop("user", None)
    if release is None and variant is None:
        release = make_release()
    return rollouts.create_rollout(
        name,
        release=release,
        variant=variant,
        target=target,
        policy=rollouts.RolloutPolicy(**policy),
        user=user,
        now=NOW,
    )


def started(release: Release | None = None, **policy) -> Rollout:
    """A rollout whose first wave runs."""
    rollout = make_rollout(release, **policy)
    rollouts.start_rollout(rollout, NOW)
    rollouts.tick(NOW)
    rollout.refresh_from_db()
    return rollout


def sign_pending(now: datetime = NOW) -> list[Deployment]:
    """What the gateway does with pending deployments; returns them as they stand afterwards."""
    signed = []
    for deployment in deployments.pending_manifests(now, limit=100_000):
        manifest = deployments.desired_manifest(deployment, now)
        sealed = envelope(encode(manifest), signing_key())
        if deployments.attach_manifest(deployment, sealed, now):
            deployment.refresh_from_db()
            signed.append(deployment)
    return signed


def report(
    deployment: Deployment,
    status: Status,
    code: ResultCode = ResultCode.OK,
    *,
    now: datetime = NOW,
    progress: float = 0.0,
    detail: str = "",
) -> bool:
    """One word of the deployment's device."""
    said = Report(
        deployment=deployment.pk,
        status=status,
        code=code,
        boot=1,
        sequence=deployment.sequence,
        progress=progress,
        detail=detail,
    )
    return deployments.apply_report(deployment.device, said, now)


def state(deployment: Deployment, digest: str | None = None, now: datetime = NOW) -> bool:
    """The device's level after this deployment; its own digest unless another is given."""
    assert deployment.variant is not None and deployment.sequence is not None
    running = digest if digest is not None else deployment.variant.artifact_id
    said = State(digest=running, slot=0, sequence=deployment.sequence, boot=1)
    return deployments.apply_state(deployment.device, said, now)


def install(those: Iterable[Deployment], now: datetime = NOW) -> None:
    """Every one of these devices installs what it was sent."""
    for deployment in those:
        report(deployment, Status.INSTALLED, now=now)
        state(deployment, now=now)


def fail(those: Iterable[Deployment], now: datetime = NOW) -> None:
    """Every one of these devices fails its self-test."""
    for deployment in those:
        report(deployment, Status.FAILED, ResultCode.SELF_TEST_FAILED, now=now)


def run_to_end(rollout: Rollout, now: datetime = NOW) -> Rollout:
    """Sign, install and tick until nothing moves any more."""
    for _ in range(50):
        signed = sign_pending(now)
        install(signed, now)
        if not rollouts.tick(now) and not signed:
            break
    rollout.refresh_from_db()
    return rollout


def statuses(rollout: Rollout) -> dict[str, str]:
    """Each device's newest status in a rollout."""
    rows = Deployment.objects.filter(wave__rollout=rollout, is_newest=True, purpose="update")
    return {row.device.device_id: row.status for row in rows.select_related("device")}


def wave_statuses(rollout: Rollout) -> list[str]:
    """The statuses of a rollout's waves, in order."""
    return list(rollout.waves.order_by("number").values_list("status", flat=True))
