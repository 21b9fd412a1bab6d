"""Commands that write, while another process keeps the database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections

from tests.core.test_descriptions import DEVICE, HEAD
from tests.registry.td_samples import THING


@pytest.fixture
def database(tmp_path: Path, db: None) -> Iterator[sqlite3.Connection]:
    """Another's connection to the database, for which commands do not wait."""
    usual = connections["default"]
    if usual.vendor != "sqlite":
        pytest.skip("only SQLite lets one writer in at a time")
    file = tmp_path / "it.sqlite3"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA journal_mode=WAL")
    options = {**usual.settings_dict["OPTIONS"], "timeout": 0}
    values = {**usual.settings_dict, "NAME": str(file), "OPTIONS": options}
    connections["default"] = type(usual)(values, "default")
    yield other
    connections["default"].close()
    connections["default"] = usual
    other.close()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {"import_rdf": tmp_path / "it.ttl", "import_td": tmp_path / "it.json"}
    found["import_rdf"].write_text(HEAD + DEVICE)
    found["import_td"].write_text(json.dumps(THING))
    return found


@pytest.mark.parametrize("command", ["import_rdf", "import_td"])
def test_a_database_that_another_keeps_is_a_sentence(database, files, command):
    database.execute("BEGIN IMMEDIATE")
    with pytest.raises(CommandError, match="the database is locked: another process writes to it"):
        call_command(command, str(files[command]))


def test_another_fault_of_the_database_stays_what_it_is(database, files):
    with pytest.raises(OperationalError, match="no such table"):
        call_command("import_rdf", str(files["import_rdf"]))
