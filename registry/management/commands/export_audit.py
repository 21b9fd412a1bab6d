"""`manage.py export_audit [--since T] [--until T] [--format csv|jsonl]`: the audit trail."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from registry.services.audit import as_csv, as_json_lines, entries

_FORMATS = {"csv": as_csv, "jsonl": as_json_lines}


class Command(BaseCommand):
    """Writes to where the shell leads it; nothing is changed."""

    help = "Print who did what, when and with what result, as CSV or JSON lines."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Times and form."""
        parser.add_argument("--since", type=moment, metavar="2026-11-01", help="from then on")
        parser.add_argument("--until", type=moment, metavar="2026-12-01", help="and before then")
        parser.add_argument("--format", choices=_FORMATS, default="csv")

    def handle(self, *args: Any, **options: Any) -> None:
        """Line by line, however long the trail is."""
        for line in _FORMATS[options["format"]](entries(options["since"], options["until"])):
            self.stdout.write(line, ending="")


def moment(text: str) -> datetime:
    """A date or a time, in UTC where it says nothing else."""
    try:
        read = parse_datetime(text) or _midnight(text)
    except ValueError:
        read = None
    if read is None:
        raise ArgumentTypeError(f"{text!r} is no time such as 2026-11-01T08:00Z")
    return read if timezone.is_aware(read) else timezone.make_aware(read)


def _midnight(text: str) -> datetime | None:
    day = parse_date(text)
    return None if day is None else datetime(day.year, day.month, day.day)
