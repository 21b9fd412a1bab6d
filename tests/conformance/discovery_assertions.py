"""W3C's assertions on directories, the checks that stand for them, and what comes of these."""

from __future__ import annotations

import csv
import http.client
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.directory_client import Directory

Check = Callable[[Directory], None]
CHECKS: dict[str, Check] = {}
# What the directory has not, why, and a check that this is so.
ABSENT: dict[str, tuple[str, Check]] = {}


def asserts(*ids: str) -> Callable[[Check], Check]:
    """Make a function the check of these assertions."""

    def keep(check: Check) -> Check:
        assert not CHECKS.keys() & set(ids)
        CHECKS.update(dict.fromkeys(ids, check))
        return check

    return keep


def absent(*ids: str, reason: str) -> Callable[[Check], Check]:
    """Say that these are not implemented; the function checks that the reason is true."""

    def keep(check: Check) -> Check:
        ABSENT.update(dict.fromkeys(ids, (reason, check)))
        return check

    return keep


def ids_of(table: Path) -> list[str]:
    """The ids of the directory's assertions, as W3C lists them."""
    with table.open(newline="") as file:
        return [row["ID"] for row in csv.DictReader(file) if row["ID"].startswith("tdd-")]


@dataclass(frozen=True)
class Outcome:
    """A row of the results."""

    status: str
    reason: str = ""


def outcomes(directory: Directory, ids: Iterable[str]) -> dict[str, Outcome]:
    """What comes of each assertion; a check runs once, whatever it stands for."""
    known: dict[Check, Outcome] = {}
    found = {}
    for each in ids:
        reason, check = ABSENT.get(each, ("", CHECKS.get(each)))
        if check is None:
            found[each] = Outcome("fail", "nothing checks it")
            continue
        if check not in known:
            known[check] = _run(check, directory)
        outcome = known[check]
        is_absent = each in ABSENT and outcome.status == "pass"
        found[each] = Outcome("not-implemented", reason) if is_absent else outcome
    return found


def _run(check: Check, directory: Directory) -> Outcome:
    try:
        check(directory)
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        return Outcome("fail", f"{check.__name__}: {type(error).__name__} {error}"[:500])
    except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
        return Outcome("fail", f"{check.__name__}: {error!r}"[:500])
    return Outcome("pass")


def write(path: Path, found: Mapping[str, Outcome]) -> None:
    """One row an assertion: id, status, reason."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "status", "reason"])
        rows.writerows([each, outcome.status, outcome.reason] for each, outcome in found.items())


def worse(one: Outcome, other: Outcome) -> Outcome:
    """The outcome that counts where an assertion was checked twice."""
    return other if other.status == "fail" else one
