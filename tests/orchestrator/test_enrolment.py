"""Who may join, by the service's own door."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from django.core.management import CommandError, call_command

from orchestrator.models import DeviceCredential, DeviceShadow, EnrolmentToken
from orchestrator.protocol.messages import DeploymentStatus, EnrolmentAnswer
from orchestrator.protocol.topics import TopicError
from orchestrator.services import enrolment
from registry.models import Device, DeviceStatus, GraphChange
from tests.orchestrator import rollout_world
from tests.orchestrator.members import NOW, Identity, later

pytestmark = pytest.mark.django_db

ACCEPTED = EnrolmentAnswer.ACCEPTED
PENDING = EnrolmentAnswer.PENDING
REJECTED = EnrolmentAnswer.REJECTED


@pytest.fixture
def passwords(installation, django_capture_on_commit_callbacks):
    """Runs a call as if committed; gives the users in the password file."""

    def after(call) -> list[str]:
        with django_capture_on_commit_callbacks(execute=True):
            call()
        text = (installation / "broker" / "passwords").read_text()
        return [line.partition(":")[0] for line in text.splitlines()]

    return after


def joined(device_id: str = "pump-1") -> Identity:
    identity = Identity(device_id)
    token = enrolment.issue_token(device_id, NOW)
    assert enrolment.enrol(identity.enrolment(token), NOW).answer is ACCEPTED
    return identity


def test_a_token_lets_its_device_in(passwords) -> None:
    identity = Identity("pump-1")
    token = enrolment.issue_token("pump-1", NOW)
    users = passwords(lambda: enrolment.enrol(identity.enrolment(token), NOW))
    device = Device.objects.get(device_id="pump-1")
    assert (device.status, device.accepted_at) == (DeviceStatus.ACCEPTED, NOW)
    assert device.public_key == identity.enrolment().public_key
    assert device.credential.verifier == identity.verifier
    assert users == ["gateway", "enrol", "pump-1"]
    assert GraphChange.objects.filter(subject="pump-1").exists()


def test_only_the_hash_of_a_token_is_kept() -> None:
    token = enrolment.issue_token("pump-1", NOW)
    row = EnrolmentToken.objects.get()
    assert row.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(row.__dict__)


def test_the_same_enrolment_again_is_accepted_again() -> None:
    identity = Identity("pump-1")
    sent = identity.enrolment(enrolment.issue_token("pump-1", NOW))
    answers = [enrolment.enrol(sent, later(n)) for n in range(3)]
    assert {answer.answer for answer in answers} == {ACCEPTED}
    assert Device.objects.get().accepted_at == NOW


def test_a_used_token_lets_nobody_else_in() -> None:
    token = enrolment.issue_token("pump-1", NOW)
    enrolment.enrol(Identity("pump-1").enrolment(token), NOW)
    result = enrolment.enrol(Identity("pump-1").enrolment(token), NOW)
    assert (result.answer, "used" in result.reason) == (REJECTED, True)


def test_another_devices_token_is_rejected_and_stays_unused() -> None:
    token = enrolment.issue_token("pump-1", NOW)
    result = enrolment.enrol(Identity("pump-2").enrolment(token), NOW)
    assert (result.answer, "another device" in result.reason) == (REJECTED, True)
    assert not Device.objects.exists()
    assert enrolment.enrol(Identity("pump-1").enrolment(token), NOW).answer is ACCEPTED


def test_an_expired_token_is_rejected() -> None:
    token = enrolment.issue_token("pump-1", NOW, expires=later(60))
    result = enrolment.enrol(Identity("pump-1").enrolment(token), later(60))
    assert (result.answer, "expired" in result.reason) == (REJECTED, True)


@pytest.mark.parametrize("field", ["device_id", "token", "verifier"])
def test_a_changed_enrolment_is_rejected(field) -> None:
    token = enrolment.issue_token("pump-1", NOW)
    sent = Identity("pump-1").enrolment(token)
    other = Identity("pump-2").enrolment(enrolment.issue_token("pump-2", NOW))
    forged = dataclasses.replace(sent, **{field: getattr(other, field)})
    result = enrolment.enrol(forged, NOW)
    assert (result.answer, "signature" in result.reason) == (REJECTED, True)
    assert not Device.objects.exists()


def test_without_a_token_a_device_waits_and_an_operator_lets_it_in(passwords) -> None:
    identity = Identity("pump-1")
    assert enrolment.enrol(identity.enrolment(), NOW).answer is PENDING
    device = Device.objects.get()
    assert passwords(lambda: enrolment.accept_pending(device, NOW)) == [
        "gateway",
        "enrol",
        "pump-1",
    ]
    assert enrolment.enrol(identity.enrolment(), NOW).answer is ACCEPTED


def test_another_key_cannot_slip_in_while_a_device_waits() -> None:
    first = Identity("pump-1")
    enrolment.enrol(first.enrolment(), NOW)
    assert enrolment.enrol(Identity("pump-1").enrolment(), NOW).answer is PENDING
    assert Device.objects.get().public_key == first.enrolment().public_key


def test_a_device_whose_description_was_brought_waits_once_it_enrols(settings) -> None:
    settings.PENDING_DEVICES_MAX = 1
    described, other = (Device.objects.create(device_id=f"pump-{n}") for n in (1, 2))
    with pytest.raises(enrolment.NotWaiting, match="only its description"):
        enrolment.accept_pending(described, NOW)
    identity = Identity("pump-1")
    assert enrolment.enrol(identity.enrolment(), NOW).answer is PENDING
    described.refresh_from_db()
    assert described.public_key == identity.enrolment().public_key
    assert enrolment.enrol(Identity("pump-2").enrolment(), NOW).answer is REJECTED
    other.refresh_from_db()
    assert not other.public_key


def test_only_so_many_devices_may_wait(settings) -> None:
    settings.PENDING_DEVICES_MAX = 2
    answers = [enrolment.enrol(Identity(f"pump-{n}").enrolment(), NOW).answer for n in range(3)]
    assert answers == [PENDING, PENDING, REJECTED]


def test_a_turned_away_device_is_rejected_until_it_has_a_token() -> None:
    identity = Identity("pump-1")
    enrolment.enrol(identity.enrolment(), NOW)
    enrolment.reject_pending(Device.objects.get())
    assert enrolment.enrol(identity.enrolment(), NOW).answer is REJECTED
    token = enrolment.issue_token("pump-1", NOW)
    assert enrolment.enrol(identity.enrolment(token), NOW).answer is ACCEPTED


def test_only_a_device_that_waits_is_decided_on() -> None:
    joined()
    seen_earlier = Device(pk=Device.objects.get().pk, device_id="pump-1", status="pending")
    for decide in (enrolment.reject_pending, lambda device: enrolment.accept_pending(device, NOW)):
        with pytest.raises(enrolment.NotWaiting, match="it is accepted"):
            decide(seen_earlier)
    assert Device.objects.get().status == "accepted"


def test_a_member_keeps_working_when_another_key_claims_its_name(passwords) -> None:
    identity = joined()
    result = enrolment.enrol(Identity("pump-1").enrolment(), NOW)
    assert (result.answer, "token" in result.reason) == (PENDING, True)
    device = Device.objects.get()
    assert device.status == DeviceStatus.ACCEPTED
    assert device.credential.verifier == identity.verifier


def test_a_fresh_token_gives_a_member_new_keys_and_a_new_count_of_boots() -> None:
    joined()
    device = Device.objects.get()
    DeviceShadow.objects.create(device=device, boot=9, acked_boot=9, acked_sequence=4, online=True)
    renewed = joined()
    device.refresh_from_db()
    assert device.public_key == renewed.enrolment().public_key
    assert DeviceCredential.objects.get().verifier == renewed.verifier
    shadow = DeviceShadow.objects.get()
    assert (shadow.boot, shadow.online) == (0, False)
    assert (shadow.acked_boot, shadow.acked_sequence) == (9, 4), "tells it from where to count"


def test_a_revoked_device_is_out_and_its_update_is_cancelled(passwords) -> None:
    rollout_world.make_devices(1)
    rollout_world.started()
    (deployment,) = rollout_world.sign_pending()
    device = deployment.device
    users = passwords(lambda: enrolment.revoke(device, NOW))
    deployment.refresh_from_db()
    assert device.device_id not in users
    assert deployment.status == DeploymentStatus.CANCELLED
    assert not DeviceCredential.objects.filter(device=device).exists()
    result = enrolment.enrol(Identity(device.device_id).enrolment(), NOW)
    assert (result.answer, "revoked" in result.reason) == (REJECTED, True)


@pytest.mark.parametrize(
    "name", ["enrol", "artifacts", "gateway", "Pump", "a/b", "+", "", "x" * 64]
)
def test_no_token_for_a_name_that_no_device_may_have(name) -> None:
    with pytest.raises(TopicError):
        enrolment.issue_token(name, NOW)


def test_the_command_prints_a_token_that_works(capsys) -> None:
    call_command("issue_token", "pump-1", "--hours", "1")
    token = capsys.readouterr().out.strip()
    row = EnrolmentToken.objects.get()
    assert enrolment.enrol(Identity("pump-1").enrolment(token), row.created_at).answer is ACCEPTED


@pytest.mark.parametrize("arguments", [["Pump"], ["pump-1", "--hours", "0"]])
def test_the_command_says_what_is_wrong(arguments) -> None:
    with pytest.raises(CommandError):
        call_command("issue_token", *arguments)
