"""A model of one rollout, in plain values, and the services with their database, side by side.

Hypothesis draws what devices say, what the operator orders and when ticks come. After every step
each device's status and the rollout's own must be what the model says, and the traces of every
attempt must hold: one ending at most, never a step that the table forbids.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator.models import Deployment, DeploymentEvent
from orchestrator.policy.lifecycle import (
    BEFORE_INSTALLED,
    FINAL,
    Running,
    Transition,
    advance,
    may_follow,
    reconcile,
)
from orchestrator.policy.rollout import (
    Complete,
    Policy,
    Stage,
    StartWave,
    Stop,
    Tally,
    Wait,
    WaveCounts,
    WaveFailed,
    WaveSucceeded,
    decide,
    tally_of,
)
from orchestrator.protocol.messages import ResultCode
from orchestrator.services import deployments, rollouts
from registry.models import Device, DeviceStatus
from tests.orchestrator import rollout_world as world
from tests.orchestrator.rollout_world import Status, seconds

DEVICES = 5
SOAK_S, LIFE_S = 20, 400
OLD_DIGEST = "ab" * 32
POLICY = Policy(success_threshold=0.6, error_threshold=0.4)
_STAGES = {StartWave: Stage.RUNNING, WaveSucceeded: Stage.SUCCEEDED, WaveFailed: Stage.FAILED}
_names = itertools.count()


@dataclass
class ModelDeployment:
    """What the model knows of a device's newest attempt."""

    wave: int
    status: Status = Status.PENDING
    soak_ends_at: float = 0.0


class RolloutMachine(RuleBasedStateMachine):
    """One rollout of five devices in two waves."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        prefix = f"machine-{next(_names)}"
        kind = world.profile(world.ROOMY)
        Device.objects.bulk_create(
            Device(device_id=f"{prefix}-{n}", status=DeviceStatus.ACCEPTED, profile=kind)
            for n in range(DEVICES)
        )
        devices = list(Device.objects.filter(device_id__startswith=f"{prefix}-"))
        self.rollout = world.started(
            name=prefix,
            target={"devices": [device.device_id for device in devices]},
            wave_percentages=(40, 100),
            soak_s=SOAK_S,
            success_threshold=POLICY.success_threshold,
            error_threshold=POLICY.error_threshold,
            expires_at=seconds(LIFE_S),
        )
        rows = Deployment.objects.filter(wave__rollout=self.rollout).select_related("wave")
        self.model = {row.device_id: ModelDeployment(row.wave.number) for row in rows}
        self.stages = {1: Stage.RUNNING, 2: Stage.WAITING}
        self.status = "running"
        self._sign()

    def _newest(self, index: int) -> Deployment | None:
        """One of the newest attempts that a device knows of; those still open come first."""
        rows = Deployment.objects.select_related("device", "variant").filter(
            wave__rollout=self.rollout, is_newest=True, manifest__isnull=False
        )
        known = list(rows.order_by("-is_open", "device_id"))
        return known[index % len(known)] if known else None

    @rule(seconds_on=st.sampled_from([0, 0, 1, SOAK_S, SOAK_S, LIFE_S // 2]))
    def tick(self, seconds_on: int) -> None:
        self.now += seconds_on
        rollouts.tick(seconds(self.now))
        self._expire()
        self._settle()
        self._decide()
        self._sign()

    def _sign(self) -> None:
        """The gateway is quick: what may be sent is sent before anything else happens."""
        world.sign_pending(seconds(self.now))
        if self.status == "running" and self.now < LIFE_S:
            for entry in self.model.values():
                sendable = self.stages[entry.wave] in {Stage.RUNNING, Stage.SUCCEEDED}
                if entry.status is Status.PENDING and sendable:
                    entry.status = Status.NOTIFIED

    @rule(
        index=st.integers(0, 2 * DEVICES),
        status=st.sampled_from(
            [
                Status.DOWNLOADING,
                Status.VERIFYING,
                Status.INSTALLED,
                Status.INSTALLED,
                Status.FAILED,
                Status.REJECTED,
                Status.CONFIRMED,
            ]
        ),
        reverted=st.booleans(),
    )
    def one_reports(self, index: int, status: Status, reverted: bool) -> None:
        self.report(index, status, reverted)

    def report(self, index: int, status: Status, reverted: bool) -> None:
        deployment = self._newest(index)
        if deployment is None:
            return
        code = ResultCode.REVERTED if reverted and status is Status.FAILED else ResultCode.OK
        world.report(deployment, status, code, now=seconds(self.now))
        entry = self.model[deployment.device_id]
        self._follow(entry, advance(entry.status, status, code))

    @rule(
        index=st.integers(0, 2 * DEVICES),
        new=st.sampled_from([True, True, False]),
        older=st.sampled_from([False, False, True]),
    )
    def state(self, index: int, new: bool, older: bool) -> None:
        deployment = self._newest(index)
        if deployment is None:
            return
        digest = deployment.variant.artifact_id if new else OLD_DIGEST
        sequence = deployment.sequence - older
        said = world.State(digest=digest, slot=0, sequence=sequence, boot=1)
        deployments.apply_state(deployment.device, said, seconds(self.now))
        entry = self.model[deployment.device_id]
        wanted = Running(deployment.variant.artifact_id, deployment.sequence)
        self._follow(entry, reconcile(entry.status, wanted, Running(digest, sequence)))

    def _follow(self, entry: ModelDeployment, outcome: object) -> None:
        if isinstance(outcome, Transition):
            entry.status = outcome.status
            if outcome.status is Status.INSTALLED:
                entry.soak_ends_at = self.now + SOAK_S

    @rule()
    def everyone_installs(self) -> None:
        for index in range(DEVICES):
            self.report(index, Status.INSTALLED, False)

    @precondition(lambda self: self.status in {"running", "paused"})
    @rule()
    def pause_or_resume(self) -> None:
        """Signing goes on with the next tick."""
        order = rollouts.pause if self.status == "running" else rollouts.resume
        order(self.rollout, seconds(self.now))
        self.status = "paused" if self.status == "running" else "running"

    @precondition(lambda self: self.status in {"running", "stopped"} and self.now < LIFE_S)
    @rule()
    def retry(self) -> None:
        failed = [entry for entry in self.model.values() if entry.status in _RETRYABLE]
        if not failed:
            with pytest.raises(rollouts.RolloutError):
                rollouts.retry_failed(self.rollout, seconds(self.now))
            return
        rollouts.retry_failed(self.rollout, seconds(self.now))
        for entry in failed:
            entry.status = Status.PENDING
            key = next(key for key, value in self.model.items() if value is entry)
            self._already_there(key, entry)
        if self.status != "paused":
            self.status = "running"
        for number, stage in self.stages.items():
            if stage not in {Stage.RUNNING, Stage.SUCCEEDED}:
                self.stages[number] = Stage.WAITING

    def _already_there(self, device: int, entry: ModelDeployment) -> None:
        """A device that runs the digest although its attempt ended is left in peace."""
        if self.stages[entry.wave] not in {Stage.RUNNING, Stage.SUCCEEDED}:
            return
        installed = Device.objects.get(pk=device).installed_id
        row = Deployment.objects.get(wave__rollout=self.rollout, device=device, is_newest=True)
        if installed is not None and installed == row.variant_id:
            entry.status = Status.ALREADY_INSTALLED

    @precondition(lambda self: self.status in {"running", "paused"})
    @rule(really=st.integers(0, 20))
    def abort(self, really: int) -> None:
        if really:
            return
        rollouts.abort(self.rollout, seconds(self.now))
        self.status = "aborted"
        self._cancel()

    def _expire(self) -> None:
        if self.now >= LIFE_S:
            for entry in self.model.values():
                if entry.status in BEFORE_INSTALLED:
                    entry.status = Status.EXPIRED

    def _settle(self) -> None:
        for entry in self.model.values():
            if entry.status is Status.INSTALLED and entry.soak_ends_at <= self.now:
                entry.status = Status.CONFIRMED

    def _cancel(self) -> None:
        for entry in self.model.values():
            if entry.status in BEFORE_INSTALLED:
                entry.status = Status.CANCELLED

    def _decide(self) -> None:
        while self.status == "running":
            decision = decide(POLICY, self._counts(), seconds(self.now))
            if isinstance(decision, Wait):
                return
            if isinstance(decision, Complete):
                self.status = "completed"
            elif isinstance(decision, Stop):
                self.status = "stopped"
                for number, stage in self.stages.items():
                    if stage in {Stage.WAITING, Stage.RUNNING}:
                        self.stages[number] = Stage.FAILED
                self._cancel()
            else:
                self.stages[decision.number] = _STAGES[type(decision)]
                if isinstance(decision, StartWave):
                    for key, entry in self.model.items():
                        if entry.wave == decision.number and entry.status is Status.PENDING:
                            self._already_there(key, entry)

    def _counts(self) -> list[WaveCounts]:
        found = []
        for number, stage in self.stages.items():
            tallies = [tally_of(e.status) for e in self.model.values() if e.wave == number]
            found.append(
                WaveCounts(
                    number,
                    stage,
                    open=tallies.count(Tally.OPEN),
                    success=tallies.count(Tally.SUCCESS),
                    error=tallies.count(Tally.ERROR),
                    missed=tallies.count(Tally.MISSED),
                )
            )
        return found

    @invariant()
    def the_database_says_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        self.rollout.refresh_from_db()
        assert self.rollout.status == self.status
        rows = Deployment.objects.filter(wave__rollout=self.rollout, is_newest=True)
        found = dict(rows.values_list("device_id", "status"))
        assert found == {key: entry.status.value for key, entry in self.model.items()}

    @invariant()
    def every_attempt_ends_once_and_by_allowed_steps(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = DeploymentEvent.objects.filter(deployment__wave__rollout=self.rollout)
        traces: dict[object, list[Status]] = {}
        for deployment, status in rows.order_by("id").values_list("deployment_id", "status"):
            traces.setdefault(deployment, [Status.PENDING]).append(Status(status))
        for trace in traces.values():
            assert all(may_follow(a, b) for a, b in itertools.pairwise(trace))
            assert sum(status in FINAL for status in trace) <= 1

    @invariant()
    def no_device_has_two_open_updates(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = Deployment.objects.filter(is_open=True, wave__rollout=self.rollout)
        devices = list(rows.values_list("device_id", flat=True))
        assert len(devices) == len(set(devices))


_RETRYABLE = {
    Status.FAILED,
    Status.ROLLED_BACK,
    Status.REJECTED,
    Status.EXPIRED,
    Status.CANCELLED,
}


@pytest.mark.django_db
def test_services_and_model_agree():
    run_state_machine_as_test(
        RolloutMachine,
        settings=settings(
            max_examples=10,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
