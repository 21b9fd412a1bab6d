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
        return _execute(_update_from_arrays(model, named, written), _arrays(named + written, rows))
    assignments = ", ".join(f"{_name(column)} = %s" for column in written)
    conditions = " AND ".join(f"{_name(column)} = %s" for column in named)
    statement = f"UPDATE {_table(model)} SET {assignments} WHERE {conditions}"
    values = _values(named + written, rows)
    return _execute_many(statement, [*values[len(named) :], *values[: len(named)]])


def insert_rows(model: type[models.Model], fields: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows in their order; a field that is not named must have a default in the database."""
    if not rows:
        return
    columns = _columns(model, fields)
    into = f"INSERT INTO {_table(model)} ({', '.join(map(_name, columns))})"
    if connection.vendor == "postgresql":
        _execute(f"{into} SELECT * FROM {_from_arrays(columns)}", _arrays(columns, rows))
    else:
        places = ", ".join(["%s"] * len(columns))
        _execute_many(f"{into} VALUES ({places})", _values(columns, rows))


def _columns(model: type[models.Model], names: Sequence[str]) -> list[Column]:
    return [model._meta.get_field(name) for name in names]


def _update_from_arrays(
    model: type[models.Model], keys: Sequence[Column], written: Sequence[Column]
) -> str:
    """A key may be written too, so the arrays go by numbers: keys first."""
    table, columns = _table(model), [*keys, *written]
    given = [f"c{number}" for number in range(len(columns))]
    same = (f"{table}.{_name(c)} = given.{new}" for c, new in zip(keys, given, strict=False))
    become = zip(written, given[len(keys) :], strict=True)
    assignments = ", ".join(f"{_name(column)} = given.{new}" for column, new in become)
    source = f"{_from_arrays(columns)} AS given ({', '.join(given)})"
    return f"UPDATE {table} SET {assignments} FROM {source} WHERE {' AND '.join(same)}"


def _from_arrays(columns: Sequence[Column]) -> str:
    """PostgreSQL's rows out of one array a column: as many parameters as columns, not as values."""
    return f"unnest({', '.join(f'%s::{column.db_type(connection)}[]' for column in columns)})"


def _arrays(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    arrays = []
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        elements = {value: element_text(_prepared(column, value)) for value in set(values)}
        arrays.append(array_text(elements[value] for value in values))
    return arrays


def _values(columns: Sequence[Column], rows: Sequence[Row]) -> list[list[Any]]:
    """Column by column. Each different value is prepared once: most are shared by all rows."""
    lists = []
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        prepared = {value: _prepared(column, value) for value in set(values)}
        lists.append([prepared[value] for value in values])
    return lists


def _prepared(column: Column, value: Hashable) -> Any:
    """As the database takes it. Bytes stay bytes: each driver wraps them in its own way."""
    return value if isinstance(value, bytes) else column.get_db_prep_save(value, connection)


def _execute(statement: str, parameters: Sequence[Any]) -> int:
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
