"""Steps 5 and 6: devices run what they got, the stream drifts, and they learn."""

from __future__ import annotations

from deploy.demo import figures
from deploy.demo.expectations import (
    DRIFT,
    MIN_ACCURACY_BEFORE,
    MIN_FALL,
    MIN_SHARE_REGAINED,
    PACKS_PER_PHASE,
)
from deploy.demo.run import Demonstration
from deploy.demo.surroundings import write_world
from orchestrator.models import DriftAlert, Job, JobStatus, LearningStatus, LearningTask

_ENDED = (LearningStatus.FINISHED, LearningStatus.REFUSED, LearningStatus.FAILED)


def operate(run: Demonstration) -> None:
    """5: devices run the int8 file on the stream and send telemetry."""
    mark = figures.newest_telemetry()
    _await_packs(run, "5 run: inferring", mark)
    before = figures.accuracy(figures.phase(mark, run.devices))
    run.accuracy["before"] = before
    run.expect(before >= MIN_ACCURACY_BEFORE, f"accuracy before the drift is {before:.3f}")
    run.say(f"5 run: accuracy {before:.3f} as the devices report it")


def learn(run: Demonstration) -> None:
    """6: accuracy falls, the server raises it, devices adapt their last layer, it recovers."""
    drifted_at = figures.newest_telemetry()
    write_world(run.directory / "world.json", DRIFT)
    run.wait("6 learn: noticing", lambda: _noticed(run, drifted_at), timeout_s=60)
    run.wait("6 learn: adapting", lambda: _adapted(run, drifted_at), timeout_s=150)
    adapted_at = figures.newest_telemetry()
    _await_packs(run, "6 learn: running adapted", adapted_at)
    rows = figures.phase(drifted_at, run.devices, until=adapted_at)
    in_drift = [row for row in rows if not row.adapted_samples]
    after = figures.phase(adapted_at, run.devices)
    drifted, adapted = figures.accuracy(in_drift), figures.accuracy(after)
    run.drifted_of = figures.accuracy_by_device(in_drift)
    run.adapted_of = figures.accuracy_by_device(after)
    _judge(run, drifted, adapted)
    run.wait("6 learn: logging", _logged, timeout_s=60)
    run.say(f"6 learn: accuracy fell to {drifted:.3f}, adapted to {adapted:.3f}")


def _judge(run: Demonstration, drifted: float, adapted: float) -> None:
    run.accuracy |= {"drifted": drifted, "adapted": adapted}
    fall = run.accuracy["before"] - drifted
    run.expect(fall >= MIN_FALL, f"the drift cost only {fall:.3f} of accuracy")
    regained = (adapted - drifted) / fall
    run.expect(regained >= MIN_SHARE_REGAINED, f"only {regained:.0%} of the fall was regained")


def _await_packs(run: Demonstration, what: str, mark: int) -> None:
    run.wait(
        what,
        lambda: figures.fewest_packs(mark, run.devices) / PACKS_PER_PHASE,
        timeout_s=60,
    )


def _noticed(run: Demonstration, mark: int) -> float:
    alerts = DriftAlert.objects.filter(last_telemetry__gt=mark, device__in=run.devices)
    return alerts.values("device").distinct().count() / len(run.devices)


def _adapted(run: Demonstration, mark: int) -> float:
    tasks = LearningTask.objects.filter(alert__last_telemetry__gt=mark, device__in=run.devices)
    return tasks.filter(status__in=_ENDED).count() / max(tasks.count(), len(run.devices))


def _logged() -> float:
    logs = Job.objects.filter(kind="log_learning")
    return float(logs.exists() and not logs.exclude(status=JobStatus.SUCCEEDED).exists())
