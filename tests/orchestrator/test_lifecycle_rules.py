"""A deployment goes forward, ends once, and no order of words can make it do otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.policy.lifecycle import (
    COURSE,
    FINAL,
    TRANSITIONS,
    Ignored,
    Progress,
    Running,
    Transition,
    Why,
    advance,
    is_final,
    may_follow,
    reconcile,
)
from orchestrator.protocol.messages import DeploymentStatus, ResultCode

Status = DeploymentStatus
NEW, OLD = "aa" * 32, "bb" * 32

statuses = st.sampled_from(list(Status))
codes = st.sampled_from(list(ResultCode))
fractions = st.floats(0, 1)
reports = st.tuples(statuses, codes, fractions)
digests = st.sampled_from([NEW, OLD, None])
states = st.tuples(digests, st.integers(0, 20))
words = st.lists(st.one_of(reports, states), max_size=40)
SEQUENCE = 10


def _after(current: Status, word: tuple) -> Status:
    if len(word) == 3:
        reported, code, progress = word
        outcome = advance(current, reported, code, progress=progress)
    else:
        digest, sequence = word
        outcome = reconcile(current, Running(NEW, SEQUENCE), Running(digest, sequence))
    return outcome.status if isinstance(outcome, Transition) else current


def _course(words: list[tuple]) -> list[Status]:
    seen = [Status.NOTIFIED]
    for word in words:
        seen.append(_after(seen[-1], word))
    return seen


def test_every_status_has_its_row():
    assert set(TRANSITIONS) == set(Status)
    assert all(not TRANSITIONS[status] for status in FINAL)
    assert {status for status in Status if is_final(status)} == {
        Status.CONFIRMED,
        Status.FAILED,
        Status.ROLLED_BACK,
        Status.REJECTED,
        Status.CANCELLED,
        Status.EXPIRED,
        Status.SUPERSEDED,
        Status.ALREADY_INSTALLED,
        Status.NOT_APPLICABLE,
    }


@pytest.mark.parametrize("status", COURSE)
def test_every_open_status_can_end(status):
    assert TRANSITIONS[status] & FINAL


@given(words)
@settings(max_examples=300, derandomize=True)
def test_never_back_and_never_out_of_a_final_status(words):
    course = _course(words)
    for current, following in zip(course, course[1:], strict=False):
        if current is following:
            continue
        assert current not in FINAL
        assert may_follow(current, following)
        assert following in FINAL or COURSE.index(following) > COURSE.index(current)


@given(words)
@settings(max_examples=300, derandomize=True)
def test_repeating_every_word_changes_nothing(words):
    twice = [word for word in words for _ in range(2)]
    assert _course(words)[-1] is _course(twice)[-1]


@given(st.permutations([s for s in COURSE if s is not Status.PENDING]))
@settings(derandomize=True)
def test_installed_is_reached_whatever_the_order_of_good_reports(order):
    words = [(status, ResultCode.OK, 0.0) for status in order]
    assert _course(words)[-1] is Status.INSTALLED


@pytest.mark.parametrize("status", sorted(FINAL))
@pytest.mark.parametrize("reported", list(Status))
def test_no_report_moves_a_final_status(status, reported):
    assert advance(status, reported) == Ignored(Why.FINAL)


@pytest.mark.parametrize(
    "reported",
    [
        Status.PENDING,
        Status.CONFIRMED,
        Status.CANCELLED,
        Status.EXPIRED,
        Status.SUPERSEDED,
        Status.ALREADY_INSTALLED,
        Status.NOT_APPLICABLE,
    ],
)
def test_a_device_cannot_speak_the_servers_words(reported):
    assert advance(Status.DOWNLOADING, reported) == Ignored(Why.NOT_THE_DEVICES_WORD)


@pytest.mark.parametrize("late", [Status.FAILED, Status.REJECTED, Status.DOWNLOADING])
def test_after_the_commit_a_late_word_is_no_fact(late):
    assert advance(Status.INSTALLED, late) == Ignored(Why.LATE)


def test_a_device_that_went_back_says_so_by_its_code():
    outcome = advance(Status.INSTALLED, Status.FAILED, ResultCode.REVERTED)
    assert outcome == Transition(Status.ROLLED_BACK)


def test_reports_may_be_lost_so_steps_may_be_skipped():
    assert advance(Status.NOTIFIED, Status.INSTALLED) == Transition(Status.INSTALLED)


def test_progress_only_grows():
    assert advance(Status.DOWNLOADING, Status.DOWNLOADING, progress=0.5) == Progress(0.5)
    again = advance(Status.DOWNLOADING, Status.DOWNLOADING, progress=0.4, known_progress=0.5)
    assert again == Ignored(Why.REPEATED)


@pytest.mark.parametrize(
    ("current", "digest", "sequence", "expected"),
    [
        (Status.NOTIFIED, NEW, 10, Transition(Status.INSTALLED)),
        (Status.VERIFYING, NEW, 10, Transition(Status.INSTALLED)),
        (Status.NOTIFIED, NEW, 9, Ignored(Why.LATE)),
        (Status.NOTIFIED, OLD, 10, Ignored(Why.NOTHING_NEW)),
        (Status.NOTIFIED, None, 0, Ignored(Why.LATE)),
        (Status.INSTALLED, NEW, 10, Ignored(Why.NOTHING_NEW)),
        (Status.INSTALLED, OLD, 9, Ignored(Why.LATE)),
        (Status.INSTALLED, OLD, 10, Transition(Status.ROLLED_BACK)),
        (Status.INSTALLED, None, 10, Transition(Status.ROLLED_BACK)),
        (Status.CANCELLED, NEW, 10, Ignored(Why.FINAL)),
    ],
)
def test_a_state_is_a_level(current, digest, sequence, expected):
    outcome = reconcile(current, Running(NEW, SEQUENCE), Running(digest, sequence))
    assert outcome == expected
