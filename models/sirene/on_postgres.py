"""The register's replacement on PostgreSQL: filled by COPY, swapped by its name."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from models.database.postgres_connections import POSTGRES_FAILURES
from models.sirene.rows import (
    COLUMNS,
    INCOMING,
    PooledConnectionError,
    RegisterFixedError,
    RegisterInUseError,
    ReplacementUnderWayError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tortoise.backends.base.client import BaseDBAsyncClient

    from models.sirene.rows import Rows
    from models.sirene.tables import RegisterEdition

IMPORT_LOCK = 0x6775_6963_6865_7401  # Next to the lock of migrations: see `models.database.migration`.
CHARACTERS_OF_A_CHUNK = 256 * 1024
MAX_STEP_SECONDS = 24 * 3600.0  # A step of an import may last longer than any query of the service.
LOCK_MILLISECONDS = 250  # Look-ups wait behind us meanwhile, so we wait shortly, and often.
LOCK_EVERY_SECONDS = 2.0
LOCK_FOR_SECONDS = 3600.0

# For the session: time limits that a role has for queries of the service are too short for an import. The new table is
# made in the schema of the old one, even if another schema is searched first.
SESSION = """
SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN (
    'statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout'
)
UNION ALL
SELECT set_config('search_path', quote_ident(nspname), false)
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = 'register_entry'::regclass
"""
OBSTACLES = """
SELECT 'its owner is ' || relowner::regrole FROM pg_class
WHERE oid = 'register_entry'::regclass AND NOT pg_has_role(relowner, 'USAGE')
UNION ALL
SELECT 'it is part of ' || ev_class::regclass FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid
WHERE pg_depend.classid = 'pg_rewrite'::regclass AND refobjid = 'register_entry'::regclass
"""
CREATE = f"CREATE TABLE {INCOMING} (LIKE register_entry INCLUDING ALL EXCLUDING INDEXES)"
# The new table gets the owner, the grants and the comment of the old one.
LIKENESS = f"""
WITH
    old AS (SELECT * FROM pg_class WHERE oid = 'register_entry'::regclass),
    granted AS (
        SELECT '' AS columns, (aclexplode(relacl)).* FROM old
        UNION ALL
        SELECT format('(%I)', attname), (aclexplode(attacl)).* FROM pg_attribute JOIN old ON attrelid = old.oid
    )
SELECT 1 AS step, format('ALTER TABLE {INCOMING} OWNER TO %s', relowner::regrole) AS statement FROM old
UNION ALL
SELECT 2, format('COMMENT ON TABLE {INCOMING} IS %L', obj_description(oid, 'pg_class')) FROM old
UNION ALL
SELECT DISTINCT 3, format('REVOKE ALL ON {INCOMING} FROM %s',
                          CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
FROM pg_class, aclexplode(relacl) WHERE oid = '{INCOMING}'::regclass AND grantee <> relowner
UNION ALL
SELECT 4, format('GRANT %s %s ON {INCOMING} TO %s %s', privilege_type, columns,
                 CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                 CASE WHEN is_grantable THEN 'WITH GRANT OPTION' ELSE '' END)
FROM granted
ORDER BY step
"""  # noqa: S608  # Made of constants.
# All indexes of the old one, each with the statement that makes it.
INDEXES = """
SELECT quote_ident(relname) AS name, indisprimary AS is_primary, pg_get_indexdef(indexrelid) AS definition
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = 'register_entry'::regclass ORDER BY relname
"""
SWAP = f"""
SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms';
LOCK TABLE register_entry IN ACCESS EXCLUSIVE MODE;
DROP TABLE register_entry;
ALTER TABLE {INCOMING} RENAME TO register_entry;
DELETE FROM register_edition WHERE source = 'SIRENE';
"""  # noqa: S608  # Made of constants.
EDITION = """
INSERT INTO register_edition (source, edition, imported_at, legal_units, entries, closed, withheld)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


class PostgresReplacement:
    """A table beside `register_entry`, made and filled in one transaction: it exists as a whole or not at all."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._in_transaction = False
        self._index_names: list[str] = []
        self._copying: asyncio.Task[object] | None = None

    @classmethod
    @asynccontextmanager
    async def locked(cls, client: BaseDBAsyncClient) -> AsyncIterator[PostgresReplacement]:
        """Yield the only replacement at this time. The lock of a session ends with its process."""
        async with client.acquire_connection() as connection:
            if connection.is_pooled:
                raise PooledConnectionError
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", IMPORT_LOCK):
                raise ReplacementUnderWayError
            new = cls(connection)
            try:
                await connection.fetch(SESSION)
                if obstacles := await connection.fetch(OBSTACLES):
                    raise RegisterFixedError(obstacles[0][0])
                await connection.execute(f"DROP TABLE IF EXISTS {INCOMING}")
                yield new
            finally:
                await new._stop_copying()
                with suppress(*POSTGRES_FAILURES):
                    if new._in_transaction:
                        await new._roll_back()
                    await connection.execute(f"DROP TABLE IF EXISTS {INCOMING}")
                    await connection.execute("SELECT pg_advisory_unlock($1)", IMPORT_LOCK)
                    await connection.close()  # The pool would not reset what `SESSION` has set.

    async def add(self, rows: Rows) -> None:
        """Begin to copy *rows* once the ones before are copied. The caller makes the next ones meanwhile."""
        await self._create()
        await self._end_copying()
        self._copying = asyncio.create_task(self._copy(rows.text))

    async def _copy(self, text: str) -> None:
        """Copy rows as frozen, which a table of the same transaction allows: no vacuum has to come back for them."""
        await self._connection.copy_to_table(
            INCOMING, source=_encode(text), columns=COLUMNS, format="text", freeze=True, timeout=MAX_STEP_SECONDS
        )

    async def complete(self) -> None:
        await self._create()
        await self._end_copying()
        for number, index in enumerate(await self._connection.fetch(INDEXES)):
            self._index_names.append(index["name"])
            await self._execute(_index_statement(index, f"{INCOMING}_{number}"))
        await self._execute(f"ANALYZE {INCOMING}")
        for row in await self._connection.fetch(LIKENESS):
            await self._execute(row["statement"])
        await self._commit()

    async def publish(self, edition: RegisterEdition) -> None:
        deadline = time.monotonic() + LOCK_FOR_SECONDS
        while not await self._try_swap(edition):
            if time.monotonic() > deadline:
                raise RegisterInUseError
            await asyncio.sleep(LOCK_EVERY_SECONDS)

    async def _try_swap(self, edition: RegisterEdition) -> bool:
        """Try to put the new table in the place of the old one, which readers may hold. Return whether it was done."""
        await self._begin()
        try:
            await self._execute(SWAP)
        except asyncpg.LockNotAvailableError:
            await self._roll_back()
            return False
        for number, name in enumerate(self._index_names):
            await self._execute(f"ALTER INDEX {INCOMING}_{number} RENAME TO {name}")
        await self._connection.execute(EDITION, *_values(edition))
        await self._commit()
        return True

    async def clear(self) -> None:
        """Do nothing: the old table has gone with the swap."""

    async def _create(self) -> None:
        """Make the new table if it is not there yet."""
        if not self._in_transaction:
            await self._begin()
            await self._connection.execute(CREATE)

    async def _begin(self) -> None:
        await self._connection.execute("BEGIN")
        self._in_transaction = True

    async def _commit(self) -> None:
        """Commit. This may remove the old table's file, which takes its time."""
        await self._execute("COMMIT")
        self._in_transaction = False

    async def _roll_back(self) -> None:
        await self._connection.execute("ROLLBACK")
        self._in_transaction = False

    async def _execute(self, statement: str) -> None:
        await self._connection.execute(statement, timeout=MAX_STEP_SECONDS)

    async def _end_copying(self) -> None:
        if self._copying is not None:
            await self._copying
            self._copying = None

    async def _stop_copying(self) -> None:
        if self._copying is not None:
            self._copying.cancel()
            await asyncio.gather(self._copying, return_exceptions=True)


async def _encode(text: str) -> AsyncIterator[bytes]:
    """Yield *text* in chunks. A file of it, asyncpg would keep in memory long after it is copied."""
    for start in range(0, len(text), CHARACTERS_OF_A_CHUNK):
        yield text[start : start + CHARACTERS_OF_A_CHUNK].encode()


def _index_statement(index: Mapping[str, Any], name: str) -> str:
    """Return the statement that makes the old table's *index* on the new one, under *name*."""
    if index["is_primary"]:
        return f"ALTER TABLE {INCOMING} ADD CONSTRAINT {name} PRIMARY KEY (siret)"
    head, _, rest = index["definition"].partition(" USING ")
    kind = "UNIQUE INDEX" if head.startswith("CREATE UNIQUE ") else "INDEX"
    return f"CREATE {kind} {name} ON {INCOMING} USING {rest}"


def _values(edition: RegisterEdition) -> tuple[object, ...]:
    return (
        edition.source.value,
        edition.edition,
        edition.imported_at,
        edition.legal_units,
        edition.entries,
        edition.closed,
        edition.withheld,
    )
