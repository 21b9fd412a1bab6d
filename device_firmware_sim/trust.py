"""The trust store: whose orders a device follows, as a folder of public keys.

The keys in the folder itself are the operator's, of whom one must sign. Where there is a folder
`author` in it, a key of that one must sign each update as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.protocol import cose

AUTHOR_FOLDER = "author"


class TrustError(ValueError):
    """A store that cannot be used; the message says which file or folder and why."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Verify keys by key id; no `authors`: their signature is not asked for."""

    keys: Mapping[bytes, cose.PublicKey]
    authors: Mapping[bytes, cose.PublicKey]


def load_trust(folder: Path) -> Trust:
    """The keys of every .pem file; TrustError where an order could never, or too easily, pass."""
    author_folder = folder / AUTHOR_FOLDER
    keys = _keys(folder)
    authors = _keys(author_folder) if author_folder.exists() else {}
    both = sorted(key_id.hex() for key_id in keys.keys() & authors.keys())
    if both:
        raise TrustError(f"{folder}: {both[0]} is both the operator's and the author's")
    return Trust(keys, authors)


def _keys(folder: Path) -> Mapping[bytes, cose.PublicKey]:
    files = sorted(folder.glob("*.pem"))
    if not files:
        raise TrustError(f"{folder} holds no .pem file: no order could ever be trusted")
    try:
        return cose.trusted_keys(path.read_bytes() for path in files)
    except (OSError, ValueError) as error:
        raise TrustError(f"{folder}: {error}") from error
