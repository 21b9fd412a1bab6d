"""Finding and reading the Thing Descriptions that a person names on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from registry.formats.thing_description import DescriptionError
from registry.services.regular_files import NoRegularFile, TooLarge, read_regular_file

ENDINGS = frozenset({".json", ".jsonld", ".td"})


def description_files(paths: list[Path]) -> Iterator[Path]:
    """Files as they are named; of a folder every description in it, in the order of their names."""
    for path in paths:
        if path.is_dir():
            yield from sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in ENDINGS and file.is_file()
            )
        else:
            yield path


def read_description(path: Path, max_bytes: int) -> bytes:
    """The file's bytes; DescriptionError where it cannot be read or is larger than `max_bytes`.

    Nothing but regular files is opened.
    """
    try:
        return read_regular_file(path, max_bytes)
    except TooLarge as error:
        problem = f"{error}, more than the {max_bytes} allowed"
        remedy = "Shorten it, or raise TINYFLEET_DESCRIPTION_MAX_BYTES"
        raise DescriptionError("", problem, remedy) from error
    except (NoRegularFile, FileNotFoundError) as error:
        remedy = "Name a file, or a folder with files in it"
        raise DescriptionError("", "is no file that there is", remedy) from error
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        raise DescriptionError("", problem, "Make it readable") from error
