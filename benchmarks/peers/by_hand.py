"""The same look-ups by hand, in Starlette and asyncpg, without GraphQL or any safety."""

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

SELECT = """
SELECT r.siret, r.name, r.status, o.id IS NOT NULL AS "onPortal", r.postal_code AS "postalCode", r.city
FROM register_entry r
LEFT JOIN organisation o ON o.identifier_type = 'SIRET' AND o.identifier_value = r.siret
"""
ONE = f"{SELECT} WHERE r.siret = $1"
MANY = f"{SELECT} WHERE r.siret = ANY($1)"


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=20) as pool:
        app.state.pool = pool
        yield


async def organisation(request: Request) -> Response:
    asked = request.query_params if request.method == "GET" else orjson.loads(await request.body())
    row = await request.app.state.pool.fetchrow(ONE, asked["siret"])
    return _answer(None if row is None else dict(row))


async def organisations(request: Request) -> Response:
    sirets = orjson.loads(await request.body())["sirets"]
    found = {row["siret"]: dict(row) for row in await request.app.state.pool.fetch(MANY, sirets)}
    return _answer([found.get(siret) for siret in sirets])


def _answer(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


app = Starlette(
    routes=[
        Route("/organisation", organisation, methods=["GET", "POST"]),
        Route("/organisations", organisations, methods=["POST"]),
    ],
    lifespan=lifespan,
)
