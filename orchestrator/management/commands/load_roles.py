"""`manage.py load_roles`: the groups Viewer, Operator, Model engineer and Administrator."""

from __future__ import annotations

from typing import Any

from orchestrator.services.roles import load_roles
from registry.management.writing_command import WritingCommand


class Command(WritingCommand):
    help = "Make the four roles as groups, or bring their permissions back to what a role is."

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a role."""
        for name, permissions in load_roles().items():
            self.stdout.write(f"{name}: {permissions} permissions")
