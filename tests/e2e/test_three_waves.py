"""A rollout of three waves to three hundred devices, then one of a bad release: on each database.

The devices are the product's simulators behind a real broker, some of which cannot install and some
of which are off; every process is the product's own. What is held here is how it all ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from orchestrator.policy.lifecycle import FINAL
from orchestrator.protocol.messages import DeploymentStatus as Status
from tests.device.networks import as_tflite, random_dense
from tests.e2e.installation import wait_for
from tests.e2e.rollout_fleet import DEVICES, WITHIN_S, RolloutFleet
from tests.postgresql import postgresql

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

WAVES = {"wave_percentages": [10, 50, 100], "success_threshold": 0.5, "error_threshold": 0.25}
NEVER_S = 24 * 3600
DATABASES = {"sqlite": lambda: nullcontext(""), "postgresql": postgresql}
NEWEST = """
SELECT device_id, number, orchestrator_deployment.status, sequence IS NOT NULL
FROM orchestrator_deployment
JOIN orchestrator_wave ON orchestrator_wave.id = wave_id
WHERE rollout_id = ? AND purpose = 'update' AND is_newest
"""
ATTEMPTS = """
SELECT count(*) FROM orchestrator_deployment
JOIN orchestrator_wave ON orchestrator_wave.id = wave_id
WHERE rollout_id = ? AND purpose = 'update'
"""
STATUS = "SELECT status FROM orchestrator_rollout WHERE id = ?"
OPEN = "SELECT count(*) FROM orchestrator_deployment WHERE is_open"
EVENTS = "SELECT deployment_id, status FROM orchestrator_deploymentevent"
RUNNING = "SELECT device_id, installed_id FROM registry_device"
CHAMPION = """
SELECT number FROM registry_release
JOIN registry_registeredmodel ON champion_id = registry_release.id
"""


@pytest.fixture(params=DATABASES)
def fleet(request, tmp_path) -> Iterator[RolloutFleet]:
    with DATABASES[request.param]() as database:
        fleet = RolloutFleet(tmp_path, database)
        try:
            fleet.start([as_tflite(random_dense(hidden, seed=hidden)) for hidden in (56, 60)])
            yield fleet
            fleet.stop()
        finally:
            fleet.abandon()


def test_it_ends_as_the_policy_says(fleet: RolloutFleet) -> None:
    fleet.switch_off("off")
    good = fleet.roll_out({"name": "good", "release": "digits/1", **WAVES})
    well = {"confirmed": len(fleet.on) - len(fleet.bad), "rejected": len(fleet.bad)}
    wait_for(
        "all that are on to end",
        lambda: is_so(ended(fleet, good), well),
        WITHIN_S,
    )
    shown = fleet.rollout(good)
    assert (shown["status"], stages(shown)) == ("running", ["succeeded"] * 3)

    fleet.switch_on("off", fleet.off)
    wait_for("the rollout to end", lambda: is_over(fleet, good, "completed"), WITHIN_S)
    assert ended(fleet, good) == well | {"confirmed": DEVICES - len(fleet.bad)}

    bad = fleet.roll_out(
        {"name": "bad", "release": "digits/2", "soak_s": NEVER_S, "revert_on_failure": True} | WAVES
    )
    wait_for("the rollout to stop", lambda: is_over(fleet, bad, "stopped"), WITHIN_S)
    assert stages(fleet.rollout(bad)) == ["failed", "cancelled", "cancelled"]
    only_its_first_wave_was_sent(fleet, bad)
    everything_ended_once(fleet, [good, bad])
    everybody_runs_the_good_release(fleet)


def ended(fleet: RolloutFleet, rollout: int) -> Counter[str]:
    """How many devices ended how; those that have not ended are left out."""
    statuses = Counter(status for _, _, status, _ in fleet.ask(NEWEST, rollout))
    return Counter({name: count for name, count in statuses.items() if Status(name) in FINAL})


def is_so(found: Counter[str], expected: dict[str, int]) -> bool:
    """Fails as soon as something has ended as it should not."""
    assert found <= Counter(expected), found
    return found == Counter(expected)


def is_over(fleet: RolloutFleet, rollout: int, status: str) -> bool:
    return fleet.ask(STATUS, rollout) == [(status,)] and fleet.ask(OPEN) == [(0,)]


def stages(shown: dict) -> list[str]:
    return [wave["status"] for wave in shown["waves"]]


def only_its_first_wave_was_sent(fleet: RolloutFleet, rollout: int) -> None:
    rows = fleet.ask(NEWEST, rollout)
    assert Counter(number for _, number, _, _ in rows) == {1: 30, 2: 120, 3: 150}
    later = {(status, sent) for _, number, status, sent in rows if number > 1}
    assert later == {("cancelled", False)}
    first = Counter(status for _, number, status, _ in rows if number == 1)
    broken = sum(first[status] for status in ("rolled_back", "rejected", "failed"))
    assert broken > WAVES["error_threshold"] * (first.total() - first["cancelled"])


def everything_ended_once(fleet: RolloutFleet, rollouts: list[int]) -> None:
    """Whatever was said twice: one attempt a device and rollout, one outcome an attempt."""
    assert [fleet.ask(ATTEMPTS, rollout) for rollout in rollouts] == [[(DEVICES,)]] * 2
    endings = Counter(key for key, status in fleet.ask(EVENTS) if Status(status) in FINAL)
    assert set(endings.values()) == {1}
    [(deployments,)] = fleet.ask("SELECT count(*) FROM orchestrator_deployment")
    assert len(endings) == deployments


def everybody_runs_the_good_release(fleet: RolloutFleet) -> None:
    good, _ = fleet.variants
    expected = {name: None if name in fleet.bad else good for name in fleet.on + fleet.off}
    assert dict(fleet.ask(RUNNING)) == expected
    assert fleet.ask(CHAMPION) == [(1,)]
