"""`__glob`: text against a pattern in which `*` stands for any characters, and nothing else does.

Both databases do it natively and in time that grows with the text. A regular expression would not
do on SQLite: Python runs it there, and of many stars it tries every division of the text.
"""

from __future__ import annotations

import re
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup, TextField
from django.db.models.sql.compiler import SQLCompiler


@CharField.register_lookup
@TextField.register_lookup
class Glob(Lookup):  # type: ignore[type-arg]  # cannot be subscripted when it runs
    """Small and capital letters are told apart."""

    lookup_name = "glob"

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[Any, ...]]:
        left, left_values = self.process_lhs(compiler, connection)
        return f"{left} LIKE %s ESCAPE '\\'", (*left_values, _like(str(self.rhs)))

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Its LIKE takes capital letters for small ones."""
        left, left_values = self.process_lhs(compiler, connection)
        return f"{left} GLOB %s", (*left_values, _glob(str(self.rhs)))


def _like(pattern: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", pattern).replace("*", "%")


def _glob(pattern: str) -> str:
    return re.sub(r"([?\[])", r"[\1]", pattern)
