"""What this installation has left in the broker, so that a later process can take it away again.

The broker may outlive the gateway. Without this file a gateway that starts anew would not know of
the manifests and blocks that it no longer wants there, and reading them back from the broker would
move everything that is retained.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.gateways.broker_files import replace_file


class RetainedJournal:
    """A set of lines on disk. A line is added before what it names is published."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = set(path.read_text().splitlines()) if path.exists() else set()

    @property
    def names(self) -> frozenset[str]:
        """Everything that may stand in the broker."""
        return frozenset(self._names)

    def add(self, names: Iterable[str]) -> None:
        """Note names that are about to be published."""
        new = [name for name in names if name not in self._names]
        if not new:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.writelines(f"{name}\n" for name in new)
        self._names.update(new)

    def replace(self, names: Iterable[str]) -> None:
        """Keep exactly these; the others have been cleared."""
        kept = set(names)
        if kept != self._names:
            replace_file(self._path, "".join(f"{name}\n" for name in sorted(kept)))
            self._names = kept
