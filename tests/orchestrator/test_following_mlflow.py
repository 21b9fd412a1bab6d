"""Titles and aliases in step: the job against a registry of MLflow that lies in memory."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from ontology.facts import Figure, Metric, Status
from orchestrator.gateways.mlflow import MlflowRefused, MlflowUnreachable
from orchestrator.models import Job, JobStatus, MlflowAlias, Rollout, RolloutStatus, Title
from orchestrator.services import mlflow_watch, rollouts
from orchestrator.services.job_functions import JOB_FUNCTIONS
from orchestrator.services.rollouts import RolloutError
from orchestrator.services.working import Worker
from registry.models import AuditEntry, RegisteredModel, Release, Variant
from registry.services import measurements
from tests.orchestrator.rollout_world import (
    NOW,
    make_devices,
    make_release,
    make_rollout,
    run_to_end,
    seconds,
    started,
)

pytestmark = pytest.mark.django_db(transaction=True)


class MemoryRegistry:
    """MLflow's registry as the job sees it; `away` answers no call, `refuses` models by name."""

    def __init__(self) -> None:
        self.places: dict[str, dict[str, str]] = defaultdict(dict)
        self.tags: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self.written: list[tuple[str, ...]] = []
        self.away = False
        self.refuses: set[str] = set()

    def _answer(self, model: str) -> None:
        if self.away:
            raise MlflowUnreachable("no route")
        if model in self.refuses:
            raise MlflowRefused("not yours")

    def aliases(self, model: str) -> dict[str, str]:
        self._answer(model)
        return dict(self.places[model])

    def set_alias(self, model: str, alias: str, version: str) -> None:
        self._answer(model)
        self.written.append((model, str(alias), version))
        self.places[model][str(alias)] = version

    def remove_alias(self, model: str, alias: str) -> None:
        self._answer(model)
        self.written.append((model, str(alias), ""))
        del self.places[model][alias]

    def tagged(self, model: str, tag: str, value: str) -> set[str]:
        self._answer(model)
        rows = self.tags.items()
        return {version for (name, version), tags in rows if name == model and tags.get(tag)}

    def tag(self, model: str, version: str, tag: str, value: str) -> None:
        self.tags[model, version][str(tag)] = value

    def untag(self, model: str, version: str, tag: str) -> None:
        del self.tags[model, version][str(tag)]


@pytest.fixture
def mlflow(monkeypatch, settings) -> MemoryRegistry:
    settings.JOB_RETRY_S = 0.0
    registry = MemoryRegistry()
    monkeypatch.setattr(
        "orchestrator.services.mlflow_following.MlflowRegistry", lambda *server: registry
    )
    return registry


def logged(release: Release) -> Release:
    """With a version of each variant, numbered on as MLflow numbers them."""
    for variant in release.variants.order_by("name"):
        count = Variant.objects.exclude(mlflow_version="").count()
        variant.mlflow_version = str(count + 1)
        variant.save(update_fields=["mlflow_version"])
    return release


def versions(release: Release) -> dict[str, str]:
    return dict(release.variants.values_list("name", "mlflow_version"))


def look() -> Job:
    """What the scheduler and a worker do once the interval is over."""
    if not Job.objects.filter(kind=mlflow_watch.FOLLOW, status=JobStatus.QUEUED).exists():
        mlflow_watch.tick(seconds(10**9))
    worker = Worker(JOB_FUNCTIONS, threading.Event())
    assert worker.run_one()
    return Job.objects.get(kind=mlflow_watch.FOLLOW)


def entitle(release: Release | None, title: Title = Title.CHAMPION) -> None:
    RegisteredModel.objects.update(**{title: release})


def tagged(mlflow: MemoryRegistry, title: Title = Title.CHAMPION) -> set[str]:
    return mlflow.tagged("digits", title, "true")


def test_alias_and_tags_follow_a_confirmed_rollout_and_go_back_with_it(mlflow):
    make_devices(2)
    first, second = logged(make_release()), logged(make_release(seed=2))
    run_to_end(started(first))
    look()
    assert mlflow.places["digits"] == {"champion": versions(first)["large"]}
    assert tagged(mlflow) == set(versions(first).values())
    newer = run_to_end(started(second, name="newer"))
    look()
    assert mlflow.places["digits"] == {"champion": versions(second)["large"]}
    assert tagged(mlflow) == set(versions(second).values())
    rollouts.roll_back(newer, seconds(10))
    look()
    assert mlflow.places["digits"] == {"champion": versions(first)["large"]}
    assert tagged(mlflow) == set(versions(first).values())
    assert not Rollout.objects.exclude(proposal="").exists()


def test_without_a_champion_there_is_no_alias_and_no_tag(mlflow):
    make_devices(1)
    only = run_to_end(started(logged(make_release())))
    look()
    rollouts.roll_back(only, seconds(10))
    look()
    assert (mlflow.places["digits"], tagged(mlflow)) == ({}, set())


def test_the_most_accurate_variant_bears_the_alias(mlflow):
    variants = {"tiny": (64, 10, 0.80), "best": (64, 20, 0.99), "huge": (64, 60, 0.97)}
    release = logged(make_release(variants=variants))
    entitle(release)
    look()
    assert mlflow.places["digits"]["champion"] == versions(release)["best"]


def test_a_figure_of_another_measure_makes_no_variant_the_best(mlflow):
    release = logged(make_release(variants={"tiny": (64, 10, 0.80), "huge": (64, 60, 0.70)}))
    flattering = Figure(Metric.AUC, 0.99, Status.MEASURED, "elsewhere")
    measurements.record(release.variants.get(name="huge"), [flattering])
    entitle(release)
    look()
    assert mlflow.places["digits"]["champion"] == versions(release)["tiny"]


def test_the_challenger_has_an_alias_of_its_own(mlflow):
    first, second = logged(make_release()), logged(make_release(seed=2))
    entitle(first)
    entitle(second, Title.CHALLENGER)
    look()
    assert mlflow.places["digits"] == {
        "champion": versions(first)["large"],
        "challenger": versions(second)["large"],
    }
    assert tagged(mlflow, Title.CHALLENGER) == set(versions(second).values())
    entitle(None, Title.CHALLENGER)
    look()
    assert mlflow.places["digits"] == {"champion": versions(first)["large"]}


def test_a_look_that_finds_nothing_new_writes_nothing(mlflow):
    entitle(logged(make_release()))
    look()
    before = list(mlflow.written)
    for _ in range(3):
        look()
    assert mlflow.written == before


def test_several_moves_while_the_server_was_away_end_at_the_last(mlflow):
    releases = [logged(make_release(seed=seed)) for seed in (1, 2, 3)]
    entitle(releases[0])
    look()
    mlflow.away = True
    for release in releases[1:]:
        entitle(release)
        job = look()
        assert (job.status, job.attempts) == (JobStatus.QUEUED, 0)
        assert "does not answer" in job.message
    mlflow.away = False
    assert look().status == JobStatus.SUCCEEDED
    assert mlflow.places["digits"] == {"champion": versions(releases[2])["large"]}
    assert tagged(mlflow) == set(versions(releases[2]).values())
    assert not Rollout.objects.exists()


def test_an_alias_that_somebody_moved_proposes_one_draft(mlflow):
    make_devices(3)
    first, second = logged(make_release()), logged(make_release(seed=2))
    run_to_end(started(first, wave_percentages=(50, 100), soak_s=0, name="last"))
    look()
    mlflow.places["digits"]["champion"] = versions(second)["small"]
    for _ in range(3):
        job = look()
    assert job.result["problems"] == []
    proposed = Rollout.objects.exclude(proposal="").get()
    assert (proposed.status, proposed.release) == (RolloutStatus.DRAFT, second)
    assert proposed.wave_percentages == [50, 100]
    assert proposed.needs_approval
    assert f"version {versions(second)['small']}" in proposed.proposal
    with pytest.raises(RolloutError, match="waits for approval"):
        rollouts.start_rollout(proposed)
    entry = AuditEntry.objects.get(action="rollout proposed")
    assert (entry.subject, entry.detail) == (f"rollout {proposed.pk}", proposed.proposal)
    assert RegisteredModel.objects.get().champion == first
    assert mlflow.places["digits"]["champion"] == versions(second)["small"]


def test_a_proposal_that_is_carried_out_makes_the_wish_true(mlflow):
    make_devices(2)
    logged(make_release())
    second = logged(make_release(seed=2))
    mlflow.places["digits"]["champion"] = versions(second)["small"]
    look()
    proposed = Rollout.objects.get()
    rollouts.approve(proposed, get_user_model().objects.create_user("second"))
    now = timezone.now()
    rollouts.start_rollout(proposed, now)
    run_to_end(proposed, now)
    look()
    assert RegisteredModel.objects.get().champion == second
    assert mlflow.places["digits"]["champion"] == versions(second)["small"]
    assert tagged(mlflow) == set(versions(second).values())
    assert Rollout.objects.count() == 1


def test_a_proposal_that_is_turned_down_puts_the_alias_back_and_may_come_again(mlflow):
    make_devices(1)
    first, second = logged(make_release()), logged(make_release(seed=2))
    entitle(first)
    look()
    for count in (1, 2):
        mlflow.places["digits"]["champion"] = versions(second)["small"]
        look()
        assert Rollout.objects.count() == count
        rollouts.abort(Rollout.objects.latest("pk"))
        look()
        assert mlflow.places["digits"]["champion"] == versions(first)["large"]


def test_a_draft_that_nobody_started_in_time_is_a_proposal_turned_down(mlflow):
    make_devices(1)
    first, second = logged(make_release()), logged(make_release(seed=2))
    entitle(first)
    look()
    mlflow.places["digits"]["champion"] = versions(second)["small"]
    look()
    Rollout.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    look()
    assert mlflow.places["digits"]["champion"] == versions(first)["large"]


def test_what_is_under_way_already_is_not_proposed_again(mlflow):
    make_devices(1)
    release = logged(make_release())
    draft = make_rollout(release)
    mlflow.places["digits"]["challenger"] = versions(release)["small"]
    look()
    assert Rollout.objects.get() == draft
    assert MlflowAlias.objects.get(title=Title.CHALLENGER).proposal == draft


def test_a_version_that_is_not_ours_is_reported_once_and_proposed_when_it_is(mlflow):
    make_devices(1)
    entitle(logged(make_release()))
    look()
    mlflow.places["digits"]["champion"] = "77"
    for _ in range(2):
        job = look()
    [problem] = job.result["problems"]
    assert "version 77" in problem and "import_model models:/digits/77" in problem
    assert MlflowAlias.objects.get(title=Title.CHAMPION).problem == problem
    entry = AuditEntry.objects.get(action="alias moved in MLflow")
    assert (entry.outcome, entry.detail) == ("refused", problem)
    assert not Rollout.objects.exists()
    imported = make_release(seed=2)
    imported.variants.update(mlflow_version="78")
    imported.variants.filter(name="large").update(mlflow_version="77")
    assert look().result["problems"] == []
    assert Rollout.objects.get().release == imported


def test_a_wish_that_fits_nobody_is_reported(mlflow):
    release = logged(make_release())
    mlflow.places["digits"]["champion"] = versions(release)["small"]
    [problem] = look().result["problems"]
    assert "There is no accepted device." in problem
    assert look().result["problems"] == [problem]
    assert AuditEntry.objects.filter(action="alias moved in MLflow").count() == 1


def test_a_move_of_ours_that_was_broken_off_is_not_taken_for_a_wish(mlflow, monkeypatch):
    make_devices(1)
    first, second = logged(make_release()), logged(make_release(seed=2))
    entitle(first)

    def dies_after(model: str, alias: str, version: str) -> None:
        mlflow.places[model][str(alias)] = version
        raise MlflowUnreachable("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow, "set_alias", dies_after)
        look()
    entitle(second)
    look()
    assert mlflow.places["digits"]["champion"] == versions(second)["large"]
    assert not Rollout.objects.exists()


def test_what_one_model_breaks_on_stops_no_other(mlflow):
    refused, other = logged(make_release("alarms")), logged(make_release())
    RegisteredModel.objects.filter(pk=refused.model_id).update(champion=refused)
    RegisteredModel.objects.filter(pk=other.model_id).update(champion=other)
    mlflow.refuses = {"alarms"}
    job = look()
    assert job.result["problems"] == ["MLflow refuses for alarms: not yours"]
    assert mlflow.places["digits"]["champion"] == versions(other)["large"]


def test_a_release_that_mlflow_does_not_take_is_tried_again_after_a_while_only(mlflow, monkeypatch):
    release = make_release()
    tried = []

    def refuses(release: Release, on_progress: object) -> int:
        tried.append(release)
        raise MlflowRefused("no room for it")

    monkeypatch.setattr("orchestrator.services.mlflow_following.log_release", refuses)
    for _ in range(3):
        [problem] = look().result["problems"]
    assert problem == f"{release} could not be logged: no room for it"
    assert tried == [release]
    job = Job.objects.get()
    job.result["refused"][str(release.pk)]["at"] -= 3601
    job.save()
    look()
    assert tried == [release, release]


def test_what_another_job_is_still_making_is_left_to_it(mlflow, monkeypatch):
    made, done = make_release(), make_release("words")
    Job.objects.create(
        kind="train_family", payload={"release": made.pk}, status="running", lease_until=seconds(60)
    )
    logged_ones = []
    monkeypatch.setattr(
        "orchestrator.services.mlflow_following.log_release",
        lambda release, on_progress: logged_ones.append(release),
    )
    mlflow_watch.tick(NOW)
    assert Worker(JOB_FUNCTIONS, threading.Event()).run_one()
    assert logged_ones == [done]


def test_a_model_that_is_called_otherwise_there_is_followed_under_that_name(mlflow):
    make_devices(1)
    release = logged(make_release("wakeword"))
    release.variants.update(mlflow_model="Wake.Word")
    RegisteredModel.objects.update(champion=release)
    look()
    assert mlflow.places["Wake.Word"] == {"champion": versions(release)["large"]}
    assert "wakeword" not in mlflow.places


def test_there_is_one_job_however_often_the_scheduler_asks(mlflow, settings):
    assert mlflow_watch.tick(NOW) == 0
    entitle(logged(make_release()))
    assert [mlflow_watch.tick(seconds(n)) for n in range(3)] == [1, 0, 0]
    job = look()
    ended = job.finished_at
    settings.MLFLOW_INTERVAL_S = 60
    assert mlflow_watch.tick(ended) == 0
    assert Job.objects.get().status == JobStatus.SUCCEEDED
    mlflow_watch.hurry()
    assert Job.objects.get().status == JobStatus.QUEUED
    settings.MLFLOW_INTERVAL_S = 0
    assert mlflow_watch.tick(seconds(10**9)) == 0


def test_rest_and_admin_show_where_aliases_stand_and_what_was_proposed(mlflow):
    make_devices(1)
    first, second = logged(make_release()), logged(make_release(seed=2))
    entitle(first)
    look()
    mlflow.places["digits"]["champion"] = versions(second)["large"]
    look()
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root"))
    proposed = Rollout.objects.get()
    [row] = client.get("/api/v1/mlflow-aliases/?title=champion").json()["results"]
    assert (row["model"], row["release"], row["stands_at"], row["proposal"]) == (
        "digits",
        first.number,
        versions(second)["large"],
        proposed.pk,
    )
    [listed] = client.get("/api/v1/rollouts/?proposed=true").json()["results"]
    assert listed["proposal"] == proposed.proposal
    assert client.get("/api/v1/rollouts/?proposed=false").json()["results"] == []
    assert proposed.proposal in client.get("/admin/orchestrator/rollout/").content.decode()
    assert "models:/digits@champion" in (
        client.get("/admin/orchestrator/mlflowalias/").content.decode()
    )
