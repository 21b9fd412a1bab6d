"""Tables of the documentation that are written by code: each in a block of the page, by its name.

Such a block begins with a comment, `name: computed` or `name: measured`, and ends with one, `end`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_BLOCK = re.compile(r"(<!-- (\w+): (?:computed|measured) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_blocks(page: str, table: Callable[[str], str | None]) -> str:
    """The page with every block made anew; one stays as it is where `table` knows nothing of it."""

    def written(found: re.Match[str]) -> str:
        made = table(found[2])
        return found[0] if made is None else f"{found[1]}{made}\n{found[3]}"

    return _BLOCK.sub(written, page)


def head(*names: str) -> list[str]:
    """The first two lines of a table."""
    return [line(*names), line(*("---" for _ in names))]


def line(*cells: object) -> str:
    """One row."""
    return f"| {' | '.join(map(str, cells))} |"
