"""Where in a query the engine found a fault."""

from __future__ import annotations

import re

_POSITION = re.compile(r"error at (\d+):(\d+): (.*)", re.DOTALL)


def located(text: str) -> tuple[str, int | None, int | None]:
    """The engine's sentence, and the line and column that it names, both from 1."""
    found = _POSITION.search(text)
    return (found[3], int(found[1]), int(found[2])) if found else (text, None, None)
