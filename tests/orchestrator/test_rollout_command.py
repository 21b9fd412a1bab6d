"""`manage.py rollout` says what it did, and why it did not."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from orchestrator.models import Rollout
from orchestrator.services import rollouts
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


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("start", "99"), "there is no rollout 99"),
        (("plan",), "either a release or one variant"),
        (("create", "--release", "digits/7"), "there is no release 'digits/7'"),
        (("create", "--release", "digits/1", "--fleet", "none"), "no fleet 'none'"),
        (("create", "--release", "digits/1", "--waves", "1,x"), "no list of percentages"),
        (("create", "--release", "digits/1", "--start-at", "soon"), "no time such as"),
        ((), "ORDER"),
    ],
)
def test_what_cannot_be_is_said(fleet, argv, words):
    with pytest.raises(CommandError, match=words):
        _say(*argv)
    assert not Rollout.objects.exists()
