"""Four roles, and operators who may act on some fleets only."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client

from orchestrator.models import KeyRequest, Rollout
from orchestrator.services import rollouts
from orchestrator.services.rollouts import RolloutError
from registry.models import Device, DeviceStatus, Fleet, FleetScope
from tests.orchestrator.rollout_world import (
    NOW,
    ROOMY,
    make_devices,
    make_release,
    make_rollout,
    profile,
    seconds,
    sign_pending,
    started,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def roles():
    call_command("load_roles", stdout=io.StringIO())


@pytest.fixture
def somebody(django_user_model):
    """A client and user of a role; scoped to fleets where some are named."""

    def make(role: str, *fleets: str):
        user = django_user_model.objects.create_user(role.replace(" ", "-"), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        if fleets:
            scope = FleetScope.objects.create(user=user)
            scope.fleets.set(Fleet.objects.filter(slug__in=fleets))
        client = Client()
        client.force_login(user)
        return client, user

    return make


@pytest.fixture
def fleets():
    """Two devices in the north, two in the south."""
    devices = make_devices(4)
    for slug, members in {"north": devices[:2], "south": devices[2:]}.items():
        Fleet.objects.create(slug=slug, name=slug).devices.set(members)


def post(client: Client, path: str, **body) -> int:
    answer = client.post(f"/api/v1/{path}", body, content_type="application/json")
    return answer.status_code


def test_loading_again_changes_nothing_and_mends_what_was_changed():
    viewer = Group.objects.get(name="Viewer")
    count = viewer.permissions.count()
    viewer.permissions.clear()
    out = io.StringIO()
    call_command("load_roles", stdout=out)
    assert viewer.permissions.count() == count
    assert Group.objects.count() == 4
    assert f"Viewer: {count} permissions" in out.getvalue()


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("Viewer", set()),
        ("Operator", {"fleet", "rollout", "start", "approve"}),
        ("Model engineer", {"model", "rollout"}),
        ("Administrator", {"fleet", "model", "rollout", "start", "approve", "audit", "users"}),
    ],
)
def test_what_a_role_may(somebody, fleets, role, may):
    client, user = somebody(role)
    release = make_release()
    draft = make_rollout(release)
    order = {"name": "by role", "release": str(release.pk), "target": {"all": True}}
    answers = {
        "fleet": post(client, "fleets/", slug="new", name="New"),
        "model": post(client, "models/", name="sounds", task="sounds"),
        "rollout": post(client, "rollouts/", **order),
        "start": post(client, f"rollouts/{draft.pk}/start/"),
        "approve": post(client, f"rollouts/{draft.pk}/approve/"),
        "audit": client.get("/api/v1/audit/").status_code,
        "users": client.get("/admin/auth/user/").status_code,
    }
    assert {name for name, status in answers.items() if status != 403} == may
    assert client.get("/api/v1/devices/").status_code == 200
    assert client.get("/admin/orchestrator/rollout/").status_code == 200


def test_an_operator_of_a_fleet_sends_to_it_alone(somebody, fleets):
    client, user = somebody("Operator", "north")
    release = make_release()
    order = {"name": "mine", "release": str(release.pk)}
    assert post(client, "rollouts/", **order, target={"fleet": "north"}) == 201
    for target in ({"fleet": "south"}, {"all": True}, {"devices": ["roomy-000", "roomy-003"]}):
        assert post(client, "rollouts/", **order, target=target) == 400
    with pytest.raises(RolloutError, match="2 of 4 devices are in none of the fleets that Oper"):
        make_rollout(release, user=user)


def test_and_steers_what_goes_to_it_alone(somebody, fleets):
    client, user = somebody("Operator", "north")
    release = make_release()
    foreign = make_rollout(release, target={"fleet": "south"}, name="foreign")
    own = make_rollout(release, target={"fleet": "north"}, name="own")
    assert post(client, f"rollouts/{foreign.pk}/start/") == 409
    assert post(client, f"rollouts/{own.pk}/start/") == 200
    rollouts.start_rollout(foreign, NOW)
    for order in ("pause", "abort", "retry"):
        assert post(client, f"rollouts/{foreign.pk}/{order}/") == 409
    assert post(client, f"rollouts/{own.pk}/pause/") == 200
    page = f"/admin/orchestrator/rollout/{foreign.pk}/abort/"
    client.post(page)
    foreign.refresh_from_db()
    assert foreign.status == "running"


def test_newcomers_outside_of_the_makers_fleets_do_not_join(somebody, fleets):
    client, user = somebody("Operator", "north")
    rollout = started(make_release(), target={"fleet": "north"}, is_dynamic=True, user=user)
    for name, own in (("ours", True), ("theirs", False)):
        device = Device.objects.create(
            device_id=name, status=DeviceStatus.ACCEPTED, profile=profile(ROOMY)
        )
        if own:
            device.fleets.add(Fleet.objects.get(slug="north"))
    Rollout.objects.filter(pk=rollout.pk).update(target={"all": True})
    rollouts.tick(seconds(61))
    assert {each.device.device_id for each in sign_pending(seconds(62))} == {
        "roomy-000",
        "roomy-001",
        "ours",
    }


def test_nor_widens_what_it_may_act_on(somebody, fleets, django_user_model):
    client, user = somebody("Operator", "north")
    assert client.get("/api/v1/fleets/north/").status_code == 200
    body = {"devices": ["roomy-003"]}
    answer = client.patch("/api/v1/fleets/north/", body, content_type="application/json")
    assert answer.status_code == 403
    fleet = Fleet.objects.get(slug="north")
    assert client.post(f"/admin/registry/fleet/{fleet.pk}/delete/").status_code == 403
    assert client.post("/admin/registry/fleetscope/add/").status_code == 403
    assert client.post("/admin/orchestrator/enrolmenttoken/add/").status_code == 403


def test_devices_of_other_fleets_are_not_its_to_revoke(somebody, fleets):
    client, user = somebody("Operator", "north")
    for name, expected in (("roomy-000", "revoked"), ("roomy-003", "accepted")):
        device = Device.objects.get(device_id=name)
        client.post(f"/admin/registry/device/{device.pk}/revoke/")
        device.refresh_from_db()
        assert device.status == expected
        request = KeyRequest.objects.create(
            device=device, public_key="k", verifier="v", asked_at=NOW
        )
        if name == "roomy-003":
            assert post(client, f"key-requests/{request.pk}/accept/") == 403


def test_a_superuser_is_held_to_nothing(fleets, django_user_model):
    root = django_user_model.objects.create_superuser("root")
    FleetScope.objects.create(user=root)
    assert make_rollout(make_release(), user=root).pk
