"""Reading the file that a person names on the command line."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import CommandError


def read_model_file(path: Path, max_bytes: int) -> bytes:
    """Its bytes. CommandError where it cannot be read or is larger than `max_bytes`.

    The size is asked first, so that a huge file is not read.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise CommandError(
                f"{path} has {size} bytes, more than the {max_bytes} allowed; compress the model"
                " or raise TINYFLEET_ARTIFACT_MAX_BYTES"
            )
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}") from error
