"""A rollout made in the admin: a form, a dry run, and only then something that is saved."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orchestrator.models import Deployment, DeviceShadow, Rollout
from orchestrator.services import rollouts
from registry.admin.columns import bytes_text
from registry.models import AuditEntry, Device, Fleet, FleetScope, Variant
from tests.orchestrator.rollout_world import (
    CRAMPED,
    ROOMY,
    SNUG,
    make_devices,
    make_release,
    make_rollout,
    started,
)

pytestmark = pytest.mark.django_db

ADD = "/admin/orchestrator/rollout/add/"
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?')
FILLED = {
    "name": "spring",
    "what": "release",
    "release": "digits/1",
    "target": "all",
    "waves": "wave_percentages",
    "wave_percentages": "50, 100",
    "success_threshold": "0.9",
    "error_threshold": "0.2",
    "soak_s": "0",
}


@pytest.fixture(autouse=True)
def fleet() -> Iterator[None]:
    """Six devices of three kinds, the large and the small one in the north."""
    roomy, snug, _ = make_devices(3, ROOMY), make_devices(2, SNUG), make_devices(1, CRAMPED)
    make_release()
    Fleet.objects.create(slug="north", name="North").devices.set([roomy[0], snug[0]])
    DeviceShadow.objects.create(device=roomy[0], online=True)
    yield


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def artifact_bytes(variant: str) -> int:
    artifact = Variant.objects.get(name=variant).artifact
    assert artifact is not None
    return artifact.size_bytes


def somebody(role: str, *fleets: str) -> Client:
    call_command("load_roles", stdout=io.StringIO())
    user = User.objects.create_user(role, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    if fleets:
        FleetScope.objects.create(user=user).fleets.set(Fleet.objects.filter(slug__in=fleets))
    client = Client()
    client.force_login(user)
    return client


def said(answer) -> str:
    """The words of a page, without its marks."""
    assert answer.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def tried(client: Client, **changes: str):
    return client.post(ADD, {**FILLED, **changes, "step": "try"})


def sent_on(client: Client, page, step: str):
    """What the browser does when a button of the dry run is pressed."""
    fields: dict[str, list[str]] = {}
    for name, value in HIDDEN.findall(page.content.decode()):
        fields.setdefault(name, []).append(html.unescape(value))
    return client.post(ADD, {**fields, "step": step}, follow=True)


def test_the_form_is_a_page_and_the_list_leads_to_it(operator):
    assert ADD in operator.get(reverse("admin:orchestrator_rollout_changelist")).content.decode()
    page = operator.get(ADD, {"release": "digits/1", "name": "from elsewhere"})
    text = page.content.decode()
    assert 'value="digits/1"' in text and 'value="from elsewhere"' in text


def test_the_dry_run_says_who_gets_what_and_who_nothing_and_why(operator):
    sizes = [artifact_bytes(name) for name in ["large"] * 3 + ["small"] * 2]
    page = said(tried(operator))
    for words in (
        "6 are meant",
        "5 get an update",
        "0 have it already",
        "1 get nothing",
        f"digits/1/large 3 {bytes_text(sizes[0])}",
        f"digits/1/small 2 {bytes_text(sizes[-1])}",
        f"Bytes to send {bytes_text(sum(sizes))}",
        f"Bytes to publish {bytes_text(sum(set(sizes)))}",
        "no update has come through yet",
        "4 of those that get an update are offline now",
        "needs 1,216 B of flash, has 512 B: 704 B short",
    ):
        assert words in page, words
    assert not Rollout.objects.exists()


def test_saved_after_the_dry_run_it_is_what_the_form_said(operator):
    page = tried(
        operator,
        target="fleet",
        fleet="north",
        waves="wave_sizes",
        wave_sizes="1",
        soak_s="60",
        max_restarts="2",
        start_at="2031-01-01T22:00",
        expires_at="2031-01-09T22:00",
        window_from="22:00",
        window_to="05:00",
        window_days=["sat", "sun"],
        window_timezone="Europe/Berlin",
        max_per_minute="10",
        is_dynamic="on",
        revert_on_failure="on",
        needs_approval="on",
    )
    assert "Save and start" not in said(page), "nobody has approved it yet"
    assert "nothing is sent yet" in said(sent_on(operator, page, "save"))
    rollout = Rollout.objects.get()
    assert (rollout.name, rollout.status, str(rollout.created_by)) == ("spring", "draft", "root")
    assert rollout.release is not None and rollout.release.number == 1
    assert rollout.target == {"fleet": "north"}
    assert (rollout.wave_sizes, rollout.wave_percentages) == ([1], [100])
    assert (rollout.soak_s, rollout.health) == (60, {"max_restarts": 2})
    assert rollout.window == {
        "from": "22:00",
        "to": "05:00",
        "days": ["sat", "sun"],
        "timezone": "Europe/Berlin",
    }
    assert (rollout.max_per_minute, f"{rollout.start_at:%FT%R%z}") == (10, "2031-01-01T22:00+0000")
    assert rollout.is_dynamic and rollout.revert_on_failure and rollout.needs_approval


def test_saved_and_started(operator):
    page = tried(operator)
    assert "spring is running." in said(sent_on(operator, page, "start"))
    assert Deployment.objects.filter(status="pending").count() == 5


def test_back_to_the_form_with_all_that_was_written(operator):
    page = tried(operator, target="filter", filter="board = board-snug")
    text = sent_on(operator, page, "change").content.decode()
    assert 'value="board = board-snug"' in text and 'value="50, 100"' in text
    assert "does not hold" not in text
    assert not Rollout.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": " "}, "name", "required"),
        ({"release": ""}, "release", "Which release is to be sent?"),
        ({"release": "digits/9"}, "release", "There is no release 'digits/9'"),
        ({"what": "variant", "variant": "digits/1/none"}, "variant", "There is no variant"),
        ({"target": "fleet"}, "fleet", "The target needs it."),
        ({"target": "filter", "filter": "board ="}, "filter", "."),
        ({"target": "filter", "filter": "bord = x"}, "filter", "bord"),
        ({"target": "filter", "filter": "id = nobody"}, "filter", "selects no accepted device"),
        ({"target": "sparql", "sparql": "ASK {}"}, "sparql", "Only a SELECT yields devices"),
        ({"target": "devices", "devices": "roomy-000, rommy"}, "devices", "no device rommy"),
        ({"target": "devices", "devices": "roomy-000", "is_dynamic": "on"}, "is_dynamic", "join"),
        ({"wave_percentages": "50, 10"}, "wave_percentages", "must rise"),
        ({"wave_percentages": "ten"}, "wave_percentages", "These are no numbers: ten"),
        ({"wave_percentages": ""}, "wave_percentages", "list of cumulative percentages"),
        ({"waves": "wave_sizes", "wave_sizes": "0"}, "wave_sizes", "from 1 up"),
        ({"waves": "wave_sizes", "wave_sizes": "1.5"}, "wave_sizes", "no whole numbers"),
        ({"success_threshold": "1.1"}, "success_threshold", "1.1 can never be met"),
        ({"error_threshold": "-1"}, "error_threshold", "-1.0 can never be met"),
        ({"error_threshold": "nan"}, "error_threshold", "number"),
        ({"soak_s": "-1"}, "soak_s", "0 seconds or more"),
        ({"max_restarts": "1"}, "soak_s", "one of 0 seconds shows nothing"),
        ({"soak_s": "60", "max_accuracy_drop": "2"}, "max_accuracy_drop", "a fraction"),
        ({"start_at": "2001-01-01T00:00"}, "start_at", "in the past"),
        ({"start_at": "soon"}, "start_at", "valid date"),
        ({"expires_at": "2001-01-01T00:00"}, "expires_at", "expire before it starts"),
        ({"window_from": "22:00"}, "window_to", "a beginning and an end"),
        ({"window_from": "25:00", "window_to": "05:00"}, "window_from", "times like 22:00"),
        (
            {"window_from": "22:00", "window_to": "05:00", "window_timezone": "Mars"},
            "window_from",
            "no time zone 'Mars'",
        ),
        ({"max_per_minute": "0"}, "max_per_minute", "one or more orders"),
    ],
)
def test_what_does_not_hold_is_said_beside_its_field(operator, changes, field, words):
    page = tried(operator, **changes)
    errors = page.context["form"].errors
    assert list(errors) == [field]
    assert words in errors[field][0]
    assert errors[field][0] in said(page)
    assert not Rollout.objects.exists()


def test_nor_is_it_saved_by_whoever_leaves_the_dry_run_out(operator):
    for step in ("save", "start"):
        page = operator.post(ADD, {**FILLED, "wave_percentages": "50", "step": step})
        assert "wave_percentages" in page.context["form"].errors
    assert not Rollout.objects.exists()


def test_all_that_does_not_hold_is_said_at_once(operator):
    page = tried(operator, success_threshold="2", error_threshold="2", soak_s="-1")
    assert set(page.context["form"].errors) == {"success_threshold", "error_threshold", "soak_s"}


def test_what_fits_nobody_is_shown_with_its_reasons_and_cannot_be_saved(operator):
    page = tried(operator, target="devices", devices="cramped-000")
    assert "fits any of the 1 devices" in said(page)
    assert "704 B short" in said(page)
    assert "Save as draft" not in said(page)
    kept = sent_on(operator, page, "save")
    assert "fits any of the 1 devices" in kept.context["form"].errors["release"][0]
    assert not Rollout.objects.exists()


def test_what_a_rollout_that_runs_would_lose_is_shown(operator):
    older = started(name="older")
    page = said(tried(operator))
    assert f"5 open deployments of rollout {older.pk}, older, would be taken over" in page


def test_who_has_it_already_is_counted(operator):
    large = make_release("other").variants.get(name="large")
    Device.objects.filter(device_id="roomy-000").update(installed=large)
    page = tried(operator, release="other/1")
    assert "1 have it already" in said(page)
    shown = operator.post(ADD, {**FILLED, "release": "other/1", "show": "already_installed"})
    rows = shown.context["devices"]["rows"]
    assert len(rows) == 1 and "has it" in rows[0][1]


def test_many_devices_come_in_pages(operator):
    Device.objects.bulk_create(
        Device(device_id=f"silent-{n:03d}", status="accepted") for n in range(100)
    )
    page = operator.post(ADD, {**FILLED, "show": "not_applicable", "page": "3"})
    assert "Page 3 of 3" in said(page)
    assert len(page.context["devices"]["rows"]) == 1


@pytest.mark.parametrize(
    ("role", "makes", "starts"),
    [("Viewer", False, False), ("Model engineer", True, False), ("Operator", True, True)],
)
def test_by_role(role, makes, starts):
    client = somebody(role)
    assert client.get(ADD).status_code == (200 if makes else 403)
    page = tried(client)
    assert page.status_code == (200 if makes else 403)
    listed = client.get(reverse("admin:orchestrator_rollout_changelist")).content.decode()
    assert (ADD in listed) is makes
    if makes:
        assert ("Save and start" in said(page)) is starts
    forced = client.post(ADD, {**FILLED, "step": "start"})
    assert forced.status_code == (302 if starts else 403)
    assert Rollout.objects.exists() is starts


def test_nobody_sends_beyond_the_own_fleets():
    client = somebody("Operator", "north")
    page = tried(client)
    assert "4 of 6 devices are in none of the fleets that Operator may act on" in said(page)
    assert "Save as draft" not in said(page)
    refused = client.post(ADD, {**FILLED, "step": "start"})
    assert list(refused.context["form"].errors) == ["target"]
    assert not Rollout.objects.exists()
    own = tried(client, target="fleet", fleet="north")
    assert "spring is running." in said(sent_on(client, own, "start"))


def test_a_dry_run_leaves_no_trace_but_what_is_made_and_refused_does(operator):
    AuditEntry.objects.all().delete()
    page = tried(operator)
    sent_on(operator, page, "change")
    assert not AuditEntry.objects.exists()
    operator.post(ADD, {**FILLED, "success_threshold": "7", "step": "save"})
    sent_on(operator, page, "save")
    refused, done = AuditEntry.objects.order_by("id")
    assert (refused.outcome, done.outcome) == ("refused", "done")
    assert "7.0 can never be met" in refused.detail


LIKE_IT = [
    {"target": {"all": True}, "wave_percentages": (12.5, 100)},
    {"target": {"fleet": "north"}, "wave_sizes": (1, 2), "is_dynamic": True},
    {"target": {"filter": 'board = "board-snug"'}, "soak_s": 9, "health": {"max_restarts": 1}},
    {"target": {"devices": ["roomy-000", "roomy-001"]}, "max_per_minute": 3},
    {"window": {"from": "22:00", "to": "05:00", "days": ["sat"], "timezone": "Europe/Berlin"}},
]


@pytest.mark.parametrize("policy", LIKE_IT)
def test_another_one_like_it(operator, policy):
    now = timezone.now()
    order = {"target": {"all": True}, "revert_on_failure": True, "success_threshold": 0.5, **policy}
    target = order.pop("target")
    small = Variant.objects.get(name="small")
    what = {"variant": small} if "window" in policy else {"release": small.release}
    rollout = rollouts.create_rollout(
        "one", **what, target=target, policy=rollouts.RolloutPolicy(**order), now=now
    )
    button = reverse("admin:orchestrator_rollout_copy", args=[rollout.pk])
    page = reverse("admin:orchestrator_rollout_change", args=[rollout.pk])
    assert button in operator.get(page).content.decode()
    form = operator.get(button, follow=True).context["form"]
    filled = {field.html_name: field.value() for field in form}
    absent = (None, False)  # by identity: 0 is a number
    wanted = {n: value for n, value in filled.items() if not any(value is a for a in absent)}
    sent_on(operator, operator.post(ADD, {**wanted, "step": "try"}), "save")
    copied = Rollout.objects.latest("pk")
    assert copied.pk != rollout.pk
    alike = ("name", "release", "variant", "target", "wave_percentages", "wave_sizes", "is_dynamic")
    alike += ("success_threshold", "error_threshold", "soak_s", "health", "revert_on_failure")
    for name in (*alike, "window", "max_per_minute", "needs_approval"):
        assert getattr(copied, name) == getattr(rollout, name), name


def test_a_saved_draft_can_be_tried_again(operator):
    rollout = make_rollout(make_release("later"))
    button = reverse("admin:orchestrator_rollout_dry_run", args=[rollout.pk])
    page = reverse("admin:orchestrator_rollout_change", args=[rollout.pk])
    assert button in operator.get(page).content.decode()
    shown = operator.get(button, {"show": "not_applicable"})
    assert "5 get an update" in said(shown) and "Back to the rollout" in said(shown)
    assert len(shown.context["devices"]["rows"]) == 1
    Rollout.objects.update(target={"fleet": "gone"})
    assert "There is no fleet" in said(operator.get(button, follow=True))
    assert operator.get(button.replace(str(rollout.pk), "99999")).status_code == 404
