"""Small files that are never seen half-written: keys, secrets, what one process tells another."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def replace_whole(path: Path, content: bytes, mode: int = 0o600, durable: bool = False) -> None:
    """Put `content` in place of whatever is there, at once; if `durable`, on disk by the return."""
    _draft(path, content, mode, durable).replace(path)


def keep_once(path: Path, make: Callable[[], str]) -> str:
    """The text of a file that is made at first use, readable by its owner alone.

    Of several processes that start at once, one text wins and none is seen half-written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = _draft(path, make().encode(), 0o600, durable=True)
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return path.read_text()
        finally:
            draft.unlink()
    return path.read_text()


def _draft(path: Path, content: bytes, mode: int, durable: bool) -> Path:
    """A complete file beside `path`, to be moved into its place; `mode` whatever the umask."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    os.fchmod(descriptor, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    return draft
