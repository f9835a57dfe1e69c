"""Forged requests: headers never change where links lead, and another site's page changes nothing."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import graphql
import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from api.app import sdl
from api.settings.environment import Environment
from tests.support.applications import build_cheap_app
from tests.support.browser import serving
from tests.support.client import (
    ACTIVATE_ACCOUNT,
    CHECK_PASSWORD,
    CREATE_ACCOUNT,
    INSPECT_ACTIVATION_LINK,
    PAGE,
    PASSWORD,
    RENEW_CAPTCHA,
    RESEND_ACTIVATION_MAIL,
    SIGN_IN,
    VERIFY_CAPTCHA,
    Answer,
    Portal,
    client_at,
    form,
    with_link,
)
from tests.support.databases import sqlite_only
from tests.support.tables import dump

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx
    from playwright.async_api import Browser

    from api.mail.relay import Relay
    from api.settings.environment import Settings
    from tests.support.doubles import Clock, KnownCaptcha, Letterbox

pytestmark = [pytest.mark.anyio, sqlite_only]

STRANGER = "elsewhere.example"
ORIGIN = f"https://{STRANGER}"
FORGED = {
    "host": {"Host": STRANGER},
    "host with a port": {"Host": f"{STRANGER}:8443"},
    "host in front": {"Host": f"portal.example.org@{STRANGER}"},
    "host of a proxy": {
        "X-Forwarded-Host": STRANGER,
        "X-Forwarded-Server": STRANGER,
        "X-Original-Host": STRANGER,
        "X-HTTP-Host-Override": STRANGER,
        "X-Host": STRANGER,
        "Forwarded": f"for=198.51.100.7;host={STRANGER};proto=http",
    },
    "scheme of a proxy": {
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Scheme": "http",
        "X-Forwarded-Port": "8080",
        "X-Forwarded-Prefix": f"//{STRANGER}",
        "X-Script-Name": f"/{STRANGER}",
        "Front-End-Https": "off",
    },
    "address of a proxy": {
        "X-Original-URL": f"{ORIGIN}/graphql",
        "X-Rewrite-URL": f"{ORIGIN}/graphql",
        "Base-Url": ORIGIN,
        "Destination": ORIGIN,
    },
    "page that was left": {"Origin": ORIGIN, "Referer": f"{ORIGIN}/sign-up"},
}
CROSS_SITE = {
    "Origin": ORIGIN,
    "Referer": f"{ORIGIN}/",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Dest": "empty",
    "Cookie": "session=0123456789",
    "Authorization": "Basic Y2FtaWxsZTpzb2xlaWw=",
}


@pytest.fixture
def production(settings: Settings) -> Settings:
    return settings.replace(environment=Environment.PRODUCTION)


@asynccontextmanager
async def forging(
    settings: Settings, clock: Clock, captcha: KnownCaptcha, headers: dict[str, str]
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that sends *headers* with each request."""
    app = build_cheap_app(settings, clock=clock, captcha=captcha)
    async with app.router.lifespan_context(app), client_at(app) as http:
        http.headers.update(headers)
        yield http


# --- Links ---


@pytest.mark.parametrize("environment", Environment)
@pytest.mark.parametrize("trusted", ["", "192.0.2.1"], ids=["no proxy", "trusted proxy"])
@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
async def test_forged_headers_change_no_link(
    settings: Settings,
    clock: Clock,
    captcha: KnownCaptcha,
    relay: Relay,
    letterbox: Letterbox,
    *,
    environment: Environment,
    trusted: str,
    headers: dict[str, str],
) -> None:
    """Links and answers name only the configured hosts, with any forged header and behind a trusted proxy."""
    changed = settings.replace(environment=environment, trusted_proxies=trusted)
    async with forging(changed, clock, captcha, headers) as http:
        heard: list[str] = []

        async def listen(response: httpx.Response) -> None:
            await response.aread()
            heard.append(f"{response.headers.raw} {response.text}")

        http.event_hooks["response"].append(listen)
        portal = Portal(http, captcha=captcha, relay=relay, letterbox=letterbox)
        token = await portal.activation_token()
        await portal.resend_activation_mail("camille.durand@exemple.fr")
        await portal.deliver()
        activated = await portal.activate_account(token)
        await portal.sign_up()
        await portal.deliver()
    assert activated["nextUrl"] == SIGN_IN
    assert len(heard) == 6
    assert STRANGER not in "".join(heard)
    mails = [mail.as_bytes().decode() for mail in letterbox.messages]
    assert len(mails) == 4
    assert STRANGER not in "".join(mails)
    for mail in letterbox.messages:
        expected = f"{PAGE}#token=" if mail in with_link([mail]) else SIGN_IN
        urls = [url for part in mail.walk() if not part.is_multipart() for url in urls_in(part.get_content())]
        assert all(url.startswith((expected, SIGN_IN)) for url in urls), urls


def urls_in(text: str) -> list[str]:
    return re.findall(r"https?://[^\s\"'<>]+", text)


# --- Answers ---

TARGETS = [
    "/",
    "/index.html",
    "/main.js",
    "/journey",
    "/journey/",
    "/words",
    "/.",
    "/./",
    "/..",
    "/journey/..",
    "/journey/../",
    "/journey%2f..",
    "/%2e",
    "/%2e%2e%2f",
    "//",
    f"//{STRANGER}",
    f"//{STRANGER}/..",
    f"//{STRANGER}/%2e%2e",
    f"/\\{STRANGER}/..",
    "/graphql",
    "/graphql/",
    "/graphql?query={__typename}",
    "/schema.graphql",
    "/schema.graphql/",
    "/health",
    "/health/",
    "/health/live",
    "/health/live/",
    "/health/ready",
    "/graphiql",
    "/graphiql/",
    "/mailbox",
    "/mailbox/",
    "/mailbox/messages",
    "/nothing",
    "*",
]


async def send(url: str, target: str, headers: dict[str, str], *, method: str = "GET", body: bytes = b"") -> bytes:
    """Send a request with exactly this target. Return the raw answer."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    fields = {"Host": address.netloc, "Content-Length": str(len(body)), "Connection": "close"} | headers
    head = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    async with asyncio.timeout(60):
        writer.write("\r\n".join(head).encode() + body)
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return re.sub(rb'\r\n(date|x-request-id): [^\r]+|"requestId":"\w+"', b"", answer)


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
async def test_forged_headers_change_no_answer(production: Settings, headers: dict[str, str]) -> None:
    """In production, no header changes an answer or makes the service redirect."""
    async with serving(build_cheap_app(production)) as url:
        for target in TARGETS:
            answer = await send(url, target, headers)
            assert re.match(rb"HTTP/1.1 (200|400|404|405) ", answer), (target, answer)
            assert STRANGER.encode() not in answer, (target, answer)
            assert b"\r\nlocation:" not in answer.lower(), (target, answer)
            if "Origin" not in headers and "{" not in target:
                assert answer == await send(url, target, {}), target


@pytest.mark.parametrize("host", ["127.0.0.1", STRANGER])
async def test_absolute_target_is_answered_by_its_path(
    production: Settings, clock: Clock, captcha: KnownCaptcha, relay: Relay, letterbox: Letterbox, *, host: str
) -> None:
    """A request target with a host is answered by its path. The host appears in no mail and no answer."""
    heard = b""
    async with serving(build_cheap_app(production, clock=clock, captcha=captcha)) as url:

        async def call(query: str, variables: Answer) -> Any:
            nonlocal heard
            body = json.dumps({"query": query, "variables": variables}).encode()
            headers = {"Host": host, "Content-Type": "application/json"}
            answer = await send(url, f"http://{host}/graphql", headers, method="POST", body=body)
            heard += answer
            (value,) = json.loads(answer.partition(b"\r\n\r\n")[2])["data"].values()
            return value

        pending = await call(CREATE_ACCOUNT, {"input": form()})
        solution = {"registrationId": pending["id"], "answer": captcha.answer}
        assert (await call(VERIFY_CAPTCHA, {"input": solution}))["__typename"] == "ActivationMailSent"
        for target in ("/health/live", "/", "", "/.", "//"):
            heard += await send(url, f"http://{STRANGER}{target}", {"Host": host})
        await relay.deliver_due()
    (mail,) = with_link(letterbox.messages)
    assert all(address.startswith(PAGE) for part in mail.iter_parts() for address in urls_in(part.get_content()))
    for text in (heard, *(mail.as_bytes() for mail in letterbox.messages)):
        assert STRANGER.encode() not in text
    assert b"\r\nlocation:" not in heard.lower()


# --- Requests that another site's page can make a browser send ---

CHANGING = {"createAccount", "renewCaptcha", "verifyCaptcha", "resendActivationMail", "activateAccount"}
"""The mutations that change the database if they are sent properly."""


async def mutations(portal: Portal) -> dict[str, tuple[str, Answer]]:
    """Return each mutation of the contract, with variables that make it work."""
    token = await portal.activation_token(email="first@exemple.fr")
    passwords = {"token": token, "password": PASSWORD, "passwordConfirmation": PASSWORD}
    renewed = await portal.create_account(email="second@exemple.fr")
    pending = await portal.create_account(email="third@exemple.fr")
    answered = {"registrationId": pending["id"], "answer": portal.captcha.answer}
    sent = {
        "createAccount": (CREATE_ACCOUNT, {"input": form()}),
        "renewCaptcha": (RENEW_CAPTCHA, {"registrationId": renewed["id"]}),
        "verifyCaptcha": (VERIFY_CAPTCHA, {"input": answered}),
        "resendActivationMail": (RESEND_ACTIVATION_MAIL, {"email": "first@exemple.fr"}),
        "inspectActivationLink": (INSPECT_ACTIVATION_LINK, {"token": token}),
        "checkPassword": (CHECK_PASSWORD, {"input": {"password": PASSWORD, "activationToken": token}}),
        "activateAccount": (ACTIVATE_ACCOUNT, {"input": passwords}),
    }
    in_contract = graphql.build_schema(sdl()).mutation_type
    assert in_contract is not None
    assert set(sent) == set(in_contract.fields)
    return sent


def simple_bodies(query: str, variables: Answer) -> Iterator[tuple[str | None, bytes]]:
    """Yield the media types and bodies that browsers send to another site without a preflight, and similar ones."""
    parameters = {"query": query, "variables": json.dumps(variables)}
    as_json = json.dumps({"query": query, "variables": variables}).encode()
    # A text/plain form sends this if its only field has the text before the equals sign as its name.
    as_field = json.dumps({"query": query, "variables": variables, "extensions": {"=": ""}}).encode()
    yield from ((type_, as_json) for type_ in (None, "", "text/plain", "text/plain;charset=UTF-8", "text/json"))
    yield from ((type_, as_json) for type_ in ("text/plain; application/json", "text/plain, application/json"))
    yield from ((type_, as_json) for type_ in ("application/csp-report", "application/reports+json", "text/ping"))
    yield from ((type_, as_json) for type_ in ("application/json-patch+json", "application/jsonp", "*/*", "json"))
    yield "text/plain", as_field
    yield "application/x-www-form-urlencoded", urlencode(parameters).encode()
    yield "application/x-www-form-urlencoded", as_json
    yield "application/graphql", query.encode()
    operations = {"operations": as_json.decode(), "map": "{}"}
    for fields in (parameters, operations):
        yield "multipart/form-data; boundary=limit", multipart(fields)


def multipart(fields: dict[str, str]) -> bytes:
    parts = [f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields]
    return ("".join(parts) + "--limit--\r\n").encode()


def check_refusal(response: httpx.Response, *statuses: int) -> None:
    """Check that *response* has a refusal that another site's page can't read, and sets no cookie."""
    assert response.status_code in statuses, response.text
    assert not any(name.startswith("access-control-allow-origin") for name in response.headers)
    assert "set-cookie" not in response.headers


async def test_mutation_in_another_type_than_json_is_not_executed(portal: Portal, database_url: str) -> None:
    """A POST in a type other than JSON, as a form of another site sends it, is not executed."""
    sent = await mutations(portal)
    before = await dump(database_url)
    for name, (query, variables) in sent.items():
        for content_type, body in simple_bodies(query, variables):
            headers = CROSS_SITE | ({} if content_type is None else {"Content-Type": content_type})
            check_refusal(await portal.http.post("/graphql", content=body, headers=headers), 415)
        assert await dump(database_url) == before, name
    for name, (query, variables) in sent.items():
        await portal.call(query, variables)
        after = await dump(database_url)
        assert (after != before) is (name in CHANGING), name
        before = after


OVERRIDES: tuple[dict[str, str], ...] = (
    {},
    {"X-HTTP-Method-Override": "POST", "X-HTTP-Method": "POST", "X-Method-Override": "POST"},
)


async def test_mutation_in_a_url_is_not_executed(portal: Portal, database_url: str) -> None:
    """A mutation in a URL is not executed by any method, beside a query, or with a method override."""
    sent = await mutations(portal)
    before = await dump(database_url)
    for name, (query, variables) in sent.items():
        parameters = {"query": query, "variables": json.dumps(variables)}
        both = {
            "query": f"query Harmless {{ __typename }} {query.replace('mutation (', 'mutation Harmful (')}",
            "variables": json.dumps(variables),
            "operationName": "Harmful",
        }
        for headers in (CROSS_SITE | override for override in OVERRIDES):
            for asked in (parameters, parameters | {"_method": "POST"}, both):
                check_refusal(await portal.http.get("/graphql", params=asked, headers=headers), 405)
                check_refusal(await portal.http.head("/graphql", params=asked, headers=headers), 405)
                check_refusal(await portal.http.post("/graphql", params=asked, headers=headers), 415)
                as_json = headers | {"Content-Type": "application/json"}
                for body in (b"", b"{}"):
                    response = await portal.http.post("/graphql", params=asked, headers=as_json, content=body)
                    assert response.status_code == 400
                body = json.dumps({"query": query, "variables": variables}).encode()
                response = await portal.http.request("GET", "/graphql", headers=as_json, content=body)
                assert response.status_code == 400
        assert await dump(database_url) == before, name


@pytest.mark.parametrize("origin", [ORIGIN, "null", "http://localhost", "https://portal.example.org.elsewhere.example"])
async def test_preflight_of_another_origin_is_refused(
    production: Settings, clock: Clock, captcha: KnownCaptcha, *, database_url: str, origin: str
) -> None:
    """A preflight from another origin gets no permission, for any method, header or cookies."""
    allowed = production.replace(cors_origins=("https://portal.example.org",))
    async with forging(allowed, clock, captcha, {"Origin": origin}) as http:
        before = await dump(database_url)
        for method in ("POST", "GET", "PUT", "DELETE"):
            for asked in ("content-type", "content-type, authorization, x-csrf-token", ""):
                headers = {
                    "Access-Control-Request-Method": method,
                    "Access-Control-Request-Headers": asked,
                    "Access-Control-Request-Private-Network": "true",
                }
                response = await http.options("/graphql", headers=headers)
                check_refusal(response, 400)
                assert "access-control-allow-credentials" not in response.headers
                assert "access-control-allow-private-network" not in response.headers
        assert await dump(database_url) == before


# --- In a real browser ---

TRY_EVERYTHING = """
async ({ url, query, variables }) => {
  const body = JSON.stringify({ query, variables });
  const json = { headers: { "Content-Type": "application/json" } };
  const text = { headers: { "Content-Type": "text/plain" } };
  const said = (answer) => `${answer.type} ${answer.status}`;
  const sent = (options) => fetch(url, { method: "POST", body, ...options }).then(said, () => "refused");
  const results = {
    json: await sent(json),
    jsonWithCookies: await sent({ ...json, credentials: "include" }),
    text: await sent({ ...text, mode: "no-cors" }),
    untyped: await sent({ body: new Blob([body]), mode: "no-cors" }),
    readText: await sent(text),
  };
  navigator.sendBeacon(url, body);
  const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  const image = new Image();
  await new Promise((done) => {
    image.onload = image.onerror = done;
    image.src = `${url}?${parameters}`;
  });
  const made = (name, ...attributes) => Object.assign(document.createElement(name), ...attributes);
  const oneField = { [`${body.slice(0, -1)},"extensions":{"a":"`]: '"}}' };
  for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
    const frame = made("iframe", { name: enctype });
    const form = made("form", { method: "POST", action: url, enctype, target: enctype });
    const fields = enctype === "text/plain" ? oneField : Object.fromEntries(parameters);
    for (const [name, value] of Object.entries(fields)) form.append(made("input", { name, value }));
    document.body.append(frame, form);
    await new Promise((done) => {
      frame.onload = done;
      form.submit();
    });
  }
  return results;
}
"""


async def test_page_of_another_site_changes_nothing_in_a_real_browser(
    browser: Browser, production: Settings, clock: Clock, captcha: KnownCaptcha, database_url: str
) -> None:
    """In a real browser, only a page of an allowed origin can change anything."""
    page_of_somebody = Starlette(routes=[Route("/", HTMLResponse("<!doctype html><title>Somebody's</title><body>"))])
    async with serving(page_of_somebody) as friend, serving(page_of_somebody) as stranger:
        settings = production.replace(cors_origins=(friend,))
        async with serving(build_cheap_app(settings, clock=clock, captcha=captcha)) as url:
            before = await dump(database_url)
            tried = {"url": f"{url}/graphql", "query": CREATE_ACCOUNT, "variables": {"input": form()}}
            results = {}
            for site in (stranger, friend):
                context = await browser.new_context()
                page = await context.new_page()
                await page.goto(site)
                results[site] = await page.evaluate(TRY_EVERYTHING, tried)
                await context.close()
                assert (await dump(database_url) != before) is (site == friend)
    unread = dict.fromkeys(["jsonWithCookies", "text", "untyped"], "refused")
    assert results[stranger] == {"json": "refused", "readText": "refused"} | unread
    assert results[friend] == {"json": "cors 200", "readText": "cors 415"} | unread
    assert len((await dump(database_url))["registration"]) == 1
