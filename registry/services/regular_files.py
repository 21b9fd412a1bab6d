"""Reading a file that a person names, within a bound, whatever lies under its name."""

from __future__ import annotations

import errno
from pathlib import Path


class NoRegularFile(OSError):
    """What lies there is a folder, a pipe, a device or a socket: reading it may never end."""


class TooLarge(ValueError):
    """The file has more bytes than are allowed; `size_bytes` says how many were found."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        super().__init__(f"has {size_bytes} bytes")


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file. Raises NoRegularFile, TooLarge, or another OSError.

    Kind and size are asked first, so that nothing is opened that could block and no huge file is
    read; no more is read than allowed where a size says nothing (as in /proc) or grows meanwhile.
    """
    size = path.stat().st_size
    if not path.is_file():
        kind = "Is a directory" if path.is_dir() else "it is no regular file"
        raise NoRegularFile(errno.EINVAL, kind)
    if size > max_bytes:
        raise TooLarge(size)
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLarge(len(data))
    return data
