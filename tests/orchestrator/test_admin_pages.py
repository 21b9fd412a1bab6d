"""Every admin page opens; what the system writes cannot be edited; buttons do what they say."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orchestrator.models import Deployment, DeviceShadow, DroppedMessage, Job, Rollout, Wave
from registry.models import BoardType, CapabilityProfile, Device, RegisteredModel, Release
from tests.orchestrator.rollout_world import (
    fail,
    install,
    make_devices,
    make_release,
    sign_pending,
    started,
)

READ_ONLY = {
    "auditentry",
    "deployment",
    "telemetry",
    "job",
    "compressionoffer",
    "driftalert",
    "learningtask",
    "droppedmessage",
    "device",
    "artifact",
    "firmwarebuild",
    "release",
    "runtime",
    "variant",
    "capabilityprofile",
    "graphchange",
    "enrolmenttoken",
    "arenareport",
    "keyrequest",
    "knowndevice",
    "thingregistration",
    "technique",
    "citedwork",
    "mlflowalias",
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


@pytest.fixture
def rollout() -> Rollout:
    now = timezone.now()
    board = BoardType.objects.create(slug="b", name="B", vendor="V", mcu="M", core="c", source="s")
    profile = CapabilityProfile.objects.create(digest="d" * 64, board=board, sensors=None)
    device = Device.objects.create(device_id="one", status="accepted", profile=profile)
    DeviceShadow.objects.create(device=device, online=True, boot=3)
    release = Release.objects.create(model=RegisteredModel.objects.create(name="m"), number=1)
    rollout = Rollout.objects.create(
        name="first", release=release, target={"all": True}, expires_at=now + timedelta(days=1)
    )
    wave = Wave.objects.create(rollout=rollout, number=1)
    Deployment.objects.create(
        wave=wave,
        device=device,
        expires_at=now,
        reasons=[{"constraint": "flash", "holds": False}],
    )
    Job.objects.create(kind="train_family", status="failed", error="no")
    DroppedMessage.objects.create(reason="malformed", topic="td", count=2, last_at=now)
    return rollout


def ours() -> list[type]:
    return [model for model in admin.site._registry if model.__module__.startswith(("reg", "orch"))]


@pytest.mark.parametrize("model", ours(), ids=lambda model: model.__name__)
def test_every_list_and_every_page_opens(client: Client, rollout: Rollout, model: type) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert client.get(reverse(f"{name}_changelist")).status_code == 200
    for row in model.objects.all()[:1]:
        assert client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


def test_the_first_page_counts(client: Client, rollout: Rollout) -> None:
    page = client.get("/admin/").content.decode()
    assert "first" in page
    assert "No device runs a model yet." in page


@pytest.mark.parametrize("model", ours(), ids=lambda model: model.__name__)
def test_what_the_system_writes_is_not_edited(client: Client, model: type) -> None:
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    expected = 403 if model._meta.model_name in READ_ONLY else 200
    assert client.get(page).status_code == expected


def test_buttons_steer_a_rollout(client: Client, rollout: Rollout) -> None:
    Rollout.objects.update(status="running")
    for button, status in (("pause", "paused"), ("resume", "running"), ("abort", "aborted")):
        client.post(reverse(f"admin:orchestrator_rollout_{button}", args=[rollout.pk]))
        rollout.refresh_from_db()
        assert rollout.status == status


def test_a_button_that_comes_too_late_says_so(client: Client, rollout: Rollout) -> None:
    Rollout.objects.update(status="completed")
    page = reverse("admin:orchestrator_rollout_pause", args=[rollout.pk])
    assert "only what is" in client.post(page, follow=True).content.decode()


def test_a_viewer_may_look_and_not_steer(rollout: Rollout) -> None:
    from django.contrib.auth.models import Permission

    viewer = get_user_model().objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_rollout"))
    client = Client()
    client.force_login(viewer)
    Rollout.objects.update(status="running")
    page = reverse("admin:orchestrator_rollout_change", args=[rollout.pk])
    assert client.get(page).status_code == 200
    steer = reverse("admin:orchestrator_rollout_pause", args=[rollout.pk])
    assert client.post(steer).status_code == 403


def test_a_rollouts_page_says_how_each_wave_stands(client: Client) -> None:
    make_devices(3)
    rollout = started(make_release(), wave_percentages=(60, 100), name="spring")
    first, second = sign_pending()
    install([first])
    fail([second])
    page = client.get(reverse("admin:orchestrator_rollout_change", args=[rollout.pk]))
    text = " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())
    assert "60 %, 100 %" in text and "every accepted device" in text
    assert "1 of 2 1 installed , 1 failed" in text and "0 of 1 1 pending" in text
    failed = re.search(r'href="([^"]*status__exact=failed)"', page.content.decode())
    assert failed is not None
    listed = client.get(html.unescape(failed[1])).content.decode()
    assert second.device.device_id in listed and first.device.device_id not in listed
