#!/usr/bin/env python
"""Django's command-line entry."""

import os
import sys


def main() -> None:
    """Run one management command with TinyFleet's settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
