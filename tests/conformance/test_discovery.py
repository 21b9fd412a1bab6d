"""The Things directory against W3C's assertions on directories, in both modes of access.

Results are in var/conformance/discovery.csv: one row an assertion, failed where either mode fails.
"""

from __future__ import annotations

import base64
import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.conformance import (  # noqa: F401  # importing them registers their checks
    discovery_events,
    discovery_http,
    discovery_information,
    discovery_search,
    discovery_things,
    discovery_validation,
)
from tests.conformance.directory_client import Directory
from tests.conformance.discovery_assertions import (
    ABSENT,
    CHECKS,
    Outcome,
    ids_of,
    outcomes,
    worse,
    write,
)
from tests.conformance.web_installation import ROOT, WebInstallation

RESULTS = ROOT / "var" / "conformance" / "discovery.csv"
LEAST_PASSED = 75
WRITER = "writer"
_MAKE_WRITER = f"""
from django.contrib.auth.models import Permission, User
user, _ = User.objects.get_or_create(username={WRITER!r})
user.set_password({WRITER!r})
user.save()
names = ["add_device", "change_device", "delete_device"]
user.user_permissions.set(Permission.objects.filter(codename__in=names))
"""


@pytest.fixture(scope="module")
def ids(data_dir: Path) -> list[str]:
    return ids_of(data_dir / "w3c-wot" / "discovery-assertions.csv")


@pytest.fixture(scope="module")
def writer(web: WebInstallation) -> Mapping[str, str]:
    """Somebody who may write devices, and nothing else."""
    web.manage("shell", "--verbosity", "0", "-c", _MAKE_WRITER)
    pair = base64.b64encode(f"{WRITER}:{WRITER}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@pytest.fixture(scope="module")
def by_mode(
    ids: list[str],
    web: WebInstallation,
    closed: str,
    opened: str,
    writer: Mapping[str, str],
    bearer: Mapping[str, str],
) -> dict[str, dict[str, Outcome]]:
    """What comes of each assertion, with accounts only and with open reading."""
    tick = partial(web.manage, "run_scheduler", "--once")
    modes = {
        "accounts": Directory(closed, False, bearer, writer, bearer, tick),
        "open reading": Directory(opened, True, {}, writer, bearer, tick),
    }
    return {mode: outcomes(directory, ids) for mode, directory in modes.items()}


@pytest.fixture(scope="module")
def results(ids: list[str], by_mode: dict[str, dict[str, Outcome]]) -> dict[str, Outcome]:
    """Both modes together, written where they are looked for."""
    first, second = by_mode.values()
    found = {each: worse(first[each], second[each]) for each in ids}
    write(RESULTS, found)
    return found


def test_every_assertion_has_a_check_and_every_check_an_assertion(ids: list[str]) -> None:
    assert len(ids) == 80
    assert CHECKS.keys() | ABSENT.keys() == set(ids)
    assert not CHECKS.keys() & ABSENT.keys()


@pytest.mark.slow
def test_none_fails_in_either_mode(by_mode: dict[str, dict[str, Outcome]]) -> None:
    failed = {
        (mode, each): outcome.reason
        for mode, found in by_mode.items()
        for each, outcome in found.items()
        if outcome.status == "fail"
    }
    assert failed == {}


def test_enough_pass_and_the_others_have_a_reason(results: dict[str, Outcome]) -> None:
    passed = [each for each, outcome in results.items() if outcome.status == "pass"]
    assert len(passed) >= LEAST_PASSED
    others = {each: outcome for each, outcome in results.items() if each not in passed}
    assert others.keys() == ABSENT.keys()
    assert all(
        outcome.status == "not-implemented" and outcome.reason for outcome in others.values()
    )


def test_the_results_have_one_row_an_assertion(ids: list[str], results: dict[str, Outcome]) -> None:
    with RESULTS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ids
    assert {row["status"] for row in rows} <= {"pass", "fail", "not-implemented"}
    assert all(row["status"] == results[row["id"]].status for row in rows)
