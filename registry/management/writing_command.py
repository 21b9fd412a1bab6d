"""Commands that write to the database, which others may be writing to."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError


class WritingCommand(BaseCommand):
    """Says in a sentence that others kept the database for longer than its busy time-out."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except OperationalError as error:
            if not _is_busy(error):
                raise
            raise CommandError(
                "the database is locked: another process writes to it and did not end in time;"
                " what was not yet committed is undone, so run this again when it has ended"
            ) from error


def _is_busy(error: OperationalError) -> bool:
    """By SQLite's result code, whose lower byte is the primary one: https://sqlite.org/rescode.html."""
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_BUSY
