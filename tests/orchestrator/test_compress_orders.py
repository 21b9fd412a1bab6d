"""Ordering a compression: by command, REST and in the admin; watched, cancelled, tried again."""

from __future__ import annotations

import io
import re

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from orchestrator.models import Job, JobStatus
from orchestrator.services import jobs
from registry.models import (
    AuditEntry,
    BoardType,
    Device,
    Fleet,
    FleetScope,
    RegisteredModel,
)
from tests.orchestrator import compression_world as world
from tests.orchestrator.compression_world import TASK, ordered, run
from tests.orchestrator.rollout_world import CRAMPED, ROOMY, SNUG, make_devices

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "/api/v1/compressions/"


@pytest.fixture(autouse=True)
def task(sizes_task) -> None:
    call_command("load_roles", stdout=io.StringIO())
    north = Fleet.objects.create(slug="north", name="North")
    north.devices.set(make_devices(2, ROOMY))
    make_devices(1, CRAMPED)


@pytest.fixture
def somebody(django_user_model):
    def make(role: str) -> User:
        user = django_user_model.objects.create_user(role.replace(" ", "-"), is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return user

    return make


@pytest.fixture
def engineer(somebody) -> APIClient:
    client = APIClient()
    client.force_login(somebody("Model engineer"))
    return client


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("compress", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_who_is_served_and_what_is_missing() -> None:
    said = command(TASK, "--for-fleet", "all", "--trials", "4", "--inline")
    assert "served" in said and "unreachable" in said
    assert "the least known need is" in said
    assert f"{TASK} release 1" in said


def test_the_command_serves_so_much_memory() -> None:
    said = command(TASK, "--ram", "64KiB", "--flash", "2KiB", "--trials", "3", "--inline")
    assert "65,536 B of RAM, 2,048 B of flash" in said
    assert RegisteredModel.objects.get().releases.count() == 1


def test_the_command_leaves_the_job_to_the_workers_on_request() -> None:
    said = command(TASK, "--for-fleet", "north", "--no-wait", "--min-accuracy", "0.5")
    job = Job.objects.get()
    assert said.strip() == f"job {job.pk} is enqueued"
    assert (job.payload["fleet"], job.payload["min_accuracy"]) == ("north", 0.5)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([TASK], "name one of"),
        ([TASK, "--for-fleet", "all", "--ram", "1KiB", "--flash", "1KiB"], "name one of"),
        ([TASK, "--ram", "1KiB"], "both needed"),
        ([TASK, "--for-fleet", "nowhere"], "no fleet 'nowhere'"),
        ([TASK, "--for-board", "nothing"], "the catalogue|no board"),
        ([TASK, "--for-fleet", "all", "--kernels", "none"], "kernels are one of"),
        ([TASK, "--for-fleet", "all", "--trials", "0"], "trials"),
        ([TASK, "--for-fleet", "all", "--seconds", "nan"], "seconds"),
        ([TASK, "--for-fleet", "all", "--max-latency", "-1"], "max latency"),
        ([TASK, "--for-fleet", "all", "--min-accuracy", "97"], "a fraction"),
        ([TASK, "--for-fleet", "all", "--seed", "-1"], "seed"),
        ([TASK, "--for-fleet", "all", "--task", "chess"], "no task 'chess'"),
        (["unheard-of", "--for-fleet", "all"], "name one of these tasks"),
        (["my digits", "--for-fleet", "all"], "is no name"),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_makes_no_job(arguments, problem) -> None:
    with pytest.raises(CommandError, match=problem):
        command(*arguments, "--no-wait")
    assert not Job.objects.exists()
    assert AuditEntry.objects.get(action="manage.py compress").outcome == "refused"


def test_a_model_is_trained_as_its_task_says_whatever_its_name() -> None:
    RegisteredModel.objects.create(name="renamed", task="sizes, for tests")
    command("renamed", "--for-fleet", "all", "--no-wait")
    assert Job.objects.get().payload["task"] == TASK


def test_a_fleet_that_has_not_described_itself_is_refused() -> None:
    quiet = Fleet.objects.create(slug="quiet", name="Quiet")
    quiet.devices.add(Device.objects.create(device_id="mute", status="accepted"))
    with pytest.raises(CommandError, match="described itself"):
        command(TASK, "--for-fleet", "quiet")


def test_a_bare_board_is_judged_with_its_reserve() -> None:
    world.bare_board()
    said = command(TASK, "--for-board", "bare", "--trials", "3", "--inline")
    assert re.search(r"bare +│ served", said)
    with pytest.raises(CommandError, match="nothing to release"):
        command(TASK, "--for-board", "bare", "--trials", "3", "--inline", "--max-latency", "1e-6")


def test_rest_orders_watches_and_shows_what_came_of_it(engineer) -> None:
    answer = engineer.post(ADDRESS, {"model": TASK, "fleet": "all", "trials": 6}, format="json")
    assert answer.status_code == 201, answer.data
    assert {each["reach"] for each in answer.data["standings"]} == {"not_found"}
    run(Job.objects.get())
    shown = engineer.get(f"{ADDRESS}{answer.data['id']}/").data
    assert shown["status"] == "succeeded"
    reached = {each["reach"]: each for each in shown["standings"]}
    assert reached["unreachable"]["gaps"][0]["missing"] > 0
    released = {trial["name"] for trial in shown["trials"] if trial["is_released"]}
    assert released == set(
        RegisteredModel.objects.get().releases.get().variants.values_list("name", flat=True)
    )
    assert "trial 0" in shown["log"]
    listed = engineer.get(ADDRESS, {"model": TASK, "status": "succeeded"}).data
    assert [row["id"] for row in listed["results"]] == [answer.data["id"]]
    entry = AuditEntry.objects.get(channel="rest")
    assert (entry.actor, entry.outcome) == ("Model-engineer", "done")


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"fleet": "nowhere"}, "fleet"),
        ({"fleet": "all", "board": "x"}, "fleet"),
        ({"ram_bytes": 10}, "flash_bytes"),
        ({"ram_bytes": -1, "flash_bytes": 10}, "ram_bytes"),
        ({"fleet": "all", "min_accuracy": "nan"}, "min_accuracy"),
        ({"fleet": "all", "seconds": "inf"}, "seconds"),
        ({"fleet": "all", "task": "chess"}, "task"),
    ],
)
def test_rest_says_which_field_does_not_hold(engineer, order, field) -> None:
    answer = engineer.post(ADDRESS, {"model": TASK, **order}, format="json")
    assert answer.status_code == 400
    assert field in answer.data.get("errors", answer.data)
    assert not Job.objects.exists()


def test_rest_cancels_and_retries(engineer) -> None:
    job = ordered()
    place = f"{ADDRESS}{job.pk}/"
    assert engineer.post(f"{place}retry/").status_code == 409
    assert engineer.post(f"{place}cancel/").data["status"] == "cancelled"
    assert engineer.post(f"{place}cancel/").status_code == 409
    assert engineer.post(f"{place}retry/").data["status"] == "queued"
    assert run(job).status == JobStatus.SUCCEEDED


@pytest.mark.parametrize("role", ["Viewer", "Operator"])
def test_other_roles_watch_and_do_not_order(somebody, role) -> None:
    client, job = APIClient(), ordered()
    client.force_login(somebody(role))
    order = {"model": TASK, "fleet": "all"}
    assert client.post(ADDRESS, order, format="json").status_code == 403
    assert client.post(f"{ADDRESS}{job.pk}/cancel/").status_code == 403
    assert client.get(f"{ADDRESS}{job.pk}/").status_code == 200


def test_who_is_held_to_a_fleet_compresses_for_no_other(somebody) -> None:
    user = somebody("Model engineer")
    FleetScope.objects.create(user=user).fleets.set(Fleet.objects.filter(slug="north"))
    client = APIClient()
    client.force_login(user)
    order = {"model": TASK, "trials": 1}
    assert client.post(ADDRESS, {**order, "fleet": "all"}, format="json").status_code == 403
    assert client.post(ADDRESS, {**order, "fleet": "north"}, format="json").status_code == 201


def test_the_admin_orders_shows_the_front_and_steers(somebody) -> None:
    client = Client()
    client.force_login(somebody("Model engineer"))
    page = "/admin/orchestrator/job/compress/"
    assert b"Compress a model" in client.get(page).content
    refused = client.post(page, {"model": TASK, "fleet": "nowhere"})
    assert b"no fleet" in refused.content
    answer = client.post(page, {"model": TASK, "fleet": "all", "trials": 5})
    job = Job.objects.get()
    assert answer["Location"].endswith(f"/job/{job.pk}/change/")
    run(job)
    shown = client.get(f"/admin/orchestrator/job/{job.pk}/change/").content.decode()
    assert "<svg" in shown and "the least known need is" in shown and "trial 0" in shown
    again = client.post(f"/admin/orchestrator/job/{job.pk}/cancel/", follow=True)
    assert b"nothing to cancel" in again.content
    posts = AuditEntry.objects.filter(channel="admin", action__startswith="POST")
    assert sorted(posts.values_list("outcome", flat=True)) == ["done", "refused", "refused"]


def test_the_admin_orders_what_the_command_orders(somebody) -> None:
    client = Client()
    client.force_login(somebody("Model engineer"))
    page = "/admin/orchestrator/job/compress/"
    shown = client.get(page).content.decode()
    assert all(f'value="{each}"' in shown for each in ("north", "all", "tinyengine", "dft-gaze"))
    order = {"model": "d", "task": TASK, "ram_bytes": 9000, "flash_bytes": 9000, "trials": 2}
    more = {"runtime": "tinyengine", "max_latency_ms": "12.5", "min_accuracy": "0.5", "seed": 3}
    client.post(page, {**order, **more})
    said = {**order, **more, "max_latency_ms": 12.5, "min_accuracy": 0.5, "kernels": "cmsis_nn"}
    assert Job.objects.get().payload == said


def test_a_refusal_ends_as_a_sentence_does(engineer) -> None:
    BoardType.objects.create(slug="near", name="n", vendor="x", mcu="m", core="c", source="-")
    for board, end in (("nearr", "?"), ("zzz", ".")):
        answer = engineer.post(ADDRESS, {"model": TASK, "board": board}, format="json")
        (told,) = answer.data.get("errors", answer.data)["board"]
        assert told.endswith(end) and not told.endswith("?.")


def test_the_admin_shows_a_viewer_no_button(somebody) -> None:
    client, job = Client(), ordered()
    client.force_login(somebody("Viewer"))
    assert client.get("/admin/orchestrator/job/compress/").status_code == 403
    assert client.post(f"/admin/orchestrator/job/{job.pk}/cancel/").status_code == 403
    assert Job.objects.get().status == JobStatus.QUEUED
    assert client.get(f"/admin/orchestrator/job/{job.pk}/change/").status_code == 200


def test_a_failed_job_says_why_in_the_last_line(engineer) -> None:
    job = ordered()
    Job.objects.filter(pk=job.pk).update(status=JobStatus.FAILED, error="the disk is full: x")
    assert engineer.get(f"{ADDRESS}{job.pk}/").data["error"] == "the disk is full: x"
    jobs.retry(job)
    assert engineer.get(f"{ADDRESS}{job.pk}/").data["error"] == ""


def test_a_snug_fleet_gets_what_is_snug(engineer) -> None:
    south = Fleet.objects.create(slug="south", name="South")
    south.devices.set(make_devices(1, SNUG))
    order = {"model": TASK, "fleet": "south", "trials": 4}
    engineer.post(ADDRESS, order, format="json")
    job = run(Job.objects.get())
    (found,) = job.result["standings"]
    assert (found["budget"], found["reach"]) == (["board-snug x 1"], "served")
