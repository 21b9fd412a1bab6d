"""Who did what, when, to what, with what result: by whatever way it was done."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import AsyncClient, Client
from django.utils import timezone

from orchestrator.services import rollouts
from registry.models import AuditEntry, Device
from registry.models.audit import AuditChannel, AuditOutcome
from registry.services.audit import Act, record
from tests.orchestrator.rollout_world import (
    NOW,
    fail,
    make_devices,
    make_release,
    make_rollout,
    run_to_end,
    sign_pending,
    started,
)

pytestmark = pytest.mark.django_db


def trail(**filters) -> list[tuple[str, ...]]:
    rows = AuditEntry.objects.filter(**filters).order_by("at", "id")
    return list(rows.values_list("actor", "channel", "action", "subject", "outcome"))


@pytest.fixture
def person(django_user_model):
    return django_user_model.objects.create_superuser("ada", password="pass")


@pytest.fixture
def client(person) -> Client:
    client = Client()
    client.force_login(person)
    AuditEntry.objects.all().delete()
    return client


def test_rest_leaves_what_was_done_and_what_was_refused(client):
    make_devices(1)
    rollout = make_rollout(make_release())
    path = f"/api/v1/rollouts/{rollout.pk}"
    assert client.post(f"{path}/pause/").status_code == 409
    assert client.post(f"{path}/start/").status_code == 200
    number = str(rollout.pk)
    assert trail(channel="rest") == [
        ("ada", "rest", "POST rollout-pause", number, "refused"),
        ("ada", "rest", "POST rollout-start", number, "done"),
    ]
    refused = AuditEntry.objects.get(outcome="refused")
    assert "is draft; only what is running can become paused" in refused.detail


def test_what_is_made_is_named(client):
    made = client.post(
        "/api/v1/fleets/", {"slug": "north", "name": "North"}, content_type="application/json"
    )
    assert made.status_code == 201
    assert trail() == [("ada", "rest", "POST fleet-list", "north", "done")]


def test_reading_leaves_nothing(client):
    client.get("/api/v1/rollouts/")
    client.get("/admin/")
    client.post("/sparql", {"query": "ASK {}"})
    assert trail() == []


def test_the_admin_leaves_what_its_buttons_did(client):
    waiting = Device.objects.create(device_id="new", public_key="key")
    page = f"/admin/registry/device/{waiting.pk}/accept/"
    client.get(page)
    client.post(page)
    client.post(page)
    subject = str(waiting.pk)
    assert [row[2:] for row in trail(channel="admin")] == [
        ("POST registry_device_accept", subject, "done"),
        ("POST registry_device_accept", subject, "refused"),
    ]
    assert "does not wait" in AuditEntry.objects.get(outcome="refused").detail


def test_a_form_that_was_not_taken_is_a_refusal(client):
    client.post("/admin/registry/fleet/add/", {"slug": "", "name": ""})
    client.post("/admin/registry/fleet/add/", {"slug": "east", "name": "East"})
    assert [row[-1] for row in trail(channel="admin")] == ["refused", "done"]


def test_a_token_is_its_users(person):
    from rest_framework.authtoken.models import Token

    key = Token.objects.create(user=person).key
    answer = Client().post(
        "/api/v1/fleets/",
        {"slug": "west", "name": "West"},
        content_type="application/json",
        headers={"authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 201
    assert trail(channel="rest")[0][0] == "ada"


def test_refusals_of_people_that_nobody_knows_do_not_fill_it(client):
    assert Client().post("/api/v1/fleets/", {}).status_code in {401, 403}
    assert Client().post("/nowhere/").status_code == 404
    assert trail() == []


def test_signing_in_and_failing_to(person, settings):
    settings.AUDIT_REFUSED_SIGN_INS_PER_MINUTE = 2
    client = Client()
    for _ in range(5):
        client.post("/admin/login/", {"username": "eve", "password": "guess"})
    client.post("/admin/login/", {"username": "ada", "password": "pass"})
    client.post("/admin/logout/")
    refused = ("nobody known", "admin", "sign in", "eve", "refused")
    assert trail() == [
        refused,
        refused,
        ("ada", "admin", "sign in", "", "done"),
        ("ada", "admin", "sign out", "", "done"),
    ]
    assert "guess" not in json.dumps(list(AuditEntry.objects.values("detail", "subject")))


def test_commands_leave_who_sat_at_the_terminal(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    make_devices(1)
    make_release()
    out = io.StringIO()
    order = ["rollout", "create", "--name", "spring", "--release", "digits/1"]
    call_command(*order, stdout=out)
    call_command("rollout", "plan", "--release", "digits/1", stdout=out)
    with pytest.raises(CommandError):
        call_command("rollout", "pause", "99", stdout=out)
    assert trail() == [
        ("root", "command", "manage.py rollout", "create spring", "done"),
        ("root", "command", "manage.py rollout", "pause 99", "refused"),
    ]


def test_what_a_rollout_decides_by_itself():
    make_devices(2)
    rollout = started(make_release(), wave_percentages=(50, 100))
    fail(sign_pending(NOW))
    rollouts.tick(NOW)
    actions = [row[2] for row in trail(channel="system", subject=f"rollout {rollout.pk}")]
    assert actions == ["wave started", "wave failed", "rollout stopped"]
    failed = AuditEntry.objects.get(action="wave failed")
    assert failed.detail == "wave 1: 1 of 1 devices failed, more than the 20% allowed"


def test_a_rollout_that_completes():
    make_devices(1)
    run_to_end(started(make_release()))
    assert [row[2] for row in trail(channel="system")] == [
        "wave started",
        "wave succeeded",
        "rollout completed",
    ]


class TestExport:
    @pytest.fixture(autouse=True)
    def acts(self, db):
        record(Act(AuditChannel.COMMAND, "one", "=1+1", detail='with "quotes",\nlines'), actor="x")
        record(Act(AuditChannel.REST, "two", outcome=AuditOutcome.REFUSED), actor="y")
        old = timezone.now() - timedelta(days=30)
        AuditEntry.objects.filter(action="one").update(at=old)

    def export(self, *options: str) -> str:
        out = io.StringIO()
        call_command("export_audit", *options, stdout=out)
        return out.getvalue()

    def test_csv_for_spreadsheets(self):
        first, second = csv.DictReader(io.StringIO(self.export()))
        assert first["detail"] == 'with "quotes",\nlines'
        assert first["subject"] == "'=1+1", "no spreadsheet may take it for a formula"
        assert (second["actor"], second["action"], second["outcome"]) == ("y", "two", "refused")

    def test_json_lines_since_and_until(self):
        week_ago = (timezone.now() - timedelta(days=7)).strftime("%Y-%m-%d")
        [line] = self.export("--format", "jsonl", "--since", week_ago).splitlines()
        assert json.loads(line)["action"] == "two"
        [line] = self.export("--format", "jsonl", "--until", week_ago).splitlines()
        assert json.loads(line)["subject"] == "=1+1"

    def test_over_rest_with_filters(self, client):
        record(Act(AuditChannel.REST, "two"), actor="y")
        answer = client.get("/api/v1/audit/export/", {"actor": "y", "as": "csv"})
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
        assert [row["actor"] for row in rows] == ["y"]
        assert client.get("/api/v1/audit/export/", {"as": "pdf"}).status_code == 400

    def test_in_the_admin(self, client):
        record(Act(AuditChannel.REST, "seen with a spreadsheet"), actor="z")
        page = client.get("/admin/registry/auditentry/").content.decode()
        for form in ("csv", "jsonl"):
            button = f"/admin/registry/auditentry/export_{form}/"
            assert button in page
            answer = client.get(button, follow=True)
            assert f'filename="audit.{form}"' in answer["Content-Disposition"]
            assert b"with a spreadsheet" in b"".join(answer.streaming_content)

    def test_it_is_never_held_whole(self, person, monkeypatch):
        """Entries that vanish after the first piece has left were not in memory."""
        monkeypatch.setattr("registry.services.audit.PAGE", 7)
        monkeypatch.setattr("registry.api.streams._LINES", 7)
        moment = timezone.now()
        AuditEntry.objects.bulk_create(
            AuditEntry(at=moment, actor="many", channel="rest", action=f"a{n}", outcome="done")
            for n in range(30)
        )
        asked = AuditEntry.objects.filter(actor="many").order_by("id")

        @async_to_sync
        async def exported(vanish: bool) -> list[str]:
            client = AsyncClient()
            await client.aforce_login(person)
            query = {"as": "jsonl", "actor": "many"}
            answer = await client.get("/api/v1/audit/export/", query)
            lines: list[str] = []
            async for piece in answer.streaming_content:
                lines += piece.decode().splitlines()
                if vanish:
                    await asked.adelete()
            return [json.loads(line)["action"] for line in lines]

        assert exported(False) == [f"a{n}" for n in range(30)]
        assert exported(True) == [f"a{n}" for n in range(7)]

    def test_only_who_may_see_it(self, client, django_user_model):
        reader = Client()
        reader.force_login(django_user_model.objects.create_user("reader"))
        for path in ("/api/v1/audit/", "/api/v1/audit/export/"):
            assert reader.get(path).status_code == 403
            assert client.get(path).status_code == 200

    def test_nothing_changes_an_entry(self, client):
        record(Act(AuditChannel.REST, "three"), actor="z")
        entry = AuditEntry.objects.get(actor="z")
        path = f"/api/v1/audit/{entry.pk}/"
        for method in (client.put, client.patch, client.delete, client.post):
            assert method(path, {}, content_type="application/json").status_code == 405
        page = f"/admin/registry/auditentry/{entry.pk}"
        assert client.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
        client.post(f"{page}/change/", {"actor": "nobody"})
        entry.refresh_from_db()
        assert (entry.actor, entry.action) == ("z", "three")
