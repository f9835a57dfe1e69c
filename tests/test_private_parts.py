"""Private parts of libraries that the service uses are unchanged since they were tried."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import aiosqlite
import pytest
from captcha.audio import AudioCaptcha
from tortoise import Tortoise
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    ConnectionWrapper,
    NestedTransactionContext,
    PoolConnectionWrapper,
    TransactionContextPooled,
)
from tortoise.backends.base_postgres.client import BasePostgresClient
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.models import Model
from uvicorn import Server
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.supervisors import Multiprocess

PrivatePart = type | Callable[..., Any]

PRIVATE_PARTS: list[tuple[str, str, PrivatePart, str]] = [
    ("models.database.connections", "tortoise-orm", Tortoise.init, "814540c2a3597c2d"),
    ("models.database.statements", "tortoise-orm", Model._init_from_db, "5c5ac3cc150db023"),
    ("models.database.sqlite", "tortoise-orm", ConnectionWrapper, "6f4d75b65a714bda"),
    ("models.database.sqlite", "tortoise-orm", SqliteClient, "ae56179556a5d963"),
    ("models.database.sqlite", "tortoise-orm", SqliteTransactionContext, "f5d7611d0b6e51d4"),
    ("models.database.sqlite", "tortoise-orm", SqliteTransactionWrapper, "5b73d8440546ae44"),
    ("models.database.sqlite", "aiosqlite", aiosqlite.Connection._execute, "11f83d6bbbe803e3"),
    ("models.database.postgres", "tortoise-orm", BasePostgresClient, "6bc554a7cb288440"),
    ("models.database.postgres", "tortoise-orm", AsyncpgDBClient, "df5fbdcc7c6d0b8e"),
    ("models.database.postgres", "tortoise-orm", TransactionWrapper, "535a51ff19c99924"),
    ("models.database.postgres", "tortoise-orm", NestedTransactionContext, "8ed4156ae68da844"),
    ("models.database.postgres", "tortoise-orm", PoolConnectionWrapper, "8ee1d63e1d3811f8"),
    ("models.database.postgres", "tortoise-orm", TransactionContextPooled, "f5082ef8e47e0060"),
    ("api.http.uvicorn_protocol", "uvicorn", FlowControl, "126debcdaa894c83"),
    ("api.http.uvicorn_protocol", "uvicorn", HttpToolsProtocol, "18fdf324b11bf160"),
    ("api.http.uvicorn_protocol", "uvicorn", RequestResponseCycle, "e67d470d435dcc1c"),
    ("api.captcha.voice", "captcha", AudioCaptcha, "d4e43762ffa38858"),
    ("api.server.processes", "uvicorn", Server.handle_exit, "553276efa26e09ea"),
    ("api.server.processes", "uvicorn", Multiprocess, "ea4650ac0ee7c09c"),
]
"""The module that uses a part, the distribution and the part, and the digest of the source that it was tried on."""


@pytest.mark.parametrize(
    ("module", "distribution", "part", "digest"),
    PRIVATE_PARTS,
    ids=[f"{part.__qualname__} in {module}" for module, _, part, _ in PRIVATE_PARTS],
)
def test_private_part_is_unchanged_since_it_was_tried(
    module: str, distribution: str, part: PrivatePart, digest: str
) -> None:
    """A release that changes a private part fails here: read the module that uses it, try it, renew the digest."""
    found = sha256(inspect.getsource(part).encode()).hexdigest()[:16]
    changed = f"{distribution} {version(distribution)} has another {part.__qualname__}, which {module} uses"
    assert found == digest, f"{changed}: its digest is {found}"


@pytest.mark.parametrize("module", sorted({module for module, *_ in PRIVATE_PARTS}))
def test_module_names_the_release_that_it_was_tried_on(module: str) -> None:
    """Each module that uses private parts says which release it was tried on."""
    assert re.search(r"[Tt]ried on [A-Za-z ]*\d+\.\d+", inspect.getsource(importlib.import_module(module)))
