"""Pages of bounded length."""

from __future__ import annotations

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request


class Pages(LimitOffsetPagination):
    """`limit` (at most 1,000) and `offset`; a value that is no number is refused, not ignored."""

    max_limit = 1000

    def get_limit(self, request: Request) -> int | None:
        limit = _whole_number(request, "limit", least=1)
        return min(limit or self.default_limit or self.max_limit, self.max_limit)

    def get_offset(self, request: Request) -> int:
        return _whole_number(request, "offset", least=0) or 0


def _whole_number(request: Request, name: str, least: int) -> int | None:
    raw = request.query_params.get(name)
    if raw is None:
        return None
    if not raw.isdecimal() or len(raw) > 18 or int(raw) < least:
        raise ValidationError({name: [f"{raw!r} is no whole number from {least} up."]})
    return int(raw)
