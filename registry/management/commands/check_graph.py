"""Compare the knowledge graph with the inventory."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ontology.store import StoreUnreachable
from registry.models import GraphChange
from registry.services.graph_check import differences, incomplete
from registry.services.graph_sync import graph_store


class Command(BaseCommand):
    """Prints each difference; exits 1 if there is one."""

    help = "Compare the knowledge graph with the inventory; exit 1 on a difference."

    def add_arguments(self, parser: CommandParser) -> None:
        """Completeness is asked for apart: it is advice, and takes longer."""
        parser.add_argument(
            "--complete",
            action="store_true",
            help="also say what descriptions leave out (does not change the exit status)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """A graph that lags behind differs too: the waiting changes are counted."""
        count = 0
        with closing(graph_store()) as store:
            try:
                for sentence in differences(store):
                    self.stdout.write(sentence)
                    count += 1
            except StoreUnreachable as error:
                raise CommandError(f"the graph store cannot be reached: {error}") from error
        if options["complete"]:
            for sentence in incomplete():
                self.stdout.write(f"incomplete: {sentence}")
        waiting = GraphChange.objects.count()
        self.stdout.write(f"{count:,} differences; {waiting:,} changes wait to be projected")
        if count:
            sys.exit(1)
