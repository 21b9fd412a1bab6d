"""What the admin lets people edit: facts that are theirs, never what devices hang on."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from registry.models import BoardType, Device, FirmwareBuild, RegisteredModel, Release, Runtime
from tests.orchestrator.rollout_world import make_devices, make_release

pytestmark = pytest.mark.django_db

NO_INLINES = {
    f"{prefix}-{count}": "0"
    for prefix in ("releases", "onboard_sensors")
    for count in ("TOTAL_FORMS", "INITIAL_FORMS")
}


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def page_of(row) -> str:
    return reverse(f"admin:registry_{row._meta.model_name}_change", args=[row.pk])


def save_model(client: Client, model: RegisteredModel, **values):
    fields = {"name": "other", "task": "", "description": "", **values}
    return client.post(page_of(model), {**NO_INLINES, **fields})


def test_a_model_gets_a_champion_of_its_own_and_keeps_its_name(client) -> None:
    release = make_release()
    assert save_model(client, release.model, champion=release.pk).status_code == 302
    model = RegisteredModel.objects.get()
    assert (model.champion, model.name) == (release, "digits")


@pytest.mark.parametrize("role", ["champion", "challenger"])
def test_another_models_release_is_refused_in_the_form(client, role) -> None:
    foreign = make_release("words")
    model = make_release().model
    answer = save_model(client, model, **{role: foreign.pk})
    assert answer.status_code == 200
    assert "That is no release of this model." in answer.content.decode()
    model.refresh_from_db()
    assert getattr(model, role) is None


def test_a_new_model_is_made_without_a_champion(client) -> None:
    release = make_release()
    page = reverse("admin:registry_registeredmodel_add")
    fields = {"name": "words", "task": "", "description": "", **NO_INLINES}
    assert client.post(page, {**fields, "champion": release.pk}).status_code == 200
    assert client.post(page, fields).status_code == 302
    assert RegisteredModel.objects.get(name="words").champion is None


def test_a_board_keeps_the_slug_that_devices_name(client) -> None:
    make_devices(1)
    board = BoardType.objects.get()
    facts = {"name": "Better name", "vendor": "v", "mcu": "m", "core": "c", "source": "s"}
    assert client.get(page_of(board)).status_code == 200
    answer = client.post(page_of(board), {**facts, "slug": "new-slug", **NO_INLINES})
    assert answer.status_code == 302
    board.refresh_from_db()
    assert (board.slug, board.name) == ("board-roomy", "Better name")


@pytest.mark.parametrize("kind", [FirmwareBuild, Runtime])
def test_what_devices_capacity_hangs_on_is_not_edited(client, kind) -> None:
    make_devices(1)
    row = kind.objects.get()
    assert client.get(page_of(row)).status_code == 200
    assert client.post(page_of(row), {"name": "mine"}).status_code == 403
    delete = reverse(f"admin:registry_{kind._meta.model_name}_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403


def queries_of_a_page(client: Client, device: Device) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(page_of(device)).status_code == 200
    return len(seen)


def test_a_devices_page_costs_the_same_however_many_variants_there_are(client) -> None:
    [device] = make_devices(1)
    make_release("one", {"a": (64, 10, 0.9)})
    queries_of_a_page(client, device)
    few = queries_of_a_page(client, device)
    for name in ("two", "three"):
        make_release(name, {f"v{n}": (64, 10 + n, 0.9) for n in range(4)})
    assert queries_of_a_page(client, device) == few


def test_what_fits_is_of_every_models_newest_release(client) -> None:
    [device] = make_devices(1)
    for model in ("one", "two"):
        make_release(model)
    make_release("two")
    assert Release.objects.count() == 3
    shown = client.get(page_of(device)).content.decode()
    assert "one/1/small" in shown and "two/2/small" in shown
    assert "two/1/small" not in shown
