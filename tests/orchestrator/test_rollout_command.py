"""`manage.py rollout` says what it did, and why it did not."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from orchestrator.management import rollout_watch
from orchestrator.models import Rollout
from orchestrator.services import rollouts
from registry.models import AuditEntry, Device, Fleet, FleetScope
from tests.orchestrator.rollout_world import (
    CRAMPED,
    ROOMY,
    fail,
    make_devices,
    make_release,
    run_to_end,
    sign_pending,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def fleet():
    make_devices(4, ROOMY)
    make_devices(1, CRAMPED)
    make_release()


def _say(*argv: str) -> str:
    out = io.StringIO()
    call_command("rollout", *argv, stdout=out)
    return out.getvalue()


def test_a_dry_run_is_a_table(fleet):
    said = _say("plan", "--release", "digits/1", "--waves", "50,100")
    assert "4 of 5 devices in waves of 2, 2; 18,496 B to fetch, 4,624 B to publish" in said
    assert "digits/1/large" in said
    assert "1 get nothing, e.g. cramped-000: digits/1/small needs 1,216 B of flash" in said
    assert not Rollout.objects.exists()


def test_made_planned_steered(fleet):
    said = _say("create", "--name", "spring", "--release", "digits/1", "--device", "roomy-000")
    rollout = Rollout.objects.get()
    number = str(rollout.pk)
    assert said == f"Rollout {number} 'spring' is draft.\n"
    assert "1 of 1 devices" in _say("plan", number)
    assert "is running" in _say("start", number)
    assert "is paused" in _say("pause", number)
    assert "is running" in _say("resume", number)
    assert "is aborted" in _say("abort", number)


def test_watching_ends_with_the_rollout(fleet):
    _say("create", "--release", "digits/1", "--start")
    rollout = Rollout.objects.get()
    now = timezone.now()
    rollouts.tick(now)
    run_to_end(rollout, now)
    said = _say("watch", str(rollout.pk))
    assert "is completed" in said
    assert "4 confirmed" in said
    assert "cramped-000: not_applicable: digits/1/small needs" in said


def test_watching_what_stopped_is_a_failure_that_says_why(fleet):
    _say("create", "--release", "digits/1", "--start")
    rollout = Rollout.objects.get()
    rollouts.tick(timezone.now())
    fail(sign_pending(timezone.now()))
    rollouts.tick(timezone.now())
    with pytest.raises(CommandError, match="is stopped. Wave 1: 4 of 4 devices failed"):
        _say("watch", str(rollout.pk))
    assert "is running" in _say("retry", str(rollout.pk))


def test_every_policy_has_an_option(fleet):
    _say(
        *("create", "--variant", "digits/1/small", "--success", "0.5", "--errors", "0.1"),
        *("--soak", "30", "--waves", "10,100", "--start-at", "2031-01-01T00:00Z"),
        *("--expires-at", "2031-02-01T00:00Z", "--max-accuracy-drop", "0.1"),
        *("--max-restarts", "2", "--revert"),
    )
    rollout = Rollout.objects.get()
    assert rollout.variant is not None and rollout.variant.name == "small"
    assert (rollout.success_threshold, rollout.error_threshold) == (0.5, 0.1)
    assert (rollout.soak_s, rollout.wave_percentages) == (30, [10, 100])
    assert rollout.health == {"max_accuracy_drop": 0.1, "max_restarts": 2}
    assert rollout.revert_on_failure
    assert rollout.start_at is not None and rollout.start_at.year == 2031
    assert "is scheduled" in _say("start", str(rollout.pk))


def test_into_a_file_watching_writes_a_line_for_each_change(fleet, monkeypatch):
    _say("create", "--name", "spring", "--release", "digits/1", "--waves", "50,100", "--start")
    rollout = Rollout.objects.get()
    moves = iter(
        [
            lambda: rollouts.tick(timezone.now()),
            lambda: None,
            lambda: rollouts.pause(rollout),
            lambda: rollouts.resume(rollout),
            lambda: run_to_end(rollout, timezone.now()),
        ]
    )
    monkeypatch.setattr(rollout_watch.time, "sleep", lambda _: next(moves)())
    said = _say("watch", str(rollout.pk))
    lines = [line.partition(" spring ")[2] for line in said.splitlines() if "wave 1 " in line]
    waiting = "wave 2 waiting: 2 pending"
    assert lines == [
        f"is running; wave 1 waiting: 2 pending  1 not_applicable; {waiting}",
        f"is running; wave 1 running: 2 pending  1 not_applicable; {waiting}",
        f"is paused; wave 1 running: 2 pending  1 not_applicable; {waiting}",
        f"is running; wave 1 running: 2 pending  1 not_applicable; {waiting}",
    ]
    assert "is completed" in said and "2 confirmed" in said


def test_a_retry_says_what_it_leaves_alone_and_why(fleet):
    _say("create", "--name", "old", "--release", "digits/1", "--start")
    old = Rollout.objects.get()
    rollouts.tick(timezone.now())
    fail(sign_pending(timezone.now()))
    rollouts.tick(timezone.now())
    _say("create", "--name", "new", "--release", "digits/1", "--device", "roomy-000", "--start")
    Device.objects.filter(device_id="roomy-001").update(status="revoked")
    said = _say("retry", str(old.pk)).splitlines()
    newer = Rollout.objects.get(name="new").pk
    assert set(said) == {
        f"1 device is left alone, e.g. roomy-000: rollout {newer}, new, has it since.",
        "1 device is left alone, e.g. roomy-001: no member, but revoked.",
        "1 device is left alone, e.g. cramped-000: nothing of what it sends fits.",
        f"Rollout {old.pk} 'old' is running.",
    }
    with pytest.raises(CommandError, match="no failed deployment.*new, has it since"):
        _say("retry", str(old.pk))


class TestInAUsersName:
    """With --as an order is held to what that user may do, and to which devices."""

    @pytest.fixture(autouse=True)
    def north(self, fleet, django_user_model):
        call_command("load_roles", stdout=io.StringIO())
        north = Fleet.objects.create(slug="north", name="North")
        north.devices.set(Device.objects.filter(device_id__in=["roomy-000", "roomy-001"]))
        for name, role in (("ada", "Operator"), ("eve", "Viewer"), ("max", "Model engineer")):
            user = django_user_model.objects.create_user(name)
            user.groups.add(Group.objects.get(name=role))
        FleetScope.objects.create(user=User.objects.get(username="ada")).fleets.add(north)

    def test_it_makes_and_steers_what_goes_to_the_own_fleets(self):
        order = ("--release", "digits/1", "--as", "ada")
        with pytest.raises(CommandError, match="3 of 5 devices are in none of the fleets"):
            _say("create", *order)
        assert "It would be refused: 3 of 5 devices" in _say("plan", *order)
        assert "is running" in _say("create", *order, "--fleet", "north", "--start")
        own = Rollout.objects.get()
        assert str(own.created_by) == "ada"
        assert "is paused" in _say("pause", str(own.pk), "--as", "ada")

    def test_what_goes_to_others_is_not_its_to_steer(self):
        _say("create", "--release", "digits/1", "--start")
        number = str(Rollout.objects.get().pk)
        for order in ("pause", "abort", "retry", "roll-back"):
            with pytest.raises(CommandError, match="in none of the fleets that ada may act on"):
                _say(order, number, "--as", "ada")
        assert Rollout.objects.get().status == "running"
        assert "is paused" in _say("pause", number), "the terminal itself is held to nothing"

    @pytest.mark.parametrize(
        ("user", "argv", "words"),
        [
            ("eve", ("create", "--release", "digits/1"), "eve lacks the permission add_rollout"),
            ("max", ("create", "--release", "digits/1", "--start"), "max lacks .* change_rollout"),
            ("max", ("start", "1"), "there is no rollout 1|lacks the permission change_rollout"),
            ("bob", ("create", "--release", "digits/1"), "no active user 'bob'"),
        ],
    )
    def test_nor_what_its_role_does_not_allow(self, user, argv, words):
        with pytest.raises(CommandError, match=words):
            _say(*argv, "--as", user)
        assert not Rollout.objects.exists()

    def test_the_trail_says_who_sat_there_and_in_whose_name(self, monkeypatch):
        monkeypatch.setattr("getpass.getuser", lambda: "root")
        order = ("--name", "spring", "--release", "digits/1", "--fleet", "north")
        _say("create", *order, "--as", "ada")
        entry = AuditEntry.objects.get(action="manage.py rollout")
        assert (entry.actor, entry.subject) == ("root", "create spring as ada")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("start", "99"), "there is no rollout 99"),
        (("plan",), "either a release or one variant"),
        (("create", "--release", "digits/7"), "there is no release 'digits/7'"),
        (("create", "--release", "digits/1", "--fleet", "none"), "no fleet 'none'"),
        (("create", "--release", "digits/1", "--waves", "1,x"), "no list of percentages"),
        (("create", "--release", "digits/1", "--start-at", "soon"), "no time such as"),
        (("create", "--release", "digits/1", "--start-at", "2030-02-31T00:00Z"), "no time such as"),
        (("create", "--release", "digits/1", "--start-at", "2001-01-01T00:00Z"), "in the past"),
        (("create", "--release", "digits/1", "--filter", ""), "does not take ''"),
        (("create", "--release", "digits/1", "--fleet", ""), "does not take ''"),
        (("create", "--release", "digits/1", "--filter", "bord = x"), "no field bord"),
        (("create", "--release", "digits/1", "--filter", "id = none"), "selects no accepted"),
        (("create", "--release", "digits/1", "--sparql", "/no/such.rq"), "cannot be read as text"),
        (("create", "--release", "digits/1", "--success", "1.2"), "1.2 can never be met"),
        (("create", "--release", "digits/1", "--errors", "nan"), "nan can never be met"),
        (("create", "--release", "digits/1", "--soak", "99999999999"), "soak lasts"),
        (("create", "--release", "digits/1", "--device", "cramped-000"), "fits any of the 1 dev"),
        (("create", "--release", "digits/1", "--window", "nine"), "no window such as"),
        (("create", "--release", "digits/1", "--window", "9-25"), "times like 22:00"),
        (("start", "99999999999999999999"), "there is no rollout"),
        ((), "ORDER"),
    ],
)
def test_what_cannot_be_is_said(fleet, argv, words):
    with pytest.raises(CommandError, match=words):
        _say(*argv)
    assert not Rollout.objects.exists()
