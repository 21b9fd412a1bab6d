"""The job that compresses for a fleet: each profile gets a variant or the reason why it cannot."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from orchestrator.compression.search import engine
from orchestrator.gateways.code_version import code_commit
from orchestrator.models import CompressionTrial, Job, JobStatus
from orchestrator.policy.pareto import front
from orchestrator.services import jobs
from orchestrator.services.compression_outcomes import outcome_of
from orchestrator.services.job_functions import JOB_FUNCTIONS
from orchestrator.services.working import Worker
from registry.models import Device, Release
from registry.services.matching import choose_variants
from tests.orchestrator import compression_world as world
from tests.orchestrator.compression_world import accuracy_of, ordered, run, trained
from tests.orchestrator.rollout_world import CRAMPED, ROOMY, SNUG, make_devices

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sizes_task")]


@pytest.fixture
def fleet() -> None:
    for size in (ROOMY, SNUG, CRAMPED):
        make_devices(2, size)


def by_board(job: Job) -> dict[str, dict]:
    return {each["budget"][0].split(" ")[0]: each for each in job.result["standings"]}


def test_each_profile_is_served_or_told_what_is_missing(fleet) -> None:
    job = run(ordered())
    assert job.status == JobStatus.SUCCEEDED, job.error
    found = by_board(job)
    assert found["board-roomy"]["reach"] == "served"
    assert found["board-roomy"]["score"] == accuracy_of(60)
    assert found["board-snug"]["reach"] == "served"
    cramped = found["board-cramped"]
    assert (cramped["reach"], cramped["variant"]) == ("unreachable", None)
    (gap,) = cramped["gaps"]
    smallest = CompressionTrial.objects.get(number=0).footprint["flash_bytes"]
    assert (gap["constraint"], gap["need"], gap["have"]) == ("flash", smallest, 512)
    assert gap["missing"] == smallest - 512


def test_the_release_holds_what_serves_and_nothing_that_is_dominated(fleet) -> None:
    job = run(ordered())
    release = Release.objects.get(pk=job.result["release"])
    assert release.model.task == "sizes, for tests"
    names = set(release.variants.values_list("name", flat=True))
    assert {(row.seed, row.commit) for row in release.variants.all()} == {
        (job.payload.get("seed", 0), code_commit())
    }
    served = {each["variant"] for each in job.result["standings"]} - {None}
    assert served <= names
    chosen = choose_variants(release, Device.objects.all())
    assert {choice.variant.name for choice in chosen.values() if choice.variant} == served
    points = [point for point in outcome_of(job).points if point.name in names]
    assert points and front(points) == sorted(points, key=lambda point: point.flash_bytes)


def test_what_fits_nobody_is_not_trained() -> None:
    make_devices(1, SNUG)
    run(ordered())
    assert 60 not in trained
    assert CompressionTrial.objects.filter(state="measured", artifact=None).exists()


def test_where_nobody_can_be_served_nothing_is_trained_and_nothing_released() -> None:
    make_devices(1, CRAMPED)
    job = run(ordered())
    assert job.status == JobStatus.SUCCEEDED
    assert (job.result["release"], trained) == (None, [])
    assert job.trials.count() == 1


def test_a_network_whose_arena_nobody_knows_serves_nobody_and_is_told(monkeypatch, fleet) -> None:
    """As of operators that TensorFlow Lite Micro has not."""
    footprint_of = engine.footprint_of

    def unknown(data, boards, patches):
        return replace(footprint_of(data, boards, patches), arena_bytes={})

    monkeypatch.setattr(engine, "footprint_of", unknown)
    job = run(ordered())
    assert job.status == JobStatus.SUCCEEDED, job.error
    assert {each["reach"] for each in job.result["standings"]} == {"unreachable"}
    assert "arena not known" in job.log
    sentences = [gap.sentence for each in outcome_of(job).standings for gap in each.gaps]
    assert any("ram: what it needs is not known there" in sentence for sentence in sentences)


def test_who_only_the_smallest_serves_gets_the_smallest(monkeypatch) -> None:
    monkeypatch.setattr(world.SizesTask, "starts", lambda self: [])
    smallest = len(world.small_network(world.INPUTS, 2))
    job = run(ordered(fleet=None, ram_bytes=65536, flash_bytes=smallest, trials=4))
    assert trained == [2]
    assert job.result["standings"][0]["reach"] == "served"
    assert job.trials.count() == 4


def test_the_search_goes_on_where_its_worker_was_killed(fleet, monkeypatch) -> None:
    """The lease runs out, another worker takes the job: finished trials are not repeated."""
    whole = run(ordered())
    expected = list(whole.trials.values_list("choice", "score"))
    trained.clear()
    job = ordered()
    convert, died = engine.convert_int8, []

    def dying(network, calibration, rule):
        if job.trials.count() == 4 and not died:
            died.append(True)
            raise SystemExit  # as a killed worker: nothing is noted any more
        return convert(network, calibration, rule)

    monkeypatch.setattr(engine, "convert_int8", dying)
    with pytest.raises(SystemExit):
        run(job)
    before = list(trained)
    Job.objects.filter(pk=job.pk).update(lease_until=job.created_at)
    job = run(job)
    assert job.status == JobStatus.SUCCEEDED, job.error
    assert list(job.trials.values_list("choice", "score")) == expected
    assert trained[: len(before)] == before
    assert len(trained) == job.trials.filter(state="trained").count()
    assert job.attempts == 2


def test_it_says_what_it_does_and_keeps_a_log(fleet) -> None:
    job = ordered()
    said = []

    def listening(context, payload):
        report = context.report

        def heard(progress: float, message: str) -> None:
            said.append((progress, message))
            report(progress, message)

        context.report = heard
        return JOB_FUNCTIONS["compress"](context, payload)

    Worker({"compress": listening}, threading.Event()).run_one(only=job.pk)
    job.refresh_from_db()
    shares = [share for share, _ in said]
    assert shares == sorted(shares)
    assert shares[0] >= 0 and shares[-1] <= 1
    assert any("of 3 budgets served" in message for _, message in said)
    lines = job.log.splitlines()
    assert len(lines) == job.trials.count()
    assert "trial 0" in lines[0] and "not trained" in lines[0]


def test_a_cancelled_job_stops_at_its_next_step_and_keeps_its_trials(fleet, monkeypatch) -> None:
    job = ordered()
    convert = engine.convert_int8

    def cancelling(network, calibration, rule):
        if job.trials.count() == 3:
            jobs.cancel(Job.objects.get(pk=job.pk))
        return convert(network, calibration, rule)

    monkeypatch.setattr(engine, "convert_int8", cancelling)
    job = run(job)
    assert job.status == JobStatus.CANCELLED
    assert job.trials.count() == 3
    assert not Release.objects.exists()
    monkeypatch.setattr(engine, "convert_int8", convert)
    job = run(jobs.retry(job))
    assert job.status == JobStatus.SUCCEEDED, job.error
    assert job.trials.count() == 8


def test_an_ended_job_is_not_cancelled_and_a_waiting_one_not_retried(fleet) -> None:
    job = ordered()
    with pytest.raises(jobs.JobRefusal, match="only a failed or cancelled one"):
        jobs.retry(job)
    run(job)
    with pytest.raises(jobs.JobRefusal, match="nothing to cancel"):
        jobs.cancel(job)


def test_the_same_seed_finds_the_same(fleet) -> None:
    one, two = run(ordered(seed=3)), run(ordered(seed=3))
    choices = [list(job.trials.values_list("choice", flat=True)) for job in (one, two)]
    assert choices[0] == choices[1]


def test_time_bounds_the_search(fleet) -> None:
    job = run(ordered(seconds=1e-9))
    assert job.trials.count() < 8


def test_an_accuracy_that_is_asked_for_bounds_the_release(fleet) -> None:
    least = accuracy_of(9)
    job = run(ordered(min_accuracy=least))
    for variant in Release.objects.get(pk=job.result["release"]).variants.all():
        assert variant.measurements.get(metric="accuracy").value >= least


def test_what_is_found_so_far_is_known_while_it_runs(fleet, monkeypatch) -> None:
    job = ordered()
    assert [each.reach.value for each in outcome_of(job).standings] == ["not_found"] * 3
    run(job)
    assert {each.reach.value for each in outcome_of(job).standings} == {"served", "unreachable"}
