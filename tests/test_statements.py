"""Statements that are written out store and read what Tortoise's own do, on both databases."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tortoise.transactions import in_transaction

from models.database.statements import fetch_models, insert
from models.outbox import MessageKind, MessageState, OutboxMessage

if TYPE_CHECKING:
    from tests.support.doubles import Clock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("stored")]


def message(clock: Clock) -> OutboxMessage:
    return OutboxMessage(
        kind=MessageKind.ACTIVATION,
        recipient="a@exemple.fr",
        registration_id=uuid.uuid4(),
        language="fr",
        state=MessageState.SENT,
        attempts=3,
        available_at=clock() + timedelta(microseconds=1),
        deferred=True,
        created_at=clock(),
    )


def columns(stored: OutboxMessage) -> dict[str, object]:
    return {name: getattr(stored, name) for name in OutboxMessage._meta.fields_db_projection}


async def test_inserted_instances_are_read_back_as_they_were(clock: Clock) -> None:
    """Tortoise reads what `insert` has stored, and `fetch_models` reads the same, of every type of column."""
    stored = [message(clock), message(clock)]
    assert await insert(*stored) == 2

    by_statement = await fetch_models(OutboxMessage, "SELECT * FROM outbox_message WHERE id <> $1", uuid.uuid4())
    by_tortoise = await OutboxMessage.all()

    expected = {each.id: columns(each) for each in stored}
    assert {each.id: columns(each) for each in by_tortoise} == expected
    assert {each.id: columns(each) for each in by_statement} == expected


async def test_taken_key_ends_no_transaction(clock: Clock) -> None:
    """An instance whose key is taken is not stored; the others are, and the transaction goes on."""
    first, second = message(clock), message(clock)
    async with in_transaction():
        assert await insert(first) == 1
        assert await insert(first, second) == 1
        assert await insert(first) == 0
    assert {each.id for each in await OutboxMessage.all()} == {first.id, second.id}
