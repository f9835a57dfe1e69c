"""Statements that are written out: building one takes Tortoise several times as long as sending it.

This uses a private part of Tortoise, by which its own queries make models of rows. Tried on Tortoise 1.1.9;
`tests/test_private_parts.py` fails when a release changes it.
"""

from __future__ import annotations

import uuid
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from models.database.connections import connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tortoise.models import Model

M = TypeVar("M", bound="Model")


async def fetch(statement: str, *values: object) -> list[dict[str, Any]]:
    """Run *statement*, in which `$1` stands for the first of *values*, and return its rows as the driver gives them."""
    client = connection()
    if client.capabilities.dialect == "sqlite":
        texts = [str(value) if isinstance(value, uuid.UUID) else value for value in values]
        return await client.execute_query_dict(statement.replace("$", "?"), texts)
    return await client.execute_query_dict(statement, list(values))


async def fetch_models(model: type[M], statement: str, *values: object) -> list[M]:
    """Run *statement* as `fetch` does, and return its rows as instances of *model*."""
    return [build(model, row) for row in await fetch(statement, *values)]


async def fetch_model(model: type[M], statement: str, *values: object) -> M | None:
    """Run *statement* as `fetch` does, and return its first row as an instance of *model*, or None."""
    rows = await fetch(statement, *values)
    return build(model, rows[0]) if rows else None


def build(model: type[M], row: Mapping[str, Any]) -> M:
    """Return *row* as a *model*. It has all columns of the model, and may have others."""
    return model._init_from_db(**row)


async def insert(*instances: Model) -> int:
    """Store new *instances* of one model. Return the count of those that are stored.

    Others have a key that is taken already: PostgreSQL waits for a transaction that is storing it at the moment. A key
    that is taken ends no transaction, so that no savepoint is needed.
    """
    model = type(instances[0])
    fields = [(name, model._meta.fields_map[name]) for name in model._meta.fields_db_projection]
    values = [field.to_db_value(getattr(each, name), each) for each in instances for name, field in fields]
    return len(await fetch(_insertion(model, len(instances)), *values))


def placeholders(first: int, number: int) -> str:
    """Return *number* places for values, from `$first` on, separated by commas."""
    return ", ".join(f"${place}" for place in range(first, first + number))


@cache
def _insertion(model: type[Model], number: int) -> str:
    columns = list(model._meta.fields_db_projection.values())
    rows = (f"({placeholders(1 + row * len(columns), len(columns))})" for row in range(number))
    names, key = ", ".join(columns), model._meta.db_pk_column
    return (
        f"INSERT INTO {model._meta.db_table} ({names}) VALUES {', '.join(rows)}"  # noqa: S608  # Names of the model.
        f" ON CONFLICT DO NOTHING RETURNING {key}"
    )
