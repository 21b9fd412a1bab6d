"""Which of several media types a client would rather have (RFC 9110, section 12.5.1).

For every type that is offered, the most specific range of the Accept header that matches decides
its quality, so `application/json;q=0, */*` is everything but JSON. Equal qualities go to what was
named more exactly, then to what was named first, then to what is offered first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_CHARACTERS = 2_000  # what is read of a header; broken quoting costs its square
_RANGE = re.compile(r"\s*([\w!#$&^.+-]+|\*)/([\w!#$&^.+-]+|\*)\s*((?:;.*)?)", re.DOTALL)
# A comma or a semicolon inside of a quoted string separates nothing.
_MEMBERS = re.compile(r"""(?:[^,"]|"(?:[^"\\]|\\.)*")+""")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_QUALITY = re.compile(r";\s*q\s*=\s*([\d.]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Range:
    kind: str
    subtype: str
    quality: float
    position: int

    @property
    def precision(self) -> int:
        return (self.kind != "*") + (self.subtype != "*")

    def matches(self, media_type: str) -> bool:
        kind, _, subtype = media_type.partition("/")
        return self.kind in {"*", kind} and self.subtype in {"*", subtype}


def preferred(accept: str | None, offered: Sequence[str]) -> str | None:
    """The best of the offered types, or None where the client accepts none of them.

    No header, an empty one and one without a single readable range accept everything.
    """
    ranges = _ranges((accept or "")[:_MOST_CHARACTERS]) or _ranges("*/*")
    ranked = [
        (-found.quality, -found.precision, found.position, place)
        for place, media_type in enumerate(offered)
        if (found := _deciding(ranges, media_type)) is not None and found.quality > 0
    ]
    return offered[min(ranked)[-1]] if ranked else None


def _ranges(accept: str) -> list[_Range]:
    found = (_RANGE.fullmatch(member) for member in _MEMBERS.findall(accept))
    return [
        _Range(match[1].lower(), match[2].lower(), _quality(match[3]), position)
        for position, match in enumerate(found)
        if match
    ]


def _quality(parameters: str) -> float:
    found = _QUALITY.search(_QUOTED.sub("", parameters))
    try:
        return min(1.0, float(found[1])) if found else 1.0
    except ValueError:  # two points are no number
        return 1.0


def _deciding(ranges: Sequence[_Range], media_type: str) -> _Range | None:
    matching = [each for each in ranges if each.matches(media_type)]
    return max(matching, key=lambda each: (each.precision, each.quality), default=None)


def content_type(media_type: str) -> str:
    """The header Content-Type: texts say that they are UTF-8."""
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
