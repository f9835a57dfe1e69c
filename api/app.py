"""The one place that wires: settings become an application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.captcha.challenge import CaptchaProvider
from api.captcha.pictures import FixedCaptcha, PictureCaptcha
from api.clock import utc_now
from api.graphql.context import Services
from api.graphql.engine.documents import Documents
from api.graphql.http import build_endpoint
from api.graphql.schema import graphql_schema, schema
from api.http.health import health_routes
from api.http.middleware import (
    HTTPS_ONLY,
    REQUEST_ID_HEADER,
    CrossOrigin,
    DirectRoute,
    RequestBoundary,
)
from api.http.paths import CONTRACT, GRAPHIQL, GRAPHQL, SIGN_UP
from api.limits.rate_limits import RateLimits
from api.limits.storage import open_storage
from api.pages.graphiql import GraphiQL
from api.pages.mailbox import mailbox_routes
from api.pages.sign_up import SignUpPage
from api.passwords.hashing import Argon2Hasher
from api.passwords.threads import Passwords
from api.settings.mail_destination import Maildir
from api.upkeep import upkeep
from api.use_cases.activation import Activation
from api.use_cases.organisations import LookUps
from api.use_cases.passwords import PasswordChecker
from api.use_cases.registration import SignUp
from api.use_cases.registration_form import Terms
from models.database.connections import database
from models.organisation import find_organisations
from models.readiness import is_ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from api.passwords.hashing import Hasher
    from api.settings.environment import Settings

CORS_SECONDS = 600
DEVELOPMENT_ORIGINS = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"


@cache
def sdl() -> str:
    """Return the contract, as `schema.graphql` has it."""
    return f"{schema.as_str()}\n"


def build_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    captcha: CaptchaProvider | None = None,
    hasher: Hasher | None = None,
    documents: Documents | None = None,
) -> Starlette:
    """Build the application, as ASGI. It promises mails, and sends none.

    Tests pass their own clock, captcha and hasher: no setting can weaken these. They share *documents*, which must come
    from `build_documents` with the same settings.
    """
    captcha = captcha or _build_captcha(settings)
    passwords = Passwords(hasher or Argon2Hasher())
    services = _build_services(settings, captcha, passwords)
    graphiql = None if settings.in_production else GraphiQL()
    endpoint = build_endpoint(
        services, clock=clock, documents=documents or build_documents(settings), page=graphiql and graphiql.page
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with database(settings.database_url):
            try:
                async with upkeep(clock):
                    yield
            finally:
                passwords.close()
                await captcha.aclose()

    app = Starlette(routes=_list_routes(settings, graphiql), lifespan=lifespan)
    app.middleware_stack = _wrap(
        settings, DirectRoute(ExceptionMiddleware(app.router), path=GRAPHQL, endpoint=endpoint)
    )
    return app


def build_documents(settings: Settings) -> Documents:
    """Return an empty cache of documents."""
    return Documents(graphql_schema, introspection=settings.introspection == "on")


def _list_routes(settings: Settings, graphiql: GraphiQL | None) -> list[BaseRoute]:
    """Return all paths but the API's own. The page at the root comes last: it answers all that no other does."""
    return [
        *([Route(CONTRACT, _contract)] if settings.introspection == "on" else []),
        *health_routes(is_ready),
        *([Mount(GRAPHIQL, graphiql)] if graphiql else []),
        *_list_mailbox_routes(settings),
        Mount(SIGN_UP, SignUpPage()),
    ]


def _build_services(
    settings: Settings,
    captcha: CaptchaProvider,
    passwords: Passwords,
) -> Services:
    storage = open_storage(settings.rate_limit_url)
    limits = RateLimits(settings.rate_limits, storage)
    terms = Terms(settings.terms_version, settings.terms_url, settings.survey_consent_version)
    return Services(
        sign_up=SignUp(captcha=captcha, limits=limits, terms=terms, key=settings.key),
        activation=Activation(passwords=passwords, limits=limits),
        password_checker=PasswordChecker(passwords=passwords, limits=limits),
        look_ups=LookUps(find_organisations, limits=limits),
        captcha=captcha,
        limits=limits,
        terms=terms,
        sign_in_url=settings.sign_in_url,
    )


def _list_mailbox_routes(settings: Settings) -> list[BaseRoute]:
    """Return the mailbox page if mails go to a folder. Production has none: it shows everybody's activation links."""
    if settings.in_production or not isinstance(settings.mail_url, Maildir):
        return []
    return mailbox_routes(settings.mail_url.path)


def _build_captcha(settings: Settings) -> CaptchaProvider:
    return PictureCaptcha() if settings.captcha is None else FixedCaptcha(settings.captcha.text)


def _wrap(settings: Settings, app: ASGIApp) -> ASGIApp:
    """Put the layers around *app*, in the place of Starlette's own, which would catch failures before ours."""
    app = CrossOrigin(
        app,
        allow_origins=settings.cors_origins,
        allow_origin_regex=None if settings.in_production else DEVELOPMENT_ORIGINS,
        allow_methods=["GET", "POST"],
        allow_headers=["Content-Type", "Accept-Language"],
        expose_headers=[REQUEST_ID_HEADER],
        max_age=CORS_SECONDS,
    )
    if settings.trusted_proxies:
        app = ProxyHeadersMiddleware(app, trusted_hosts=settings.trusted_proxies.names)  # type: ignore[arg-type,assignment]
    return RequestBoundary(
        app, trusted_proxies=settings.trusted_proxies, headers=HTTPS_ONLY if settings.in_production else {}
    )


async def _contract(_: Request) -> Response:
    return PlainTextResponse(sdl(), headers={"Vary": "Origin"})
