"""Reading the file that a person names on the command line."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import CommandError

from registry.formats.errors import FormatError
from registry.formats.model_file import files_beside, whole_file
from registry.services.regular_files import TooLarge, read_regular_file


def read_model_file(path: Path, max_bytes: int) -> bytes:
    """Its bytes, with those that it keeps in files beside it. CommandError where that cannot be.

    More than `max_bytes` are not read, and nothing but regular files.
    """
    data = _read(path, max_bytes)
    try:
        beside: dict[str, bytes] = {}
        for name in files_beside(data):
            room = max_bytes - len(data) - sum(map(len, beside.values()))
            beside[name] = _read(_beside(path, name), room)
        return whole_file(data, beside, max_bytes)
    except FormatError as error:
        raise CommandError(f"{path}: {error}") from error


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        return read_regular_file(path, max_bytes)
    except TooLarge as error:
        raise CommandError(
            f"{path} {error}, more than the {max_bytes} allowed; compress the model"
            " or raise TINYFLEET_ARTIFACT_MAX_BYTES"
        ) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}") from error


def _beside(path: Path, name: str) -> Path:
    """A file in the model's own folder, wherever links in there lead."""
    folder = path.resolve().parent
    found = (folder / name).resolve()
    if not found.is_relative_to(folder):
        raise CommandError(f"{path} keeps contents in {name!r}, which leads out of its folder")
    return found
