"""Repeat a look-up until it has one last answer, and print each new answer on a line.

Arguments: the database's URL, "begin" for look-ups in transactions or "", the last answer, the SIRETs.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext

from tortoise.transactions import in_transaction

from models.database.connections import database
from models.database.url import parse_database_url
from models.identifiers import Identifier, IdentifierType
from models.organisation import find_organisations


async def main(url: str, begin: str, until: str, *sirets: str) -> None:
    asked = [Identifier(IdentifierType.SIRET, siret) for siret in sirets]
    last: list[str] = []
    async with database(parse_database_url(url)):
        while last != [until]:
            async with in_transaction() if begin else nullcontext():
                found = await find_organisations(asked)
            now = sorted({f"{one.name} of {one.as_of:%Y-%m-%d}" if one else "nothing" for one in map(found.get, asked)})
            if now != last:
                sys.stdout.write(f"{' and '.join(now)}\n")
                sys.stdout.flush()
            last = now


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
