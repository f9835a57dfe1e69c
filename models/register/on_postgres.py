"""The register's replacement on PostgreSQL: filled by COPY, swapped by its name."""

from __future__ import annotations

import asyncio
import io
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from models.register.rows import COLUMNS, RegisterInUseError, ReplacementUnderWayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tortoise.backends.base.client import BaseDBAsyncClient

    from models.register.rows import Rows
    from models.register.tables import RegisterEdition

IMPORT_LOCK = 0x6775_6963_6865_7401  # Next to the lock of migrations: see `models.database`.
INCOMING = "register_entry_incoming"
STEP_SECONDS = 24 * 3600.0  # A step of an import may last longer than any query of the service.
LOCK_MILLISECONDS = 250  # Whoever looks up meanwhile waits behind us, so we wait shortly, and often.
LOCK_EVERY_SECONDS = 2.0
LOCK_FOR_SECONDS = 3600.0

CONNECTION_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

CREATE = f"""
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
CREATE TABLE {INCOMING} (LIKE register_entry INCLUDING ALL EXCLUDING INDEXES);
"""
# The new table belongs to whom the old one belonged to, and is open to whom that was open to.
OWNERSHIP = f"""
SELECT format('ALTER TABLE {INCOMING} OWNER TO %s', relowner::regrole) AS statement
FROM pg_class WHERE oid = 'register_entry'::regclass
UNION ALL
SELECT format('GRANT %s ON {INCOMING} TO %s', privilege_type,
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
FROM pg_class, aclexplode(relacl) WHERE oid = 'register_entry'::regclass
"""  # noqa: S608  # Made of constants.
COMPLETE = f"""
ALTER TABLE {INCOMING} ADD CONSTRAINT {INCOMING}_pkey PRIMARY KEY (siret);
ANALYZE {INCOMING};
"""
SWAP = f"""
SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms';
LOCK TABLE register_entry IN ACCESS EXCLUSIVE MODE;
DROP TABLE register_entry;
ALTER TABLE {INCOMING} RENAME TO register_entry;
ALTER INDEX {INCOMING}_pkey RENAME TO register_entry_pkey;
DELETE FROM register_edition WHERE source = 'SIRENE';
"""  # noqa: S608  # Made of constants.
EDITION = """
INSERT INTO register_edition (source, edition, imported_at, entries, closed, withheld) VALUES ($1, $2, $3, $4, $5, $6)
"""


class PostgresReplacement:
    """A table beside `register_entry`, made and filled in one transaction: it is there as a whole or not at all."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._transaction: Any = None
        self._copying: asyncio.Task[object] | None = None

    @classmethod
    @asynccontextmanager
    async def locked(cls, client: BaseDBAsyncClient) -> AsyncIterator[PostgresReplacement]:
        """The only replacement at this time; a lock of the session ends with its process."""
        async with client.acquire_connection() as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", IMPORT_LOCK):
                raise ReplacementUnderWayError
            new = cls(connection)
            try:
                await connection.execute(f"DROP TABLE IF EXISTS {INCOMING}")
                yield new
            finally:
                await new._stop_copying()
                with suppress(*CONNECTION_FAILURES):
                    await connection.execute("SELECT pg_advisory_unlock($1)", IMPORT_LOCK)

    async def add(self, rows: Rows) -> None:
        """Begin to copy *rows*, once those before are copied: the caller makes the next ones meanwhile."""
        await self._begun()
        await self._copied()
        self._copying = asyncio.create_task(self._copy(rows.text))

    async def _copy(self, text: str) -> None:
        """Rows of a table that is as new as its transaction can be frozen: no vacuum has to come back for them."""
        source = io.BytesIO(text.encode())
        await self._connection.copy_to_table(
            INCOMING, source=source, columns=COLUMNS, format="text", freeze=True, timeout=STEP_SECONDS
        )

    async def complete(self) -> None:
        await self._begun()
        await self._copied()
        await self._connection.execute(COMPLETE, timeout=STEP_SECONDS)
        for row in await self._connection.fetch(OWNERSHIP):
            await self._connection.execute(row["statement"])
        await self._transaction.commit()
        self._transaction = None

    async def publish(self, edition: RegisterEdition) -> None:
        deadline = time.monotonic() + LOCK_FOR_SECONDS
        while True:
            try:
                async with self._connection.transaction():
                    await self._connection.execute(SWAP)
                    await self._connection.execute(EDITION, *_values(edition))
            except asyncpg.LockNotAvailableError:
                if time.monotonic() > deadline:
                    raise RegisterInUseError from None
                await asyncio.sleep(LOCK_EVERY_SECONDS)
            else:
                return

    async def clear(self) -> None:
        """Nothing: the old table has gone with the swap."""

    async def discard(self) -> None:
        """Leave nothing behind, as far as the connection still allows."""
        await self._stop_copying()
        with suppress(*CONNECTION_FAILURES):
            if self._transaction is not None:
                await self._transaction.rollback()
            await self._connection.execute(f"DROP TABLE IF EXISTS {INCOMING}")

    async def _begun(self) -> None:
        if self._transaction is None:
            self._transaction = self._connection.transaction()
            await self._transaction.start()
            await self._connection.execute(CREATE)

    async def _copied(self) -> None:
        if self._copying is not None:
            await self._copying
            self._copying = None

    async def _stop_copying(self) -> None:
        if self._copying is not None:
            self._copying.cancel()
            await asyncio.gather(self._copying, return_exceptions=True)


def _values(edition: RegisterEdition) -> tuple[object, ...]:
    return (
        edition.source.value,
        edition.edition,
        edition.imported_at,
        edition.entries,
        edition.closed,
        edition.withheld,
    )
