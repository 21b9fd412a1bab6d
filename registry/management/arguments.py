"""Values of command-line options that several commands take."""

from __future__ import annotations

from argparse import ArgumentTypeError

from registry.services.quantities import Broken, bytes_of


def size(text: str) -> int:
    """A size in bytes, as '192kB' or '64KiB'; for `type=` of an option."""
    try:
        return bytes_of(text)
    except Broken as error:
        raise ArgumentTypeError(str(error)) from error
