"""Buttons ask first: a link alone changes nothing, a form without its token is refused."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from orchestrator.models import Rollout
from orchestrator.services import enrolment
from registry.models import Device
from registry.services import thing_directory
from tests.orchestrator.members import Identity
from tests.orchestrator.rollout_world import NOW, make_devices, make_release, make_rollout
from tests.registry.td_samples import THING

pytestmark = pytest.mark.django_db

STEERING = [
    ("start", "draft"),
    ("pause", "running"),
    ("resume", "paused"),
    ("abort", "running"),
    ("retry_failed", "stopped"),
]
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@pytest.fixture
def operator(installation) -> Client:
    """Signed in, in a browser whose forms are checked."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def waiting() -> Device:
    """A device that enrolled without a token."""
    enrolment.enrol(Identity("pump-1").enrolment(), NOW)
    return Device.objects.get()


@pytest.fixture
def rollout() -> Rollout:
    make_devices(1)
    return make_rollout(make_release())


def button(row: Rollout | Device, name: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", args=[row.pk])


def press(client: Client, address: str) -> str:
    """What the browser does: open the page, send its form; gives what is told then."""
    page = client.get(address)
    [token] = set(TOKEN.findall(page.content.decode()))
    answer = client.post(address, {"csrfmiddlewaretoken": token}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(("name", "status"), STEERING)
def test_a_link_to_a_rollouts_button_only_asks(operator, rollout, name, status) -> None:
    Rollout.objects.update(status=status)
    for answer in (operator.get(button(rollout, name)), operator.head(button(rollout, name))):
        assert answer.status_code == 200
    page = operator.get(button(rollout, name)).content.decode()
    assert reverse("admin:orchestrator_rollout_change", args=[rollout.pk]) in page
    rollout.refresh_from_db()
    assert rollout.status == status


@pytest.mark.parametrize(("name", "status"), STEERING)
def test_an_order_without_the_token_is_refused(operator, rollout, name, status) -> None:
    Rollout.objects.update(status=status)
    assert operator.post(button(rollout, name)).status_code == 403
    rollout.refresh_from_db()
    assert rollout.status == status


def test_the_pages_own_form_steers(operator, rollout) -> None:
    for name, status in (
        ("start", "running"),
        ("pause", "paused"),
        ("resume", "running"),
        ("abort", "aborted"),
    ):
        assert f"trial is {status}." in press(operator, button(rollout, name))
        rollout.refresh_from_db()
        assert rollout.status == status


@pytest.mark.parametrize("name", ["accept", "reject", "revoke"])
def test_a_link_to_a_devices_button_changes_nothing(operator, waiting, name) -> None:
    assert operator.get(button(waiting, name)).status_code == 200
    assert operator.post(button(waiting, name)).status_code == 403
    waiting.refresh_from_db()
    assert waiting.status == "pending"


@pytest.mark.parametrize(
    ("name", "status"), [("accept", "accepted"), ("reject", "rejected"), ("revoke", "revoked")]
)
def test_an_operator_decides_on_a_device(operator, waiting, name, status) -> None:
    press(operator, button(waiting, name))
    waiting.refresh_from_db()
    assert waiting.status == status


def test_an_accepted_device_gets_its_account(
    operator, waiting, settings, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        press(operator, button(waiting, "accept"))
    assert "pump-1:" in (settings.BROKER_DIR / "passwords").read_text()


@pytest.fixture
def described(db) -> Device:
    """A device that is known by its registered description alone."""
    thing_directory.put(THING["id"], json.dumps(THING).encode())
    return Device.objects.get()


@pytest.mark.parametrize(("name", "status"), [("accept", "accepted"), ("reject", "rejected")])
def test_an_operator_decides_on_a_registered_thing(operator, described, name, status) -> None:
    page = operator.get(reverse("admin:registry_device_change", args=[described.pk]))
    assert THING["id"] in page.content.decode()
    assert button(described, name) in page.content.decode()
    press(operator, button(described, name))
    described.refresh_from_db()
    assert described.status == status


def test_it_is_said_that_an_accepted_thing_needs_a_token(operator, described) -> None:
    assert "it needs a token" in operator.get(button(described, "accept")).content.decode()
    press(operator, button(described, "accept"))
    identity = Identity(described.device_id)
    result = enrolment.enrol(identity.enrolment(), NOW)
    assert (result.answer.value, "token" in result.reason) == ("pending", True)
    token = enrolment.issue_token(described.device_id, NOW)
    assert enrolment.enrol(identity.enrolment(token), NOW).answer.value == "accepted"


def test_accept_and_reject_are_offered_to_a_waiting_device_only(operator, waiting) -> None:
    page = reverse("admin:registry_device_change", args=[waiting.pk])
    offered = operator.get(page).content.decode()
    assert button(waiting, "accept") in offered and button(waiting, "reject") in offered
    Device.objects.update(status="accepted")
    offered = operator.get(page).content.decode()
    assert button(waiting, "accept") not in offered and button(waiting, "revoke") in offered


@pytest.mark.parametrize("status", ["accepted", "rejected", "revoked"])
@pytest.mark.parametrize("name", ["accept", "reject"])
def test_a_decision_that_comes_too_late_says_so(operator, waiting, name, status) -> None:
    Device.objects.update(status=status)
    assert f"does not wait: it is {status}." in press(operator, button(waiting, name))
    waiting.refresh_from_db()
    assert waiting.status == status


@pytest.mark.parametrize("name", ["accept", "reject", "revoke"])
def test_who_may_not_change_devices_is_not_even_asked(waiting, name) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_device"))
    client = Client()
    client.force_login(viewer)
    assert client.get(button(waiting, name)).status_code == 403
    assert client.post(button(waiting, name)).status_code == 403


@pytest.mark.parametrize("key", ["999", "1" * 25, "none"])
def test_a_button_of_nothing_is_not_found(operator, key) -> None:
    assert operator.get(reverse("admin:registry_device_revoke", args=[key])).status_code == 404
