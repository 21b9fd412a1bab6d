"""What was ordered for may be gone: its page and REST show what is noted, and say so."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from orchestrator.compression.search import catalogue
from orchestrator.models import Job, JobStatus
from orchestrator.services import jobs
from registry.models import BoardType, Device, Fleet
from tests.orchestrator import compression_world as world
from tests.orchestrator.compression_world import TASK, ordered, run
from tests.orchestrator.rollout_world import ROOMY, make_devices

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sizes_task")]


@pytest.fixture
def board() -> BoardType:
    return world.bare_board()


def shown(client, job: Job) -> tuple[dict, str]:
    """Over REST and in the admin; neither may break."""
    rest = client.get(f"/api/v1/compressions/{job.pk}/")
    page = client.get(f"/admin/orchestrator/job/{job.pk}/change/")
    assert (rest.status_code, page.status_code) == (200, 200)
    assert client.get("/api/v1/compressions/").status_code == 200
    return rest.json(), page.content.decode()


def test_a_finished_job_shows_what_came_of_it(board, admin_client) -> None:
    job = run(ordered(fleet=None, board="bare", trials=3))
    assert job.status == JobStatus.SUCCEEDED, job.error
    before, _ = shown(admin_client, job)
    board.delete()
    after, page = shown(admin_client, job)
    assert after == before
    assert after["standings"][0]["reach"] == "served" and after["standings"][0]["variant"] in page


@pytest.mark.parametrize("end", [JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.QUEUED])
def test_another_shows_its_trials_and_says_that_the_board_is_gone(board, admin_client, end) -> None:
    job = run(ordered(fleet=None, board="bare", trials=3))
    Job.objects.filter(pk=job.pk).update(status=end, result=None)
    board.delete()
    rest, page = shown(admin_client, job)
    assert (rest["standings"], len(rest["trials"])) == ([], 3)
    assert "no board 'bare'" in rest["problem"] or "catalogue is empty" in rest["problem"]
    assert rest["problem"].split("'")[0] in page and "<svg" in page


def test_run_again_it_fails_with_the_reason_and_goes_on_when_the_board_is_back(board) -> None:
    job = ordered(fleet=None, board="bare", trials=3)
    fields = {f.name: getattr(board, f.name) for f in board._meta.fields if f.name != "id"}
    board.delete()
    job = run(job)
    assert (job.status, job.attempts) == (JobStatus.FAILED, 1)
    assert "not there any more" in job.error and "Traceback" not in job.error
    BoardType.objects.create(**fields)
    assert run(jobs.retry(job)).status == JobStatus.SUCCEEDED


def test_a_fleet_and_its_devices_that_are_gone_change_nothing_of_what_came_of_it(
    admin_client,
) -> None:
    fleet = Fleet.objects.create(slug="north", name="North")
    fleet.devices.set(make_devices(2, ROOMY))
    job = run(ordered(fleet="north", trials=3))
    before, _ = shown(admin_client, job)
    Fleet.objects.all().delete()
    Device.objects.all().delete()
    after, _ = shown(admin_client, job)
    assert after["standings"] == before["standings"] != []


def test_a_task_that_is_not_there_any_more_is_said(monkeypatch, admin_client) -> None:
    make_devices(1, ROOMY)
    job = ordered()
    monkeypatch.delitem(catalogue.TASKS, TASK)
    rest, page = shown(admin_client, job)
    assert "no task" in rest["problem"] and "no task" in page
    assert (rest["measure"], rest["standings"]) == (None, [])
    assert "no task" in run(job).error
    with pytest.raises(CommandError, match="no task"):
        call_command("compress", TASK, "--for-fleet", "all", "--task", TASK, "--no-wait")


def test_what_was_found_before_scores_had_a_measure_is_shown_as_it_was(board, admin_client) -> None:
    job = run(ordered(fleet=None, board="bare", trials=3))
    now, _ = shown(admin_client, job)
    for standing in job.result["standings"]:
        standing["accuracy"] = standing.pop("score")
        del standing["measure"]
    job.save(update_fields=["result"])
    import_module("orchestrator.migrations.0015_scores_by_measure").name_scores(apps, None)
    after, _ = shown(admin_client, job)
    assert after["standings"] == now["standings"] != []
