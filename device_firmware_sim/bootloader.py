"""What happens when a device comes up, and what a new network must pass before it runs."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from device_firmware_sim import trial
from device_firmware_sim.boot import (
    BootRecord,
    load_boot_record,
    read_image,
    store_boot_record,
)
from device_firmware_sim.flash import Flash
from device_firmware_sim.runtime import Network, NetworkCrashed, NetworkRefused, Runtime
from orchestrator.protocol.manifest import Manifest
from orchestrator.protocol.messages import DeploymentStatus, ResultCode, Shortage
from orchestrator.protocol.self_test import self_test_input, self_test_passes


class UpdateFailed(Exception):
    """An update ends here and the old network runs on; the status says how, the code why."""

    def __init__(
        self,
        status: DeploymentStatus,
        code: ResultCode,
        detail: str,
        shortage: Shortage | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.shortage = shortage


def boot_up(
    flash: Flash, runtime: Runtime, *, crashed: bool = False
) -> tuple[BootRecord, Network | None]:
    """Count the boot and load the active slot; go back to the other where that will not do.

    It will not where it is not whole, or where the device keeps crashing with it. `crashed` is the
    cause of this reset.
    """
    record = trial.started(load_boot_record(flash.boot), crashed=crashed)
    crashes = trial.keeps_crashing(record)
    network = None if crashes else _load_slot(record, record.active, flash, runtime)
    if network is None and record.active is not None:
        why = f"crashed {record.trial_crashes} times" if crashes else "did not start"
        record, network = go_back(record, flash, runtime, why)
    store_boot_record(flash.boot, record)
    return record, network


def go_back(
    record: BootRecord, flash: Flash, runtime: Runtime, why: str
) -> tuple[BootRecord, Network | None]:
    """The record of a device that returns to the network before, and that network, if it is whole.

    Nothing is stored: that is the caller's, in one write.
    """
    network = _load_slot(record, record.inactive, flash, runtime)
    slot = None if network is None else record.inactive
    return _gone_back(record, slot, f"slot {record.active} {why}"), network


def examine(data: bytes, manifest: Manifest, runtime: Runtime) -> Network:
    """The network, where it is what was signed, fits by our own count and computes rightly."""
    if hashlib.sha256(data).digest() != manifest.digest:
        raise UpdateFailed(
            DeploymentStatus.FAILED, ResultCode.BAD_DIGEST, "the blocks do not make the artifact"
        )
    try:
        network = runtime.load(data)
    except NetworkRefused as refused:
        raise UpdateFailed(
            DeploymentStatus.REJECTED, refused.code, refused.detail, refused.shortage
        ) from refused
    _check_shapes(network, manifest)
    _check_self_test(network, manifest)
    return network


def _load_slot(
    record: BootRecord, slot: int | None, flash: Flash, runtime: Runtime
) -> Network | None:
    image = None if slot is None else record.images[slot]
    data = None if slot is None or image is None else read_image(flash, slot, image)
    if data is None:
        return None
    try:
        return runtime.load(data)
    except NetworkRefused:
        return None  # The firmware has changed under the network: as good as not there.


def _gone_back(record: BootRecord, slot: int | None, why: str) -> BootRecord:
    """The record of a device whose active slot failed it, with an outcome that says so.

    The slot is given up, so that nothing makes it active again without a new order.
    """
    outcome = record.outcome
    if outcome is not None and outcome.status is DeploymentStatus.INSTALLED:
        outcome = replace(
            outcome,
            status=DeploymentStatus.ROLLED_BACK,
            code=ResultCode.REVERTED,
            detail=why,
        )
    broken = record.active
    assert broken is not None
    record = trial.passed(record.with_image(broken, None))
    return replace(record, active=slot, outcome=outcome)


def _check_shapes(network: Network, manifest: Manifest) -> None:
    for name, wanted, found in (
        ("input", manifest.input_shape, network.source.shape),
        ("output", manifest.output_shape, network.logits.shape),
    ):
        if wanted and tuple(wanted) != found:
            raise UpdateFailed(
                DeploymentStatus.REJECTED,
                ResultCode.WRONG_SHAPE,
                f"{name} of shape {list(found)}, the manifest says {list(wanted)}",
            )


def _check_self_test(network: Network, manifest: Manifest) -> None:
    test = manifest.self_test
    if test is None:
        return
    source = network.source
    try:
        given = self_test_input(test.generator, test.seed, source.shape, source.dtype.name)
    except ValueError as error:
        raise UpdateFailed(
            DeploymentStatus.FAILED, ResultCode.SELF_TEST_FAILED, str(error)
        ) from error
    if not self_test_passes(test, _self_test(network, given)):
        raise UpdateFailed(
            DeploymentStatus.FAILED,
            ResultCode.SELF_TEST_FAILED,
            "the first output is not what the manifest expects",
        )


def _self_test(network: Network, given: bytes) -> bytes:
    try:
        return network.self_test(given)
    except NetworkCrashed as error:
        raise UpdateFailed(
            DeploymentStatus.FAILED, ResultCode.SELF_TEST_FAILED, str(error)
        ) from error
