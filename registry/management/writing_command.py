"""Commands that write to the database, which others may be writing to; each leaves a trace."""

from __future__ import annotations

import getpass
import sqlite3
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from registry.models import AuditChannel, AuditOutcome
from registry.services.audit import Act, record


class WritingCommand(BaseCommand):
    """Says in a sentence that others kept the database for longer than its busy time-out.

    What came of it stands in the audit trail, under the name of whoever sits at the terminal;
    `subject_options` names the options that say what it was done to.
    """

    subject_options: tuple[str, ...] = ()

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            said = self._execute(*args, **options)
        except CommandError as error:
            self._note(options, AuditOutcome.REFUSED, str(error))
            raise
        self._note(options, AuditOutcome.DONE)
        return said

    def is_act(self, options: dict[str, Any]) -> bool:
        """Whether these options change anything; of most commands all do."""
        return True

    def subject(self, options: dict[str, Any]) -> str:
        """What the trail says that it was done to."""
        return " ".join(str(options[name]) for name in self.subject_options if options.get(name))

    def _note(self, options: dict[str, Any], outcome: AuditOutcome, detail: str = "") -> None:
        if not self.is_act(options):
            return
        action = self.__module__.rpartition(".")[2]
        act = Act(
            AuditChannel.COMMAND, f"manage.py {action}", self.subject(options), outcome, detail
        )
        record(act, actor=getpass.getuser())

    def _execute(self, *args: Any, **options: Any) -> str | None:
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
