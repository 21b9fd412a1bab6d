"""The demonstration's own state folder, apart from an installation's data."""

from __future__ import annotations

import shutil
from pathlib import Path

MARK = ".tinyfleet-demo"


class NotOurs(Exception):
    """The folder holds something else; nothing in it was touched."""


def fresh_folder(path: Path) -> Path:
    """An empty folder for this run; what an earlier demonstration left is removed."""
    if path.exists() and any(path.iterdir()) and not (path / MARK).exists():
        raise NotOurs(f"{path} holds data that is not a demonstration's; move it away")
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    (path / MARK).touch()
    return path
