"""Compare the knowledge graph with the inventory."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ontology.store import StoreUnreachable
from registry.models import GraphChange
from registry.services.graph_check import differences
from registry.services.graph_sync import graph_store


class Command(BaseCommand):
    """Prints each difference; exits 1 if there is one."""

    help = "Compare the knowledge graph with the inventory; exit 1 on a difference."

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
        waiting = GraphChange.objects.count()
        self.stdout.write(f"{count:,} differences; {waiting:,} changes wait to be projected")
        if count:
            sys.exit(1)
