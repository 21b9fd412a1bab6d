"""Many rows written by one statement, each with values of its own.

Django's `bulk_update` names every row in a CASE for every field, and `bulk_create` makes an object
of each row. Where thousands of rows change in a second, both cost more than the database does.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

from django.db import connection, models

from registry.models.one_of import array_text, element_text

Column: TypeAlias = Any  # a concrete field; Django's types lack what it knows of its column
Row: TypeAlias = Sequence[Hashable]


def update_rows(
    model: type[models.Model], keys: Sequence[str], fields: Sequence[str], rows: Sequence[Row]
) -> int:
    """Write `fields` of those rows whose `keys` are as given; returns how many there were.

    A row of `rows` gives its keys, then the new values. No two may name the same row.
    """
    if not rows:
        return 0
    named, written = _columns(model, keys), _columns(model, fields)
    if connection.vendor == "postgresql":
        return _update_from_arrays(model, named, written, rows)
    assignments = ", ".join(f"{_name(column)} = %s" for column in written)
    conditions = " AND ".join(f"{_name(column)} = %s" for column in named)
    statement = f"UPDATE {_table(model)} SET {assignments} WHERE {conditions}"
    values = _values(named + written, rows)
    return _execute_many(statement, [*values[len(named) :], *values[: len(named)]])


def insert_rows(model: type[models.Model], fields: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows in their order; a field that is not named gets its default.

    What Django sets as it saves an object, such as the time, must be named. JSON is given as text.
    """
    if not rows:
        return
    others = [each for each in model._meta.concrete_fields if _has_default(each, fields)]
    columns = _columns(model, fields) + others
    defaults = [each.get_default() for each in others]
    rows = [(*row, *defaults) for row in rows] if others else rows
    into = f"INSERT INTO {_table(model)} ({', '.join(map(_name, columns))})"
    if connection.vendor == "postgresql":
        given = _Given(columns, rows)
        _execute(f"{into} SELECT {', '.join(given.values)} FROM {given.source}", given.parameters)
    else:
        places = ", ".join(["%s"] * len(columns))
        _execute_many(f"{into} VALUES ({places})", _values(columns, rows))


def _has_default(column: Column, named: Sequence[str]) -> bool:
    return not (column.name in named or column.primary_key or column.generated)


def _columns(model: type[models.Model], names: Sequence[str]) -> list[Column]:
    return [model._meta.get_field(name) for name in names]


class _Given:
    """Rows as PostgreSQL is given them: an array for each column, and what all share only once.

    `values` are expressions for a row's columns, in their order, over the rows of `source`.
    """

    def __init__(self, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        self.values: list[str] = []
        self.parameters: dict[str, Any] = {}
        arrays: dict[str, str] = {}
        for number, (column, values) in enumerate(
            zip(columns, zip(*rows, strict=True), strict=True)
        ):
            name, kind, different = f"c{number}", column.db_type(connection), set(values)
            if number and len(different) == 1:
                self.parameters[name] = _prepared(column, values[0])
                self.values.append(f"%({name})s::{kind}")
            else:
                elements = {value: element_text(_prepared(column, value)) for value in different}
                self.parameters[name] = array_text(elements[value] for value in values)
                self.values.append(f"given.{name}")
                arrays[name] = f"%({name})s::{kind}[]"
        self.source = f"unnest({', '.join(arrays.values())}) AS given ({', '.join(arrays)})"


def _update_from_arrays(
    model: type[models.Model],
    keys: Sequence[Column],
    written: Sequence[Column],
    rows: Sequence[Row],
) -> int:
    table, given = _table(model), _Given([*keys, *written], rows)
    named, become = given.values[: len(keys)], given.values[len(keys) :]
    same = (f"{table}.{_name(c)} = {value}" for c, value in zip(keys, named, strict=True))
    new = (f"{_name(column)} = {value}" for column, value in zip(written, become, strict=True))
    statement = f"UPDATE {table} SET {', '.join(new)} FROM {given.source}"
    return _execute(f"{statement} WHERE {' AND '.join(same)}", given.parameters)


def _values(columns: Sequence[Column], rows: Sequence[Row]) -> list[list[Any]]:
    """Column by column. Each different value is prepared once: most are shared by all rows."""
    lists = []
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        prepared = {value: _prepared(column, value) for value in set(values)}
        lists.append([prepared[value] for value in values])
    return lists


def _prepared(column: Column, value: Hashable) -> Any:
    """As the database takes it. Bytes stay bytes: each driver wraps them in its own way."""
    if isinstance(value, bytes) or isinstance(column, models.JSONField):
        return value
    return column.get_db_prep_save(value, connection)


def _execute(statement: str, parameters: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def _execute_many(statement: str, columns: Sequence[Sequence[Any]]) -> int:
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(zip(*columns, strict=True)))
        return cursor.rowcount


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _name(column: Column) -> str:
    return connection.ops.quote_name(column.column)
