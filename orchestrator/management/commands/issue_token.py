"""Permission for a device to enrol, for whoever prepares the device."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from orchestrator.protocol.topics import TopicError
from orchestrator.services.enrolment import issue_token
from registry.management.writing_command import WritingCommand


class Command(WritingCommand):
    subject_options = ("device",)
    help = "Print a single-use enrolment token for one device; it is kept nowhere else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("device", help="the device's id, e.g. greenhouse-7")
        parser.add_argument(
            "--hours",
            type=float,
            default=settings.ENROLMENT_TOKEN_EXPIRY_S / 3600,
            help="how long it may be used (default: %(default)g)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["hours"] <= 0:
            raise CommandError("--hours must be more than 0")
        try:
            token = issue_token(options["device"], now, now + timedelta(hours=options["hours"]))
        except (TopicError, OverflowError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(token)
