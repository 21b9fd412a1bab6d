"""A candidate whose int8 file loses too much is trained for int8, and the better file is kept."""

from __future__ import annotations

from itertools import islice

import pytest
from torch import nn

from ontology.facts import Capacity, Constraint, RuntimeId
from orchestrator.compression.search import task
from orchestrator.compression.search.digit_task import DigitBench, DigitTask
from orchestrator.compression.search.engine import Search, SearchLimits
from orchestrator.compression.search.task import Trained
from orchestrator.models import Job, JobStatus
from orchestrator.policy.budgets import Budget
from orchestrator.services import jobs
from registry.models import Release
from tests.benchmarks.compression.int8 import UNBALANCED_BY, put_out_of_balance
from tests.orchestrator import compression_world as world
from tests.orchestrator.compression_world import accuracy_of, ordered, run
from tests.orchestrator.rollout_world import ROOMY, make_devices

EPOCHS, LOSING = 15, 10
TECHNIQUE = "quantization-aware training"


class Losing(world.SizesBench):
    """The narrower of the starts loses by calibration; trained for int8 it answers one output
    more, which in this world is better."""

    gained = 1

    def trained(self, choice, seed, on_epoch) -> Trained:
        made = super().trained(choice, seed, on_epoch)
        loses = int(choice["width"]) == LOSING
        return Trained(made.network, 1.0 if loses else 0.5, made.technique, made.params)

    def train_further(self, network: nn.Module, choice, seed, on_epoch) -> None:
        on_epoch(0.5)
        network.width += self.gained


@pytest.fixture
def losing(monkeypatch, sizes_task, transactional_db) -> type[Losing]:
    make_devices(1, ROOMY)
    monkeypatch.setattr(world.SizesTask, "prepare", lambda self, seed: Losing())
    return Losing


def the_trial(job: Job):
    return job.trials.get(choice__width=LOSING, choice__origin="scratch", state="trained")


def test_the_better_file_is_kept_and_says_how_it_came_to_be(losing) -> None:
    job = run(ordered(trials=3))
    assert job.status == JobStatus.SUCCEEDED, job.error
    row = the_trial(job)
    assert (row.technique, row.score) == (TECHNIQUE, accuracy_of(LOSING + 1))
    assert row.params["calibrated_score"] == accuracy_of(LOSING)
    assert row.params["retrained_score"] == accuracy_of(LOSING + 1)
    (line,) = (line for line in job.log.splitlines() if f"trial {row.number}:" in line)
    assert "after training for int8" in line and f"{accuracy_of(LOSING):.4f} without" in line
    variant = Release.objects.get().variants.get(name=f"t{row.number:03d}")
    assert variant.technique == TECHNIQUE
    assert variant.training["calibrated_score"] == accuracy_of(LOSING)
    others = job.trials.exclude(pk=row.pk).filter(state="trained")
    assert others and not any(TECHNIQUE in other.technique for other in others)
    assert not any("calibrated_score" in other.params for other in others)


def test_where_it_helps_nothing_the_calibrated_file_is_kept(losing, monkeypatch) -> None:
    monkeypatch.setattr(losing, "gained", -1)
    row = the_trial(run(ordered(trials=3)))
    assert (row.technique, row.score) == ("", accuracy_of(LOSING))
    assert row.params["retrained_score"] == accuracy_of(LOSING - 1)


def test_it_is_told_while_it_trains_for_int8_and_stops_there_when_cancelled(
    losing, monkeypatch
) -> None:
    job, told = ordered(trials=3), []

    def cancelling(self, network, choice, seed, on_epoch) -> None:
        on_epoch(0.25)
        job.refresh_from_db()
        told.append((job.progress, job.message))
        jobs.cancel(Job.objects.get(pk=job.pk))
        on_epoch(0.5)
        raise AssertionError("a cancelled job went on")

    with monkeypatch.context() as once:
        once.setattr(losing, "train_further", cancelling)
        run(job)
    ((share, message),) = told
    assert 0 < share < 1 and "training for int8" in message
    assert job.status == JobStatus.CANCELLED
    assert not job.trials.filter(state="trained").exists()
    job = run(jobs.retry(job))
    assert (job.status, the_trial(job).technique) == (JobStatus.SUCCEEDED, TECHNIQUE)


@pytest.mark.slow
def test_a_digit_network_out_of_balance_is_mended_by_its_own_recipe(monkeypatch) -> None:
    trained = DigitBench.trained

    def unbalanced(bench, choice, seed, on_epoch) -> Trained:
        made = trained(bench, choice, seed, on_epoch)
        put_out_of_balance(made.network, UNBALANCED_BY)
        return made

    starts = [{**DigitTask().starts()[0], "epochs": EPOCHS}]
    monkeypatch.setattr(DigitTask, "starts", lambda self: starts)
    monkeypatch.setattr(DigitBench, "trained", unbalanced)
    offered = Capacity("any", 2**16, 2**16, RuntimeId("tflite-micro", "", "cmsis_nn"))
    budgets = [Budget(("any",), offered, asked=frozenset({Constraint.FLASH, Constraint.RAM}))]
    search = Search(DigitTask(), budgets, None, SearchLimits(0, 9, 3600))
    _, mended = islice(search.run([], lambda share, doing: None), 2)
    assert mended.float_score - mended.params["calibrated_score"] > 0.01
    assert mended.score == mended.params["retrained_score"]
    assert mended.score > mended.params["calibrated_score"]
    assert mended.technique == TECHNIQUE


def test_it_is_trained_once_more_for_a_share_of_its_epochs() -> None:
    assert [task.further_epochs(epochs) for epochs in (1, 2, 60)] == [1, 1, 30]
