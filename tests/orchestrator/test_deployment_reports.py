"""A device's words move its own deployment forward, once, and nothing else."""

from __future__ import annotations

import uuid

import pytest

from orchestrator.models import Deployment, DeploymentEvent
from orchestrator.protocol.messages import Report, ResultCode, State
from orchestrator.services import deployments, rollouts
from registry.models import Device
from tests.orchestrator.rollout_world import (
    NOW,
    Status,
    make_devices,
    make_release,
    report,
    seconds,
    sign_pending,
    started,
    state,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent() -> Deployment:
    """One device with a signed manifest."""
    make_devices(1)
    started()
    return sign_pending()[0]


def _status(deployment: Deployment) -> str:
    deployment.refresh_from_db()
    return deployment.status


def test_progress_grows_and_leaves_no_event(sent):
    report(sent, Status.DOWNLOADING, progress=0.25)
    before = DeploymentEvent.objects.count()
    assert not report(sent, Status.DOWNLOADING, progress=0.5)
    report(sent, Status.DOWNLOADING, progress=0.3)
    assert _status(sent) == "downloading"
    assert sent.progress == 0.5
    assert DeploymentEvent.objects.count() == before


def test_a_repeated_report_is_one_event(sent):
    for _ in range(3):
        report(sent, Status.FAILED, ResultCode.SELF_TEST_FAILED, detail="class 3, not 5")
    assert _status(sent) == "failed"
    assert (sent.result_code, sent.detail) == ("self_test_failed", "class 3, not 5")
    assert DeploymentEvent.objects.filter(deployment=sent, status="failed").count() == 1


def test_many_reports_in_one_batch_count_in_their_order(sent):
    words = [Status.DOWNLOADING, Status.VERIFYING, Status.INSTALLING, Status.INSTALLED]
    batch = [
        (sent.device, Report(sent.pk, status, ResultCode.OK, boot=1, sequence=sent.sequence))
        for status in words
    ]
    assert deployments.apply_reports(batch, NOW) == 1
    told = DeploymentEvent.objects.filter(deployment=sent).values_list("status", flat=True)
    assert list(told) == ["notified", "downloading", "verifying", "installed"]


def test_another_devices_deployment_is_none_of_its_business(sent):
    stranger = Device.objects.create(device_id="stranger")
    word = Report(sent.pk, Status.FAILED, ResultCode.FLASH_ERROR, boot=1)
    assert not deployments.apply_report(stranger, word, NOW)
    assert _status(sent) == "notified"


def test_an_unknown_deployment_changes_nothing(sent):
    word = Report(uuid.uuid4(), Status.FAILED, ResultCode.FLASH_ERROR, boot=1)
    assert not deployments.apply_report(sent.device, word, NOW)
    assert _status(sent) == "notified"


def test_a_manifest_that_could_not_be_read_ends_nothing_but_is_shown(sent):
    word = Report(None, Status.REJECTED, ResultCode.BAD_SIGNATURE, boot=1, detail="kid 7")
    assert not deployments.apply_report(sent.device, word, NOW)
    assert _status(sent) == "notified"
    assert sent.result_code == "bad_signature"
    assert "could not read a manifest: kid 7" in sent.detail


def test_a_long_detail_is_cut(sent):
    report(sent, Status.FAILED, ResultCode.FLASH_ERROR, detail="x" * 10_000)
    assert _status(sent) == "failed"
    assert len(sent.detail) == 500


def test_a_state_alone_is_an_installation(sent):
    assert state(sent)
    assert _status(sent) == "installed"
    device = Device.objects.get()
    assert (device.installed, device.installed_at) == (sent.variant, NOW)


def test_a_state_before_the_update_is_none(sent):
    old = State(digest=None, slot=None, sequence=0, boot=1)
    assert not deployments.apply_state(sent.device, old, NOW)
    assert _status(sent) == "notified"


def test_the_digest_under_an_older_number_is_no_installation_of_this_one(sent):
    earlier = State(sent.variant.artifact_id, slot=0, sequence=sent.sequence - 1, boot=1)
    assert not deployments.apply_state(sent.device, earlier, NOW)
    assert _status(sent) == "notified"


def test_a_device_that_went_back_is_rolled_back_by_its_state(sent):
    report(sent, Status.INSTALLED)
    assert state(sent, digest="ab" * 32, now=seconds(5))
    assert _status(sent) == "rolled_back"
    assert Device.objects.get().installed is None


def test_what_runs_is_known_without_any_deployment():
    [device] = make_devices(1)
    variant = make_release().variants.get(name="small")
    running = State(variant.artifact_id, slot=0, sequence=3, boot=1)
    assert not deployments.apply_state(device, running, NOW)
    device.refresh_from_db()
    assert device.installed == variant
    nothing = State(None, slot=None, sequence=3, boot=2)
    deployments.apply_state(device, nothing, NOW)
    device.refresh_from_db()
    assert device.installed is None


def test_a_revoked_devices_open_deployment_can_be_ended(sent):
    assert deployments.cancel_for_device(sent.device, NOW, "revoked") == 1
    assert _status(sent) == "cancelled"
    assert deployments.cancel_for_device(sent.device, NOW, "revoked") == 0


def test_the_outcome_is_one_whatever_comes_after(sent):
    report(sent, Status.INSTALLED)
    rollouts.tick(NOW)
    assert _status(sent) == "confirmed"
    report(sent, Status.FAILED, ResultCode.SELF_TEST_FAILED)
    report(sent, Status.ROLLED_BACK, ResultCode.REVERTED)
    state(sent, digest="ab" * 32)
    assert _status(sent) == "confirmed"
    ends = DeploymentEvent.objects.filter(deployment=sent, status__in=["confirmed", "rolled_back"])
    assert ends.count() == 1
