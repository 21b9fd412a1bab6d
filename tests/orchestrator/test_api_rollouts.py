"""Rollouts over REST: made, tried out, steered and read."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from orchestrator.models import Deployment, Rollout
from orchestrator.services import rollouts
from registry.models import Fleet
from tests.orchestrator.rollout_world import (
    CRAMPED,
    NOW,
    ROOMY,
    Status,
    fail,
    install,
    make_devices,
    make_release,
    report,
    run_to_end,
    sign_pending,
    started,
)

pytestmark = pytest.mark.django_db

ROLLOUTS = "/api/v1/rollouts/"


@pytest.fixture
def fleet():
    make_devices(3, ROOMY)
    make_devices(1, CRAMPED)
    return make_release()


def _client(*permissions: str) -> APIClient:
    user = User.objects.create_user(f"user-{len(permissions)}")
    for name in permissions:
        user.user_permissions.add(Permission.objects.get(codename=name))
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.fixture
def operator() -> APIClient:
    return _client("add_rollout", "change_rollout", "view_rollout")


def _order(**more) -> dict:
    return {"name": "spring", "release": "digits/1", "target": {"all": True}, **more}


def test_made_started_watched_and_ended(fleet, operator):
    made = operator.post(ROLLOUTS, _order(wave_percentages=[30, 100]), format="json")
    assert made.status_code == 201
    assert (made.data["status"], made.data["release"]) == ("draft", "digits/1")
    assert made.data["created_by"] == "user-3"
    address = f"{ROLLOUTS}{made.data['id']}/"

    begun = operator.post(f"{address}start/")
    assert (begun.status_code, begun.data["status"]) == (200, "running")
    rollout = Rollout.objects.get()
    rollouts.tick(rollout.started_at)
    seen = operator.get(address).data
    assert [wave["status"] for wave in seen["waves"]] == ["running", "waiting"]
    assert seen["waves"][0]["counts"] == {"pending": 1, "not_applicable": 1}

    run_to_end(rollout, rollout.started_at)
    seen = operator.get(address).data
    assert seen["status"] == "completed"
    assert seen["waves"][1]["counts"] == {"confirmed": 2}
    assert operator.get(ROLLOUTS, {"status": "completed"}).data["count"] == 1
    assert operator.get(ROLLOUTS, {"status": "draft"}).data["count"] == 0


def test_paused_resumed_aborted_and_retried(fleet, operator):
    rollout = started(fleet)
    address = f"{ROLLOUTS}{rollout.pk}/"
    for order, status in (("pause", "paused"), ("resume", "running"), ("abort", "aborted")):
        answer = operator.post(f"{address}{order}/")
        assert (answer.status_code, answer.data["status"]) == (200, status)
    refused = operator.post(f"{address}retry/")
    assert refused.status_code == 409
    assert refused.data["detail"] == "'trial' is aborted; it has nothing to retry."


def test_a_retry_names_what_it_leaves_alone(fleet, operator):
    rollout = started(fleet)
    fail(sign_pending())
    rollouts.tick(NOW)
    answer = operator.post(f"{ROLLOUTS}{rollout.pk}/retry/")
    assert (answer.status_code, answer.data["status"]) == (200, "running")
    why = "nothing of what it sends fits"
    assert answer.data["left_alone"] == [{"why": why, "devices": 1, "example": "cramped-000"}]


def test_an_order_at_the_wrong_time_is_a_conflict(fleet, operator):
    rollout = started(fleet)
    answer = operator.post(f"{ROLLOUTS}{rollout.pk}/start/")
    assert answer.status_code == 409
    assert "only a draft can be started" in answer.data["detail"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"release": "digits/9"}, "release", "no release"),
        ({"release": "digits"}, "release", "no release"),
        ({"release": "9" * 30}, "release", "no release"),
        ({"variant": "digits/1/none"}, "variant", "no variant"),
        ({"variant": "digits/1/small"}, "detail", "either a release or one variant"),
        ({"target": {"fleet": "none"}}, "detail", "no fleet"),
        ({"target": "all"}, "detail", "A target is"),
        ({"target": None}, "target", "null"),
        ({"name": ""}, "name", "blank"),
        ({"success_threshold": 2}, "detail", "can never be met"),
        ({"wave_percentages": 5}, "detail", "list of cumulative percentages"),
        ({"wave_percentages": [10**400]}, "detail", "list of cumulative percentages"),
        ({"target": {"fleet": "a\0b"}}, "detail", "does not take"),
        ({"wave_percentages": {"a": 1}}, "detail", "list of cumulative percentages"),
        ({"start_at": "2001-01-01T00:00:00Z"}, "detail", "in the past"),
        ({"start_at": "soon"}, "start_at", "format"),
        ({"health": [1]}, "detail", "Health limits"),
        ({"soak_s": -5}, "soak_s", "greater than or equal"),
    ],
)
@pytest.mark.parametrize("address", [ROLLOUTS, f"{ROLLOUTS}plan/"])
def test_a_bad_order_names_what_is_wrong(fleet, operator, address, change, field, words):
    answer = operator.post(address, _order(**change), format="json")
    assert answer.status_code == 400
    assert words in str(answer.data[field])
    assert not Rollout.objects.exists()


@pytest.mark.parametrize("address", [ROLLOUTS, f"{ROLLOUTS}plan/"])
def test_every_field_that_does_not_hold_has_its_sentence(fleet, operator, address):
    wrong = {"target": {"filter": "board = "}, "error_threshold": 3, "health": {"mood": 1}}
    answer = operator.post(address, _order(**wrong), format="json")
    assert answer.status_code == 400
    assert set(answer.data["fields"]) == set(wrong)
    assert answer.data["detail"] == answer.data["fields"]["target"]
    assert "can never be met" in answer.data["fields"]["error_threshold"]


def test_a_dry_run_writes_nothing(fleet, operator):
    answer = operator.post(f"{ROLLOUTS}plan/", _order(wave_percentages=[40, 100]), format="json")
    assert answer.status_code == 200
    plan = answer.data
    assert plan["devices"] == 4
    assert plan["outcomes"] == {"not_applicable": 1, "pending": 3}
    assert plan["variants"] == {"digits/1/large": 3}
    assert plan["waves"] == [2, 1]
    assert (plan["download_bytes"], plan["published_bytes"]) == (3 * 4624, 4624)
    [refused] = [one for one in plan["assignments"] if one["outcome"] == "not_applicable"]
    assert refused["device"] == "cramped-000"
    assert refused["reasons"][0]["constraint"] == "flash"
    assert not Rollout.objects.exists()
    assert not Deployment.objects.exists()


def test_a_drafts_dry_run_comes_in_pages(fleet, operator):
    made = operator.post(ROLLOUTS, _order(), format="json").data
    answer = operator.get(f"{ROLLOUTS}{made['id']}/plan/", {"limit": 1, "offset": 1})
    assert [one["device"] for one in answer.data["assignments"]] == ["roomy-000"]
    assert answer.data["devices"] == 4


def test_a_release_that_fits_nobody_is_refused(operator):
    make_devices(1, CRAMPED)
    make_release()
    answer = operator.post(ROLLOUTS, _order(), format="json")
    assert answer.status_code == 400
    assert "fits any of the 1 devices" in answer.data["detail"]


def test_a_fleet_is_a_target(fleet, operator):
    Fleet.objects.create(slug="shop", name="Shop")
    answer = operator.post(ROLLOUTS, _order(target={"fleet": "shop"}), format="json")
    assert answer.data["detail"] == "The fleet 'shop' has no accepted device."


def test_deployments_are_found_and_tell_their_history(fleet, operator):
    rollout = started(fleet, soak_s=60)
    first, second, _ = sign_pending()
    install([first], NOW)
    report(second, Status.DOWNLOADING, progress=0.5)
    address = "/api/v1/deployments/"
    mine = {"rollout": rollout.pk}
    assert operator.get(address, mine).data["count"] == 4
    assert operator.get(address, {**mine, "is_open": "true"}).data["count"] == 3
    assert operator.get(address, {**mine, "status": "installed"}).data["count"] == 1
    assert operator.get(address, {**mine, "wave": 2}).data["count"] == 0
    [refused] = operator.get(address, {"status": "not_applicable"}).data["results"]
    assert refused["reasons"][0]["variant"] == "digits/1/small"
    [found] = operator.get(address, {"device": second.device.device_id}).data["results"]
    assert (found["status"], found["progress"]) == ("downloading", 0.5)
    whole = operator.get(f"{address}{first.pk}/").data
    assert [event["status"] for event in whole["events"]] == ["notified", "installed"]
    assert "manifest" not in whole
    assert operator.get(address, {"status": "lost"}).status_code == 400
    assert operator.get(f"{address}nonsense/").status_code == 404


@pytest.mark.parametrize("number", ["999", "9" * 30])
def test_what_is_not_there_is_not_found(operator, number):
    assert operator.get(f"{ROLLOUTS}{number}/").status_code == 404
    assert operator.post(f"{ROLLOUTS}{number}/start/").status_code == 404


def test_nothing_is_anonymous(fleet):
    rollout = started(fleet)
    anybody = APIClient()
    for address in (ROLLOUTS, f"{ROLLOUTS}{rollout.pk}/", "/api/v1/deployments/"):
        assert anybody.get(address).status_code in {401, 403}
    assert anybody.post(f"{ROLLOUTS}{rollout.pk}/abort/").status_code in {401, 403}


def test_reading_can_be_opened_but_not_writing(fleet, settings):
    settings.TINYFLEET_PUBLIC_READ = True
    anybody = APIClient()
    assert anybody.get(ROLLOUTS).status_code == 200
    assert anybody.post(ROLLOUTS, _order(), format="json").status_code in {401, 403}


def test_a_viewer_neither_makes_nor_steers(fleet):
    viewer = _client("view_rollout")
    rollout = started(fleet)
    assert viewer.get(f"{ROLLOUTS}{rollout.pk}/").status_code == 200
    assert viewer.post(ROLLOUTS, _order(), format="json").status_code == 403
    assert viewer.post(f"{ROLLOUTS}{rollout.pk}/abort/").status_code == 403


def test_who_may_make_may_not_therefore_steer(fleet):
    engineer = _client("add_rollout", "view_rollout")
    made = engineer.post(ROLLOUTS, _order(), format="json")
    assert made.status_code == 201
    assert engineer.post(f"{ROLLOUTS}{made.data['id']}/start/").status_code == 403
