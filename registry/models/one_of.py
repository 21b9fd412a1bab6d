"""`field__one_of=values`: as `field__in`, but a list of any length is a single parameter.

With `in` it takes Django and the drivers longer to put hundreds of values into a statement than it
takes the database to find their rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler


@Field.register_lookup
class OneOf(In):
    """Of a relation ask for the key: `device__pk__one_of`, which needs no join."""

    lookup_name = "one_of"

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        """The rows of a JSON array."""
        column, parameters = self.process_lhs(compiler, connection)
        listed = json.dumps(self._values(connection))
        return f"{column} IN (SELECT value FROM json_each(%s))", [*parameters, listed]

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        """An array."""
        column, parameters = self.process_lhs(compiler, connection)
        kind = self.lhs.output_field.db_type(connection)
        listed = array_text(map(element_text, self._values(connection)))
        return f"{column} = ANY(%s::{kind}[])", [*parameters, listed]

    def _values(self, connection: BaseDatabaseWrapper) -> list[Any]:
        if not self.rhs:
            raise EmptyResultSet
        field = self.lhs.output_field
        return [field.get_db_prep_value(value, connection, prepared=True) for value in self.rhs]


def array_text(elements: Iterable[str]) -> str:
    """PostgreSQL's text for an array: its driver's own takes ten times as long to write it.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    return "{" + ",".join(elements) + "}"


def element_text(value: Any) -> str:
    """One element, quoted, so that no text is taken for NULL or a brace."""
    if value is None:
        return "NULL"
    text = f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
