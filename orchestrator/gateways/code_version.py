"""Which commit of this product's code runs: what one needs to make a network again."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from django.conf import settings

# Hash alone, whatever tags there are; "-dirty" where files differ from it.
_DESCRIBE = ("git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")


def code_commit() -> str:
    """As it was stated by setting, or else as Git says of our own folder; empty if not known."""
    return settings.COMMIT or _commit_of(settings.BASE_DIR)


@cache
def _commit_of(folder: Path) -> str:
    """Asked once: the code that runs is that which was there when it was loaded."""
    if not (folder / ".git").exists():  # a folder above may be a repository of something else
        return ""
    limit_s = settings.NETWORK_TIMEOUT_S
    try:
        said = subprocess.run(
            _DESCRIBE, cwd=folder, capture_output=True, text=True, timeout=limit_s
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""
