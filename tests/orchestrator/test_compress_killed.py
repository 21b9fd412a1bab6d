"""A compression in real worker processes: killed, asked to end, cancelled; another one goes on.

Whatever befell it, what it finds in the end is what a search that nobody disturbed finds.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.orchestrator.manage_sizes import HOLD, TASK
from tests.orchestrator.real_workers import WorkerInstallation
from tests.seeds import sample

pytestmark = pytest.mark.slow

TRIALS = 6
SIZES = ("--task", TASK, "--ram", "64KiB", "--flash", "16KiB", "--trials", str(TRIALS))
DIGIT_TRIALS = 9
DIGITS = ("--task", "digits", "--ram", "8KiB", "--flash", "8KiB", "--trials", str(DIGIT_TRIALS))
DEATHS = [
    *(('INSERT INTO "orchestrator_compressiontrial"', at) for at in range(1, TRIALS + 1)),
    *(('INSERT INTO "registry_artifact"', at) for at in (1, 2)),
    *(('INSERT INTO "registry_variant"', at) for at in (1, 2)),
    ('INSERT INTO "registry_release"', 1),
    ('UPDATE "registry_variant"', 1),
]


class Compressions(WorkerInstallation):
    """Workers that know the task of small sizes, and its jobs."""

    def two_alike(self, *said: str) -> list[int]:
        """The keys of two new jobs that say the same."""
        command = f"call_command('compress', 'sizes', *{said!r}, '--no-wait')"
        told = self.run(f"from django.core.management import call_command\n{command}\n{command}")
        return [int(line.split()[1]) for line in told.splitlines() if line.startswith("job ")]

    def steered(self, job: int, how: str) -> None:
        """As the buttons of a job's page and the routes of REST do."""
        imports = "from orchestrator.services import jobs\nfrom orchestrator.models import Job"
        self.run(f"{imports}\njobs.{how}(Job.objects.get(pk={job}))")

    def run(self, program: str) -> str:
        """What a few lines print that stand in no command."""
        return self.manage("shell", "--verbosity", "0", "--command", program)

    def job(self, key: int) -> tuple[Any, ...]:
        """Status, attempts and message."""
        columns = "status, attempts, message"
        return self.rows(f"SELECT {columns} FROM orchestrator_job WHERE id=?", key)[0]

    def error(self, key: int) -> str:
        """What a failed job says."""
        return str(self.rows("SELECT error FROM orchestrator_job WHERE id=?", key)[0][0])

    def await_status(self, key: int, *wanted: str) -> None:
        """Until the job stands so."""
        self.wait(lambda: self.job(key)[0] in wanted)

    def trials(self, job: int) -> list[tuple[Any, ...]]:
        """Those that are finished, with their keys first and their files last."""
        columns = "id, number, choice, state, footprint, score, technique, params, artifact_id"
        query = f"SELECT {columns} FROM orchestrator_compressiontrial WHERE job_id=? ORDER BY id"
        return self.rows(query, job)

    def found(self, job: int) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """All that must be the same whatever befell it: trials, and the variants of its release."""
        query = (
            "SELECT variant.name, artifact_id, technique, training ->> 'network_seed'"
            " FROM registry_variant variant JOIN registry_release release ON release_id=release.id"
            " WHERE release.notes=? ORDER BY variant.name"
        )
        variants = self.rows(query, f"compressed by job {job}")
        return [trial[1:] for trial in self.trials(job)], variants


@pytest.fixture
def compressions(migrated: Path, tmp_path: Path) -> Iterator[Compressions]:
    made = Compressions(tmp_path, ("-m", "tests.orchestrator.manage_sizes"))
    made.migrated(migrated)
    yield made
    made.close()


def killed_and_continued(compressions: Compressions, begins: str, at: int) -> None:
    job, twin = compressions.two_alike(*SIZES)
    first = compressions.worker(DIES_BEFORE=begins, DIES_AT=str(at))
    assert first.wait(120) == -signal.SIGKILL
    assert compressions.job(job)[:2] == ("running", 1)
    _comes_out_like(compressions, job, twin)


def _comes_out_like(compressions: Compressions, job: int, twin: int, trials: int = TRIALS) -> None:
    """Another worker ends both; what was finished stays as it is."""
    before = compressions.trials(job)
    compressions.worker()
    for each in (job, twin):
        compressions.await_status(each, "succeeded", "failed")
        assert compressions.job(each)[0] == "succeeded", compressions.error(each)
    assert compressions.job(job)[1] == 2
    assert compressions.trials(job)[: len(before)] == before
    found, variants = compressions.found(job)
    assert (len(found), bool(variants)) == (trials, True)
    assert (found, variants) == compressions.found(twin)


@pytest.mark.parametrize(("begins", "at"), sample("killed compression", DEATHS, 1))
def test_a_killed_search_goes_on_behind_its_last_trial(compressions, begins, at) -> None:
    killed_and_continued(compressions, begins, at)


@pytest.mark.soak
@pytest.mark.parametrize(("begins", "at"), DEATHS)
def test_wherever_it_is_killed(compressions, begins, at) -> None:
    killed_and_continued(compressions, begins, at)


def test_a_worker_that_is_to_end_lets_go_and_one_whose_job_is_cancelled_takes_the_next(
    compressions,
) -> None:
    hold = compressions.var / HOLD
    hold.touch()
    job, next_one = compressions.two_alike(*SIZES)
    first = compressions.worker()
    compressions.wait(lambda: compressions.job(job)[2].startswith("training: trial 3"))
    first.terminate()
    assert first.wait(120) == 0
    assert compressions.job(job)[:2] == ("queued", 0)
    before = compressions.trials(job)
    compressions.worker()
    compressions.await_status(job, "running")
    compressions.steered(job, "cancel")
    compressions.wait(lambda: compressions.trials(next_one))
    assert compressions.job(job)[0] == "cancelled"
    assert compressions.trials(job) == before
    compressions.steered(job, "retry")
    hold.unlink()
    for each in (job, next_one):
        compressions.await_status(each, "succeeded", "failed")
        assert compressions.job(each)[0] == "succeeded", compressions.error(each)
    assert compressions.found(job) == compressions.found(next_one)
    assert compressions.trials(job)[: len(before)] == before


@pytest.fixture
def real(migrated: Path, tmp_path: Path, mlflow_server) -> Iterator[Compressions]:
    """The command of the product and what it can be asked for, with an MLflow server."""
    made = Compressions(tmp_path, mlflow=mlflow_server.url)
    made.migrated(migrated)
    yield made
    made.close()


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("finished", [1, 8])
def test_digits_come_out_the_same(real, finished) -> None:
    """Killed after so many trials: in the first training, and in that of what was proposed."""
    job, twin = real.two_alike(*DIGITS)
    first = real.worker()
    real.wait(lambda: len(real.trials(job)) >= finished and real.job(job)[2].startswith("training"))
    first.kill()
    first.wait()
    assert finished <= len(real.trials(job)) < DIGIT_TRIALS
    _comes_out_like(real, job, twin, DIGIT_TRIALS)
