"""How a rollout ended: by the database, by what the devices said, by what their flash remembers."""

from __future__ import annotations

from collections import Counter

from orchestrator.policy.lifecycle import COURSE
from orchestrator.protocol.messages import DeploymentStatus as Status
from tests.faults.small_fleet import MEMBERS, SmallFleet

STATUSES = """
SELECT orchestrator_deployment.status FROM orchestrator_deployment
JOIN orchestrator_wave ON wave_id = orchestrator_wave.id WHERE rollout_id = ?
"""
OUTCOMES = """
SELECT registry_device.device_id, orchestrator_deployment.id, orchestrator_deployment.status,
       attempt, is_newest, is_open, orchestrator_deployment.sequence,
       orchestrator_deployment.variant_id = registry_device.installed_id
FROM orchestrator_deployment
JOIN registry_device ON registry_device.id = orchestrator_deployment.device_id
JOIN orchestrator_wave ON wave_id = orchestrator_wave.id WHERE rollout_id = ?
"""
EVENTS = "SELECT status FROM orchestrator_deploymentevent WHERE deployment_id = ? ORDER BY id"


def is_in(fleet: SmallFleet, rollout: int, state: Status) -> bool:
    """Whether a deployment of the rollout stands there."""
    return (state.value,) in fleet.installation.ask(STATUSES, rollout)


def is_over(fleet: SmallFleet, rollout: int) -> bool:
    """Whether every device has ended, well or badly."""
    statuses = fleet.installation.ask(STATUSES, rollout)
    return bool(statuses) and all(Status(status) not in COURSE for (status,) in statuses)


def each_ended_well_and_once(fleet: SmallFleet, rollout: int) -> None:
    """One attempt and one installation for each device, confirmed, with no status twice."""
    outcomes = fleet.installation.ask(OUTCOMES, rollout)
    assert sorted(row[0] for row in outcomes) == sorted(MEMBERS)
    said = Counter((s.device, s.report.deployment, s.report.status) for s in fleet.link.reports)
    for device, deployment, *fields in outcomes:
        record = fleet.boot_record(device)
        assert record.outcome is not None
        assert record.outcome.deployment.hex == deployment
        assert fields == [Status.CONFIRMED, 1, True, False, record.settled, True], outcomes
        events = [Status(status) for (status,) in fleet.installation.ask(EVENTS, deployment)]
        assert events[-1] is Status.CONFIRMED
        places = [COURSE.index(status) for status in events[:-1]]
        assert places == sorted(set(places)), events
        installs = said[device, record.outcome.deployment, Status.INSTALLING]
        # None where the word was lost with the broker: then the device's state told of it.
        assert installs <= 1, (device, installs)
