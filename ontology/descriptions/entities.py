"""What the entities of an XML document stand for, told before a parser writes them out."""

from __future__ import annotations

import re

_DECLARATION = re.compile(rb"""<!ENTITY\s+([^\s%"'<>&;]+)\s+(?:"([^"]*)"|'([^']*)')""")
_REFERENCE = re.compile(rb"&([^\s%\"'<>&;#]+);")


def declares_entities(data: bytes) -> bool:
    """Whether an XML document names texts to be written out elsewhere."""
    return b"<!ENTITY" in data


def overlong_entity(data: bytes, max_bytes: int) -> str | None:
    """The first entity that stands for more bytes than that, those within it written out.

    Entities of entities grow by a power with each level: a few lines stand for terabytes.
    """
    sizes: dict[bytes, int] = {}
    for name, double_quoted, single_quoted in _DECLARATION.findall(data):
        text = double_quoted or single_quoted
        named = sum(
            sizes.get(each[1], len(each[0])) - len(each[0]) for each in _REFERENCE.finditer(text)
        )
        size = sizes.setdefault(name, len(text) + named)
        if size > max_bytes:
            return str(name, "utf-8", "replace")
    return None
