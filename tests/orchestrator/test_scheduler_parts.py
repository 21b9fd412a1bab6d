"""One leads; a part that fails or hangs holds up no other."""

from __future__ import annotations

import threading

import pytest

from orchestrator.models import Lease
from orchestrator.services import leases
from orchestrator.services.scheduling import LEASE, Part, Scheduler, run_part
from tests.orchestrator.rollout_world import NOW, seconds


@pytest.mark.django_db
def test_one_of_several_leads_until_its_time_is_up():
    assert leases.take(LEASE, "first", NOW, 5)
    assert not leases.take(LEASE, "second", seconds(4.9), 5)
    assert leases.take(LEASE, "first", seconds(4.9), 5)
    assert not leases.take(LEASE, "second", seconds(9.8), 5)
    assert leases.take(LEASE, "second", seconds(9.9), 5)
    assert not leases.take(LEASE, "first", seconds(10), 5)
    assert Lease.objects.get().owner == "second"


@pytest.mark.django_db
def test_who_ends_in_order_lets_the_next_one_lead_at_once():
    leases.take(LEASE, "first", NOW, 5)
    leases.give_up(LEASE, "second", seconds(1))
    assert not leases.take(LEASE, "second", seconds(1), 5)
    leases.give_up(LEASE, "first", seconds(1))
    assert leases.take(LEASE, "second", seconds(1), 5)


@pytest.mark.django_db
def test_a_failing_part_is_logged_and_survived(caplog):
    def broken(now):
        raise ConnectionError("the graph is down")

    assert not run_part(Part("graph", broken), NOW)
    assert "part_failed" in caplog.text
    assert run_part(Part("rollouts", lambda now: 3), NOW)


@pytest.mark.django_db(transaction=True)
def test_a_part_that_hangs_or_fails_holds_up_no_other():
    """Threads on the test's own database; the lease is taken by the first claim."""
    stop, hung, enough = threading.Event(), threading.Event(), threading.Event()
    turns = []

    def hangs(now):
        hung.set()
        stop.wait(30)

    def fails(now):
        raise OSError("no route")

    def works(now):
        turns.append(now)
        if len(turns) >= 5 and hung.is_set():
            enough.set()

    parts = [Part("hangs", hangs), Part("fails", fails), Part("works", works)]
    scheduler = Scheduler(parts, 0.01, stop)
    runner = threading.Thread(target=scheduler.run)
    runner.start()
    try:
        assert enough.wait(20)
    finally:
        stop.set()
        runner.join(20)
    assert not runner.is_alive()
    assert Lease.objects.get().owner == ""
