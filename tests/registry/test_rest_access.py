"""Who may read and who may write over REST."""

from __future__ import annotations

import base64

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from rest_framework.authtoken.models import Token

pytestmark = pytest.mark.django_db
RESOURCES = ["boards", "runtimes", "devices", "fleets", "models", "releases", "variants"]


@pytest.mark.parametrize("path", [f"/api/v1/{name}/" for name in RESOURCES] + ["/api/schema/"])
def test_nobody_unknown_reads(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("name", RESOURCES)
def test_an_installation_may_open_reading(settings, name: str) -> None:
    settings.TINYFLEET_PUBLIC_READ = True
    assert Client().get(f"/api/v1/{name}/").status_code == 200


def test_open_reading_opens_no_writing(settings) -> None:
    settings.TINYFLEET_PUBLIC_READ = True
    answer = Client().post("/api/v1/fleets/", {"slug": "hall", "name": "Hall"}, "application/json")
    assert answer.status_code == 401


def test_a_token_reads_as_bearer(django_user_model) -> None:
    token = Token.objects.create(user=django_user_model.objects.create_user("program"))
    answer = Client().get("/api/v1/boards/", headers={"authorization": f"Bearer {token.key}"})
    assert answer.status_code == 200


def test_a_wrong_token_is_refused(db) -> None:
    answer = Client().get("/api/v1/boards/", headers={"authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Invalid token."}


def test_a_password_reads_as_basic(django_user_model) -> None:
    django_user_model.objects.create_user("person", password="secret words")
    basic = base64.b64encode(b"person:secret words").decode()
    answer = Client().get("/api/v1/boards/", headers={"authorization": f"Basic {basic}"})
    assert answer.status_code == 200


def test_writing_needs_the_permission_for_that_model(django_user_model) -> None:
    user = django_user_model.objects.create_user("operator")
    client = Client()
    client.force_login(user)
    body = {"slug": "hall", "name": "Hall"}
    assert client.post("/api/v1/fleets/", body, "application/json").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="add_fleet"))
    assert client.post("/api/v1/fleets/", body, "application/json").status_code == 201
    assert client.delete("/api/v1/fleets/hall/").status_code == 403


@pytest.mark.parametrize("name", ["boards", "runtimes", "devices", "releases"])
def test_what_has_another_owner_is_not_written_here(owner: Client, name: str) -> None:
    assert owner.post(f"/api/v1/{name}/", {}, "application/json").status_code == 405


@pytest.mark.parametrize("path", ["/api/", "/api/v1/"])
def test_the_way_in_leads_to_the_documentation(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"]) == (302, "/api/docs/")
