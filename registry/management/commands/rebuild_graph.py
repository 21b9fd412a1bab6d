"""Make the knowledge graph from the inventory, from nothing."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from django.core.management.base import CommandError

from ontology.store import StoreUnreachable
from registry.management.writing_command import WritingCommand
from registry.services.graph_sync import graph_store, rebuild


class Command(WritingCommand):
    """Prints how many graphs of each kind there are now."""

    help = "Make the knowledge graph from the inventory (the graph server must be running)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Fail with the store's own words if it cannot be reached."""
        with closing(graph_store()) as store:
            try:
                counts = rebuild(store)
            except StoreUnreachable as error:
                raise CommandError(f"the graph store cannot be reached: {error}") from error
        for kind, count in sorted(counts.items()):
            self.stdout.write(f"{kind.value:10} {count:8,}")
        self.stdout.write(f"{'graphs':10} {counts.total():8,}")
