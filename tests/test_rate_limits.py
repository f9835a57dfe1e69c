"""Limits count calls, by network and by address."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api.limits.networks import network_of
from api.limits.table import DEFAULT_LIMITS, MAX_MAILBOX_SECONDS, parse_limits
from api.settings.environment import Settings
from models.retention import FINISHED_MESSAGES_KEPT
from tests.support.applications import build_cheap_app
from tests.support.client import (
    ACTIVATE_ACCOUNT,
    CHECK_PASSWORD,
    CREATE_ACCOUNT,
    FIND_ORGANISATION,
    FIND_ORGANISATIONS,
    INSPECT_ACTIVATION_LINK,
    RENEW_CAPTCHA,
    RESEND_ACTIVATION_MAIL,
    SIRET,
    VERIFY_CAPTCHA,
    Answer,
    client_of,
    form,
    new_key,
)
from tests.support.databases import sqlite_only
from tests.support.doubles import KnownCaptcha
from tests.support.stopwatch import Stopwatch

pytestmark = pytest.mark.anyio

HOUR = 3600
NOWHERE = "00000000-0000-4000-8000-000000000000"
IDENTIFIER = {"type": "SIRET", "value": SIRET}


# --- The table ---


def described(setting: str) -> dict[str, str] | None:
    """Return the table for *setting*, in words."""
    limits = parse_limits(setting)
    return None if limits is None else {name: str(limit) for name, limit in limits.items()}


@pytest.mark.parametrize("setting", ["on", " ON "])
def test_on_applies_all_default_limits(setting: str) -> None:
    """`on` applies the default limits to all calls."""
    assert set(described(setting) or ()) == set(DEFAULT_LIMITS)


@pytest.mark.parametrize("setting", ["off", " Off"])
def test_off_limits_nothing(setting: str) -> None:
    """`off` limits nothing."""
    assert parse_limits(setting) is None


@pytest.mark.parametrize(
    ("setting", "changed"),
    [
        ("organisation=100000/minute", {"organisation": "100000 per 1 minute"}),
        (
            " mailbox = 3 per day ,checkPassword=1/second",
            {"mailbox": "3 per 1 day", "checkPassword": "1 per 1 second"},
        ),
        ("createAccount=5/2 hours", {"createAccount": "5 per 2 hour"}),
        (
            "organisation@203.0.113.0/24 = 9/minute, organisation@2001:db8::/48=8/minute",
            {"organisation@203.0.113.0/24": "9 per 1 minute", "organisation@2001:db8::/48": "8 per 1 minute"},
        ),
        ("createAccount@203.0.113.7=100/hour", {"createAccount@203.0.113.7/32": "100 per 1 hour"}),
    ],
)
def test_a_change_affects_the_named_limit_only(setting: str, changed: dict[str, str]) -> None:
    """A change affects the limit that it names, and no other."""
    assert described(setting) == (described("on") or {}) | changed


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("organisations=1/minute", "'organisations'"),
        ("", "''"),
        ("yes", "'yes'"),
        ("organisation=1/minute,", "''"),
        ("organisation", "organisation: ''"),
        ("organisation=", "organisation: ''"),
        ("organisation=many", "organisation: 'many'"),
        ("organisation=1/fortnight", "organisation: '1/fortnight'"),
        ("on,organisation=1/minute", "'on'"),
        ("organisation@=1/minute", "''"),
        ("organisation@everywhere=1/minute", "'everywhere'"),
        ("organisation@203.0.113.7/24=1/minute", "203.0.113.7/24 has host bits set"),
        ("organisation@2001:db8::7=1/minute", "2001:db8::7"),
        ("organisation@203.0.113.0/24=many", "organisation@203.0.113.0/24: 'many'"),
        ("mailbox@203.0.113.0/24=1/minute", "mailbox"),
        ("createAccountAddress@203.0.113.0/24=1/hour", "createAccountAddress"),
    ],
)
def test_message_names_the_wrong_limit(setting: str, named: str) -> None:
    """The message names the wrong limit."""
    with pytest.raises(ValueError, match=r"not one of|not like|does not appear|host bits|by /64|no limit by") as wrong:
        parse_limits(setting)
    assert named in str(wrong.value)


def test_mailbox_limit_fits_the_retention_of_messages() -> None:
    """The longest window of the mailbox limit is the time for which sent messages are kept."""
    assert timedelta(seconds=MAX_MAILBOX_SECONDS) == FINISHED_MESSAGES_KEPT
    assert "mailbox" in (parse_limits("mailbox=50/7 days") or {})
    with pytest.raises(ValueError, match=r"^mailbox: '50/8 days' counts for longer"):
        parse_limits("mailbox=50/8 days")


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("unix:", "unknown"),
        ("203.0.113.7, 10.0.0.1", "unknown"),
    ],
)
def test_ipv6_addresses_are_counted_by_subscriber(client: str | None, network: str) -> None:
    """An IPv4 address counts by itself, an IPv6 address by its /64, since a subscriber has 2⁶⁴ of them."""
    assert network_of(client) == network


# --- Each call ---

Opened = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def opened(settings: Settings, captcha: KnownCaptcha) -> Opened:
    """Open a client of an application with limits: `opened("organisation=1/hour", address=…)`."""

    def open_(limits: str, *, address: str = "192.0.2.1", **changes: Any) -> AbstractAsyncContextManager[Any]:
        app = build_cheap_app(settings.replace(rate_limits=limits, **changes), captcha=captcha)
        return client_of(app, address)

    return open_


async def call(client: httpx.AsyncClient, query: str, variables: Answer, **headers: str) -> Answer:
    body = {"query": query, "variables": variables}
    answer = (await client.post("/graphql", json=body, headers=headers)).json()
    assert "errors" not in answer, answer
    (value,) = answer["data"].values()
    assert isinstance(value, dict)
    return value


async def is_refused(client: httpx.AsyncClient, **headers: str) -> bool:
    """Return whether a look-up is refused."""
    found = await call(client, FIND_ORGANISATION, {"identifier": IDENTIFIER}, **headers)
    return bool(found["__typename"] == "TooManyRequests")


ENTERED_PASSWORD = {"token": "t", "password": "p", "passwordConfirmation": "p"}
LIMITED: list[tuple[str, str, Answer]] = [
    ("organisation", FIND_ORGANISATION, {"identifier": IDENTIFIER}),
    ("organisation", FIND_ORGANISATIONS, {"identifiers": [IDENTIFIER]}),
    ("createAccount", CREATE_ACCOUNT, {"input": form()}),
    ("createAccount", CREATE_ACCOUNT, {"input": form(firstName="")}),
    ("createAccountKey", CREATE_ACCOUNT, {"input": form(idempotencyKey=NOWHERE)}),
    ("createAccountAddress", CREATE_ACCOUNT, {"input": form()}),
    ("renewCaptcha", RENEW_CAPTCHA, {"registrationId": NOWHERE}),
    ("verifyCaptcha", VERIFY_CAPTCHA, {"input": {"registrationId": NOWHERE, "answer": "1"}}),
    ("resendActivationMail", RESEND_ACTIVATION_MAIL, {"email": "camille@exemple.fr"}),
    ("resendActivationMail", RESEND_ACTIVATION_MAIL, {"email": "no address"}),
    ("resendActivationMailAddress", RESEND_ACTIVATION_MAIL, {"email": "camille@exemple.fr"}),
    ("inspectActivationLink", INSPECT_ACTIVATION_LINK, {"token": "t"}),
    ("checkPassword", CHECK_PASSWORD, {"input": {"password": "p"}}),
    ("activateAccount", ACTIVATE_ACCOUNT, {"input": ENTERED_PASSWORD}),
]


def test_every_limit_of_a_call_is_tested() -> None:
    """A new limit of the table fails here until it is tested."""
    assert {name for name, _, _ in LIMITED} == set(DEFAULT_LIMITS) - {"mailbox", "introspection"}


@sqlite_only
@pytest.mark.parametrize(("name", "query", "variables"), LIMITED)
async def test_call_over_the_limit_is_refused(
    opened: Opened, stopwatch: Stopwatch, *, name: str, query: str, variables: Answer
) -> None:
    """Each call has a limit. Over it, the answer says when to come again, and that call then passes."""
    async with opened(f"{name}=2/hour") as client:
        for _ in range(2):
            assert (await call(client, query, variables))["__typename"] != "TooManyRequests"
        stopwatch.now += 600.5
        refused = await call(client, query, variables, **{"Accept-Language": "en"})
        assert refused["__typename"] == "TooManyRequests"
        assert refused["code"] == "TOO_MANY_REQUESTS"
        assert refused["retryAfterSeconds"] == HOUR - 600
        assert refused["message"] == "Too many requests. Try again in 3,000 seconds."
        stopwatch.now += HOUR - 601
        assert (await call(client, query, variables))["__typename"] == "TooManyRequests"
        stopwatch.now += 1
        assert (await call(client, query, variables))["__typename"] != "TooManyRequests"


@sqlite_only
@pytest.mark.parametrize(
    ("limit", "language", "message"),
    [
        ("1/hour", "fr", "Trop de demandes. Réessayez dans 3\u202f600 secondes."),
        ("1/second", "fr", "Trop de demandes. Réessayez dans 1 seconde."),
        ("1/hour", "en", "Too many requests. Try again in 3,600 seconds."),
        ("1/second", "en", "Too many requests. Try again in 1 second."),
    ],
)
@pytest.mark.parametrize("by_argument", [False, True])
async def test_refusal_is_in_the_callers_language(
    opened: Opened, stopwatch: Stopwatch, *, limit: str, language: str, message: str, by_argument: bool
) -> None:
    """The message gives the time to wait in the caller's language, with the right plural."""
    variables: Answer = {"identifier": IDENTIFIER}
    headers = {"Accept-Language": language}
    if by_argument:
        variables["language"] = language.upper()
        headers = {"Accept-Language": "fr" if language == "en" else "en"}
    async with opened(f"organisation={limit}") as client:
        await call(client, FIND_ORGANISATION, variables, **headers)
        assert (await call(client, FIND_ORGANISATION, variables, **headers))["message"] == message


@sqlite_only
async def test_without_limits_nothing_is_refused(opened: Opened) -> None:
    """`off` refuses nothing."""
    async with opened("off") as client:
        assert [await is_refused(client) for _ in range(5)] == [False] * 5


# --- Counting ---


def aliases(count: int) -> str:
    fields = (f"a{n}: organisation(identifier: {{type: SIRET, value: {SIRET!r}}})" for n in range(count))
    return "{" + " ".join(f"{field} {{ __typename }}" for field in fields).replace("'", '"') + "}"


@sqlite_only
async def test_each_alias_is_a_call(opened: Opened) -> None:
    """Ten aliases in one request are ten calls."""
    async with opened("organisation=15/hour") as client:
        for expected in ({"OrganisationNotFound": 10}, {"OrganisationNotFound": 5, "TooManyRequests": 5}):
            answer = (await client.post("/graphql", json={"query": aliases(10)})).json()
            names = [value["__typename"] for value in answer["data"].values()]
            assert {name: names.count(name) for name in names} == expected


@sqlite_only
@pytest.mark.parametrize(("first", "second", "refused"), [(60, 40, False), (60, 41, True), (100, 1, True)])
async def test_each_identifier_is_a_call(opened: Opened, first: int, second: int, refused: bool) -> None:
    """A list of identifiers counts as one look-up for each, duplicates too, from the same limit as single look-ups."""
    async with opened("organisation=100/hour") as client:
        found = await call(client, FIND_ORGANISATIONS, {"identifiers": [IDENTIFIER] * first})
        assert found["__typename"] == "OrganisationList"
        found = await call(client, FIND_ORGANISATIONS, {"identifiers": [IDENTIFIER] * second})
        assert found["__typename"] == ("TooManyRequests" if refused else "OrganisationList")
        assert await is_refused(client)


@sqlite_only
@pytest.mark.parametrize(("count", "counted"), [(0, 1), (101, 100), (250, 100)])
async def test_too_long_list_counts_as_the_longest_allowed(opened: Opened, count: int, counted: int) -> None:
    """A list that is too long counts as the longest allowed, an empty one as one look-up."""
    async with opened(f"organisation={counted + 1}/hour") as client:
        await call(client, FIND_ORGANISATIONS, {"identifiers": [IDENTIFIER] * count})
        assert [await is_refused(client) for _ in range(2)] == [False, True]


INTROSPECTION = (
    "{ __schema { queryType { name } } }",
    '{ ...F } fragment F on Query { a: __type(name: "Query") { name } }',
)


@sqlite_only
@pytest.mark.parametrize("query", INTROSPECTION)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_introspection_over_the_limit_is_refused(
    opened: Opened, stopwatch: Stopwatch, *, query: str, method: str
) -> None:
    """A network over its limit of introspection gets a 429 by either method, and the time to wait."""
    asked: Answer = {"params": {"query": query}} if method == "GET" else {"json": {"query": query}}
    async with opened("introspection=2/hour") as client:
        for _ in range(2):
            assert (await client.request(method, "/graphql", **asked)).json()["data"]
        stopwatch.now += 600.5
        refused = await client.request(method, "/graphql", **asked)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, str(HOUR - 600))
        assert [error["extensions"]["code"] for error in refused.json()["errors"]] == ["LIMIT_EXCEEDED"]
        assert (await client.post("/graphql", json={"query": "{ __typename }"})).json()["data"]
        stopwatch.now += HOUR - 600
        assert (await client.request(method, "/graphql", **asked)).json()["data"]


@sqlite_only
async def test_repeated_request_with_a_key_counts_as_a_renewal(opened: Opened) -> None:
    """A request repeated with its idempotency key counts as a renewed captcha."""
    async with opened("createAccount=1/hour, createAccountAddress=1/hour, renewCaptcha=2/hour") as client:
        variables = {"input": form(idempotencyKey=new_key())}
        names = [(await call(client, CREATE_ACCOUNT, variables))["__typename"] for _ in range(4)]
        assert names == ["PendingRegistration"] * 3 + ["TooManyRequests"]
        other = await call(client, CREATE_ACCOUNT, {"input": form(email="autre@exemple.fr")})
        assert other["__typename"] == "TooManyRequests"


@sqlite_only
@pytest.mark.parametrize(
    ("query", "variables", "limits"),
    [
        (CREATE_ACCOUNT, lambda email: {"input": form(email=email)}, "createAccountAddress=1/hour"),
        (RESEND_ACTIVATION_MAIL, lambda email: {"email": email}, "resendActivationMailAddress=1/hour"),
    ],
)
async def test_all_spellings_of_an_address_share_one_limit(
    opened: Opened, query: str, variables: Callable[[str], Answer], limits: str
) -> None:
    """All spellings of an address share one limit. No other address shares it."""
    async with opened(limits) as client:
        assert (await call(client, query, variables("camille@exemple.fr")))["__typename"] != "TooManyRequests"
        assert (await call(client, query, variables(" CAMILLE@Exemple.FR ")))["__typename"] == "TooManyRequests"
        assert (await call(client, query, variables("dominique@exemple.fr")))["__typename"] != "TooManyRequests"


# --- Networks and addresses ---


def forwarded(addresses: str) -> dict[str, str]:
    return {"X-Forwarded-For": addresses}


TRUSTED = {"trusted_proxies": "10.0.0.0/8, 2001:db8:ffff::1"}


@sqlite_only
async def test_stranger_can_not_use_up_a_persons_limit(opened: Opened) -> None:
    """The limit of an address counts separately for each network."""
    async with opened("resendActivationMailAddress=1/hour", address="10.0.0.1", **TRUSTED) as client:

        async def resend(network: str) -> str:
            typed = {"email": "camille@exemple.fr"}
            return str((await call(client, RESEND_ACTIVATION_MAIL, typed, **forwarded(network)))["__typename"])

        assert [await resend("203.0.113.66") for _ in range(2)] == ["ActivationMailRequested", "TooManyRequests"]
        assert await resend("198.51.100.1") == "ActivationMailRequested"


@sqlite_only
@pytest.mark.parametrize(
    ("peer", "trusted", "first", "second", "together"),
    [
        # No proxy is trusted: the header is the caller's own claim.
        ("203.0.113.7", "", "198.51.100.1", "198.51.100.2", True),
        ("127.0.0.1", "", "198.51.100.1", "198.51.100.2", True),
        # The peer is not a trusted one.
        ("203.0.113.7", "10.0.0.0/8", "198.51.100.1", "198.51.100.2", True),
        ("203.0.113.7", "10.0.0.0/8", "10.0.0.1", "10.0.0.2", True),
        # A trusted peer names the caller.
        ("10.0.0.1", "10.0.0.0/8", "198.51.100.1", "198.51.100.2", False),
        ("10.0.0.1", "10.0.0.1", "198.51.100.1", "198.51.100.1", True),
        ("2001:db8::1", "2001:db8::/64", "198.51.100.1", "198.51.100.2", False),
        # The rightmost untrusted address counts. Those before it are the caller's own claim.
        ("10.0.0.1", "10.0.0.0/8", "198.51.100.1, 203.0.113.7", "198.51.100.2, 203.0.113.7", True),
        ("10.0.0.1", "10.0.0.0/8", "198.51.100.1, 10.0.0.2", "198.51.100.2,10.0.0.3", False),
        ("10.0.0.1", "10.0.0.0/8", "203.0.113.7", "198.51.100.1, 203.0.113.7, 10.9.9.9", True),
        # Addresses with ports, in IPv6, and malformed ones.
        ("10.0.0.1", "10.0.0.0/8", "198.51.100.1:1234", "198.51.100.1:5678", True),
        ("10.0.0.1", "10.0.0.0/8", "2001:db8:1:2::1", "2001:db8:1:2::2", True),
        ("10.0.0.1", "10.0.0.0/8", "2001:db8:1:2::1", "[2001:db8:1:2::9]:443", True),
        ("10.0.0.1", "10.0.0.0/8", "2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("10.0.0.1", "10.0.0.0/8", "198.51.100.1", "::ffff:198.51.100.1", True),
        ("10.0.0.1", "10.0.0.0/8", "nonsense", "other nonsense", True),
    ],
)
async def test_forwarded_address_counts_from_trusted_proxies_only(
    opened: Opened, *, peer: str, trusted: str, first: str, second: str, together: bool
) -> None:
    """A trusted proxy names the caller's network. Callers themselves can't."""
    async with opened("organisation=1/hour", address=peer, trusted_proxies=trusted) as client:
        assert not await is_refused(client, **forwarded(first))
        assert await is_refused(client, **forwarded(second)) is together


@sqlite_only
async def test_network_with_its_own_limit_shares_it(opened: Opened) -> None:
    """All addresses of a network share its own limit. The smallest matching network counts."""
    limits = "organisation=1/hour, organisation@203.0.113.0/24=3/hour, organisation@203.0.113.64/26=2/hour"
    calls = [
        ("203.0.113.1", False),
        ("203.0.113.2", False),
        ("203.0.113.64", False),  # A network within the network is counted separately.
        ("203.0.113.65", False),
        ("203.0.113.66", True),
        ("203.0.113.3", False),
        ("203.0.113.1", True),
        ("203.0.114.1", False),  # All other addresses are counted one by one.
        ("203.0.114.1", True),
        ("203.0.114.2", False),
        ("2001:db8::1", False),
        ("2001:db8::2", True),
    ]
    async with opened(limits, address="10.0.0.1", trusted_proxies="10.0.0.0/8") as client:
        for address, refused in calls:
            assert await is_refused(client, **forwarded(address)) is refused, address


@sqlite_only
async def test_own_limit_of_an_ipv6_network_is_shared(opened: Opened) -> None:
    """All /64 of a /48 share the limit of that /48."""
    limits = "organisation=1/hour, organisation@2001:db8:7::/48=3/hour"
    async with opened(limits, address="10.0.0.1", trusted_proxies="10.0.0.0/8") as client:
        asked = [await is_refused(client, **forwarded(f"2001:db8:7:{number}::1")) for number in range(4)]
    assert asked == [False, False, False, True]
