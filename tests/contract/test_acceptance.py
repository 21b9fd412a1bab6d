"""What a device checks after the signature, and in which order."""

from __future__ import annotations

import itertools
from uuid import uuid4

import pytest

from orchestrator.protocol.acceptance import DeviceCapacity, DeviceIdentity, check, check_task
from orchestrator.protocol.manifest import VENDOR_ID, class_id
from orchestrator.protocol.messages import ResultCode
from orchestrator.protocol.refusal import ManifestError, TaskError
from tests.contract.samples import DEVICE, DIGEST, NOW, OPERATORS, a_manifest, a_task

IDENTITY = DeviceIdentity(VENDOR_ID, class_id("nano33ble"), DEVICE)
CAPACITY = DeviceCapacity(64_000, 24_000, "tflite-micro", OPERATORS)
FLOOR = 40

# In the order in which they are looked for.
MISFITS = {
    ResultCode.WRONG_VENDOR: {"vendor_id": uuid4()},
    ResultCode.WRONG_CLASS: {"class_id": class_id("esp32")},
    ResultCode.WRONG_DEVICE: {"device_id": "pilot-08"},
    ResultCode.OLD_SEQUENCE: {"sequence": FLOOR},
    ResultCode.EXPIRED: {"expires_at": NOW},
    ResultCode.TOO_LARGE: {"size": 64_001},
    ResultCode.ARENA_TOO_SMALL: {"arena_bytes": 24_001},
    ResultCode.MISSING_OPERATOR: {"operators": {"CONV_2D": OPERATORS["CONV_2D"] + 1}},
    ResultCode.WRONG_RUNTIME: {"runtime": "tvm"},
}


def test_what_fits_is_accepted():
    check(a_manifest(), IDENTITY, CAPACITY, FLOOR, NOW)


def test_what_just_fits_is_accepted():
    tight = a_manifest(size=64_000, arena_bytes=24_000, expires_at=NOW + 1)
    check(tight, IDENTITY, CAPACITY, FLOOR, NOW)


def test_no_demand_is_no_refusal():
    check(a_manifest(arena_bytes=None, operators={}, runtime=""), IDENTITY, CAPACITY, FLOOR, NOW)


@pytest.mark.parametrize("code", MISFITS)
def test_each_misfit_has_its_code(code):
    with pytest.raises(ManifestError) as refused:
        check(a_manifest(**MISFITS[code]), IDENTITY, CAPACITY, FLOOR, NOW)
    assert refused.value.code == code
    assert refused.value.detail


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(MISFITS, 2)))
def test_of_two_misfits_the_earlier_is_reported(first, second):
    with pytest.raises(ManifestError) as refused:
        check(a_manifest(**MISFITS[second] | MISFITS[first]), IDENTITY, CAPACITY, FLOOR, NOW)
    assert refused.value.code == first


def test_an_operator_that_the_device_lacks():
    with pytest.raises(ManifestError, match="GELU version 1"):
        check(a_manifest(operators={"GELU": 1}), IDENTITY, CAPACITY, FLOOR, NOW)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"device_id": "pilot-08"}, ResultCode.WRONG_DEVICE),
        ({"expires_at": NOW + 1, "issued_at": NOW - 9}, None),
        ({"expires_at": NOW, "issued_at": NOW - 9}, ResultCode.EXPIRED),
        ({"digest": "0" * 64}, ResultCode.BAD_DIGEST),
    ],
)
def test_learning_tasks(changes, code):
    if code is None:
        return check_task(a_task(**changes), DEVICE, DIGEST.hex(), NOW)
    with pytest.raises(TaskError) as refused:
        check_task(a_task(**changes), DEVICE, DIGEST.hex(), NOW)
    assert refused.value.code == code
    return None
