"""A member's new key waits beside the old one, for an operator who sees both."""

from __future__ import annotations

import dataclasses

import pytest
from django.urls import reverse

from orchestrator.models import DeviceCredential, DeviceShadow, KeyRequest
from orchestrator.protocol.enrolment import key_fingerprint
from orchestrator.protocol.messages import EnrolmentAnswer
from orchestrator.services import enrolment
from registry.models import Device, DeviceStatus
from tests.orchestrator.brokers import Client, RunningBroker, connect_when_known
from tests.orchestrator.members import NOW, Identity, known_member, later, signed_in

pytestmark = pytest.mark.django_db

ACCEPTED = EnrolmentAnswer.ACCEPTED
PENDING = EnrolmentAnswer.PENDING
REJECTED = EnrolmentAnswer.REJECTED


@pytest.fixture(autouse=True)
def _own_state_folder(installation) -> None:
    """Nothing of these tests is written elsewhere."""


def asking(identity: Identity) -> KeyRequest:
    """The member's old key, and a new one that waits."""
    assert enrolment.enrol(identity.enrolment(), NOW).answer is PENDING
    return KeyRequest.objects.get(device__device_id=identity.device_id)


def test_the_old_key_works_on_while_the_new_one_waits() -> None:
    old, new = known_member("pump-1"), Identity("pump-1")
    request = asking(new)
    assert request.old_fingerprint == key_fingerprint(old.enrolment().public_key)
    assert request.new_fingerprint == key_fingerprint(new.enrolment().public_key)
    device = Device.objects.get()
    assert (device.status, device.public_key) == (
        DeviceStatus.ACCEPTED,
        old.enrolment().public_key,
    )
    assert device.credential.verifier == old.verifier
    assert enrolment.enrol(old.enrolment(), NOW).answer is ACCEPTED


def test_an_accepted_new_key_is_the_only_one() -> None:
    old, new = known_member("pump-1"), Identity("pump-1")
    DeviceShadow.objects.create(device=Device.objects.get(), boot=9, online=True)
    enrolment.accept_key(asking(new), later(60))
    device = Device.objects.get()
    assert device.public_key == new.enrolment().public_key
    assert DeviceCredential.objects.get().verifier == new.verifier
    assert (device.shadow.boot, device.shadow.online) == (0, False)
    assert enrolment.enrol(new.enrolment(), later(61)).answer is ACCEPTED
    assert enrolment.enrol(old.enrolment(), later(61)).answer is PENDING, "it is the new one now"


def test_a_rejected_new_key_is_not_asked_about_again() -> None:
    old, new = known_member("pump-1"), Identity("pump-1")
    enrolment.reject_key(asking(new), NOW)
    assert enrolment.enrol(new.enrolment(), NOW).answer is REJECTED
    assert enrolment.enrol(old.enrolment(), NOW).answer is ACCEPTED
    assert enrolment.enrol(Identity("pump-1").enrolment(), NOW).answer is PENDING


def test_one_new_key_waits_at_a_time() -> None:
    known_member("pump-1")
    first, second = Identity("pump-1"), Identity("pump-1")
    request = asking(first)
    result = enrolment.enrol(second.enrolment(), NOW)
    assert (result.answer, "another new key" in result.reason) == (PENDING, True)
    assert KeyRequest.objects.get() == request


def test_who_looks_at_one_key_cannot_accept_another() -> None:
    known_member("pump-1")
    seen = asking(Identity("pump-1"))
    enrolment.reject_key(seen, NOW)
    asking(Identity("pump-1"))
    with pytest.raises(enrolment.NotWaiting):
        enrolment.accept_key(seen, NOW)


def test_a_new_secret_of_the_same_key_waits_as_well() -> None:
    old = known_member("pump-1")
    renewed = Identity("pump-1")
    renewed.key = old.key
    DeviceShadow.objects.create(device=Device.objects.get(), boot=9)
    request = asking(renewed)
    assert request.old_fingerprint == request.new_fingerprint
    enrolment.accept_key(request, NOW)
    assert DeviceCredential.objects.get().verifier == renewed.verifier
    assert DeviceShadow.objects.get().boot == 9, "the same device, not one that was wiped"


def test_the_first_key_of_a_member_by_description_waits_too() -> None:
    Device.objects.create(device_id="pump-1", status=DeviceStatus.ACCEPTED, td="{}")
    request = asking(Identity("pump-1"))
    assert request.old_fingerprint == ""
    enrolment.accept_key(request, NOW)
    assert DeviceCredential.objects.exists()


def test_only_so_many_new_keys_wait(settings) -> None:
    settings.PENDING_KEYS_MAX = 2
    answers = []
    for number in range(3):
        known_member(f"pump-{number}")
        answers.append(enrolment.enrol(Identity(f"pump-{number}").enrolment(), NOW).answer)
    assert answers == [PENDING, PENDING, REJECTED]


def test_a_token_ends_the_waiting() -> None:
    known_member("pump-1")
    new = Identity("pump-1")
    asking(new)
    token = enrolment.issue_token("pump-1", NOW)
    assert enrolment.enrol(new.enrolment(token), NOW).answer is ACCEPTED
    assert not KeyRequest.objects.exists()


def test_a_revoked_devices_new_key_does_not_wait_any_more() -> None:
    known_member("pump-1")
    request = asking(Identity("pump-1"))
    enrolment.revoke(Device.objects.get(), NOW)
    with pytest.raises(enrolment.NotWaiting):
        enrolment.accept_key(request, NOW)
    assert Device.objects.get().status == DeviceStatus.REVOKED


def test_a_key_that_was_not_shown_by_its_holder_does_not_wait() -> None:
    old = known_member("pump-1")
    forged = dataclasses.replace(
        Identity("pump-1").enrolment(), public_key=old.enrolment().public_key
    )
    assert enrolment.enrol(forged, NOW).answer is REJECTED
    assert not KeyRequest.objects.exists()


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_an_operator_decides_over_rest(decision: str) -> None:
    old, new = known_member("pump-1"), Identity("pump-1")
    request = asking(new)
    operator = signed_in("change_device")
    (shown,) = operator.get("/api/v1/key-requests/", {"waits": True}).data["results"]
    assert shown["device"] == "pump-1"
    assert shown["old_fingerprint"] != shown["new_fingerprint"]
    address = f"/api/v1/key-requests/{request.pk}/{decision}/"
    assert operator.post(address).status_code == 204
    kept = new if decision == "accept" else old
    assert DeviceCredential.objects.get().verifier == kept.verifier
    assert operator.post(address).status_code in {404, 409}


def test_who_may_not_change_devices_does_not_decide() -> None:
    known_member("pump-1")
    request = asking(Identity("pump-1"))
    viewer = signed_in("view_device", "view_keyrequest")
    assert viewer.post(f"/api/v1/key-requests/{request.pk}/accept/").status_code == 403
    page = reverse("admin:orchestrator_keyrequest_accept", args=[request.pk])
    assert viewer.post(page).status_code == 403
    assert KeyRequest.objects.filter(rejected_at=None).exists()


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_an_operator_sees_both_keys_and_decides_in_the_admin(decision: str) -> None:
    old, new = known_member("pump-1"), Identity("pump-1")
    request = asking(new)
    operator = signed_in("change_device", "view_keyrequest", "view_device")
    page = operator.get(reverse("admin:orchestrator_keyrequest_change", args=[request.pk]))
    for identity in (old, new):
        assert key_fingerprint(identity.enrolment().public_key) in page.content.decode()
    device = operator.get(reverse("admin:registry_device_change", args=[request.device_id]))
    assert page.request["PATH_INFO"] in device.content.decode()
    operator.post(reverse(f"admin:orchestrator_keyrequest_{decision}", args=[request.pk]))
    kept = new if decision == "accept" else old
    assert DeviceCredential.objects.get().verifier == kept.verifier


@pytest.mark.django_db(transaction=True)
def test_the_broker_cuts_the_old_key_off_and_takes_the_new_one(broker: RunningBroker) -> None:
    old, new = known_member("pump-1"), Identity("pump-1")
    enrolment.enrol(old.enrolment(), NOW)  # writes the broker's files
    broker.reload()
    working = connect_when_known(broker, "pump-1", old.secret)
    request = asking(new)
    assert not working.disconnected.is_set()
    enrolment.accept_key(request, NOW)
    broker.reload()
    assert working.disconnected.wait(30)
    connect_when_known(broker, "pump-1", new.secret).close()
    refused = Client(broker.port, "pump-1", old.secret)
    assert not refused.connect()
    refused.close()
