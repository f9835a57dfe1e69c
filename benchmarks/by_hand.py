"""The yardstick: the same look-up by hand, in Starlette and asyncpg, without GraphQL or any safety."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

QUERY = """
SELECT r.name, r.status, r.postal_code, r.city, o.id AS on_portal
FROM register_entry r
LEFT JOIN organisation o ON o.identifier_type = 'SIRET' AND o.identifier_value = r.siret
WHERE r.siret = $1
"""


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=20) as pool:
        app.state.pool = pool
        yield


async def organisation(request: Request) -> Response:
    body = orjson.loads(await request.body())
    row = await request.app.state.pool.fetchrow(QUERY, body["siret"])
    answer = None if row is None else {**row, "on_portal": row["on_portal"] is not None}
    return Response(orjson.dumps(answer), media_type="application/json")


app = Starlette(routes=[Route("/organisation", organisation, methods=["POST"])], lifespan=lifespan)
