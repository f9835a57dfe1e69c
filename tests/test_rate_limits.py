"""Limits count calls, by network and by address; a storage that fails opens no door."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from limits.aio.storage import Storage
from limits.errors import StorageError
from pydantic import SecretStr

from api import rate_limits
from api.app import build_app
from api.rate_limits import (
    DEFAULT_LIMITS,
    RETRY_WHEN_STORAGE_FAILS_SECONDS,
    SWEEP_SECONDS,
    MemoryStorage,
    RateLimits,
    network_of,
    open_storage,
    parse_limits,
)
from api.refusals import TooManyRequests
from api.settings import Settings
from tests.client import (
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
from tests.conftest import KnownCaptcha, sqlite_only
from tests.ports import free_port

pytestmark = pytest.mark.anyio

HOUR = 3600
NOWHERE = "00000000-0000-4000-8000-000000000000"
IDENTIFIER = {"type": "SIRET", "value": SIRET}


class Stopwatch:
    """The time of the limits, which stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    stopwatch = Stopwatch()
    monkeypatch.setattr(rate_limits, "time", stopwatch)
    return stopwatch


# --- The table ---


def described(setting: str) -> dict[str, str] | None:
    """The table that *setting* asks for, in words."""
    limits = parse_limits(setting)
    return None if limits is None else {name: str(limit) for name, limit in limits.items()}


@pytest.mark.parametrize("setting", ["on", " ON "])
def test_on_is_the_whole_table(setting: str) -> None:
    """`on` limits every call that there is a limit for."""
    assert set(described(setting) or ()) == set(DEFAULT_LIMITS)


@pytest.mark.parametrize("setting", ["off", " Off"])
def test_off_is_no_limit(setting: str) -> None:
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
def test_changes_are_made_by_name(setting: str, changed: dict[str, str]) -> None:
    """A change touches what it names, and the rest of the table stands."""
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
def test_wrong_changes_are_named(setting: str, named: str) -> None:
    """Who misspells a limit learns which."""
    with pytest.raises(ValueError, match=r"not one of|not like|does not appear|host bits|by /64|no limit by") as wrong:
        parse_limits(setting)
    assert named in str(wrong.value)


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
def test_network_is_what_one_subscriber_has(client: str | None, network: str) -> None:
    """An IPv4 address counts for itself, an IPv6 address for its /64, of which everybody has 2⁶⁴."""
    assert network_of(client) == network


# --- Each call ---

Opened = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def opened(settings: Settings, captcha: KnownCaptcha) -> Opened:
    """Opens a client of an application with limits: `opened("organisation=1/hour", address=…)`."""

    def open_(limits: str, *, address: str = "192.0.2.1", **changes: Any) -> AbstractAsyncContextManager[Any]:
        app = build_app(settings.model_copy(update={"rate_limits": limits} | changes), captcha=captcha)
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
    """Whether a look-up is one too many."""
    found = await call(client, FIND_ORGANISATION, {"identifier": IDENTIFIER}, **headers)
    return bool(found["__typename"] == "TooManyRequests")


TYPED_PASSWORD = {"token": "t", "password": "p", "passwordConfirmation": "p"}
LIMITED: list[tuple[str, str, Answer]] = [
    ("organisation", FIND_ORGANISATION, {"identifier": IDENTIFIER}),
    ("organisation", FIND_ORGANISATIONS, {"identifiers": [IDENTIFIER]}),
    ("createAccount", CREATE_ACCOUNT, {"input": form()}),
    ("createAccount", CREATE_ACCOUNT, {"input": form(firstName="")}),
    ("createAccountAddress", CREATE_ACCOUNT, {"input": form()}),
    ("renewCaptcha", RENEW_CAPTCHA, {"registrationId": NOWHERE}),
    ("verifyCaptcha", VERIFY_CAPTCHA, {"input": {"registrationId": NOWHERE, "answer": "1"}}),
    ("resendActivationMail", RESEND_ACTIVATION_MAIL, {"email": "camille@exemple.fr"}),
    ("resendActivationMail", RESEND_ACTIVATION_MAIL, {"email": "no address"}),
    ("resendActivationMailAddress", RESEND_ACTIVATION_MAIL, {"email": "camille@exemple.fr"}),
    ("inspectActivationLink", INSPECT_ACTIVATION_LINK, {"token": "t"}),
    ("checkPassword", CHECK_PASSWORD, {"input": {"password": "p"}}),
    ("activateAccount", ACTIVATE_ACCOUNT, {"input": TYPED_PASSWORD}),
]


def test_every_limit_of_a_call_is_tested() -> None:
    """A limit that is new in the table is missed here until it is tested."""
    assert {name for name, _, _ in LIMITED} == set(DEFAULT_LIMITS) - {"mailbox"}


@sqlite_only
@pytest.mark.parametrize(("name", "query", "variables"), LIMITED)
async def test_call_too_many_is_refused(
    opened: Opened, stopwatch: Stopwatch, *, name: str, query: str, variables: Answer
) -> None:
    """Each call has its limit; over it, the answer says when to come again, and then it passes."""
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
    """The message says in the caller's language how long to wait, in the right number."""
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
    """`off` is off."""
    async with opened("off") as client:
        assert [await is_refused(client) for _ in range(5)] == [False] * 5


# --- What is counted ---


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
    """A list of identifiers counts as many look-ups, duplicates too, from the same budget as single ones."""
    async with opened("organisation=100/hour") as client:
        found = await call(client, FIND_ORGANISATIONS, {"identifiers": [IDENTIFIER] * first})
        assert found["__typename"] == "OrganisationList"
        found = await call(client, FIND_ORGANISATIONS, {"identifiers": [IDENTIFIER] * second})
        assert found["__typename"] == ("TooManyRequests" if refused else "OrganisationList")
        assert await is_refused(client)


@sqlite_only
async def test_repeated_request_is_no_new_account(opened: Opened) -> None:
    """The same request again, under its idempotency key, counts as a renewed captcha."""
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
async def test_address_is_limited_however_it_is_written(
    opened: Opened, query: str, variables: Callable[[str], Answer], limits: str
) -> None:
    """The limit of an address is one for all its spellings, and touches no other address."""
    async with opened(limits) as client:
        assert (await call(client, query, variables("camille@exemple.fr")))["__typename"] != "TooManyRequests"
        assert (await call(client, query, variables(" CAMILLE@Exemple.FR ")))["__typename"] == "TooManyRequests"
        assert (await call(client, query, variables("dominique@exemple.fr")))["__typename"] != "TooManyRequests"


# --- Whose calls are counted together ---


def forwarded(addresses: str) -> dict[str, str]:
    return {"X-Forwarded-For": addresses}


TRUSTED = {"trusted_proxies": ("10.0.0.0/8", "2001:db8:ffff::1")}


@sqlite_only
async def test_stranger_can_not_use_up_a_persons_limit(opened: Opened) -> None:
    """The limit of an address is counted apart for each network."""
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
        # Nobody is trusted: what the header says is the caller's own word.
        ("203.0.113.7", (), "198.51.100.1", "198.51.100.2", True),
        ("127.0.0.1", (), "198.51.100.1", "198.51.100.2", True),
        # The peer is not one of those that are.
        ("203.0.113.7", ("10.0.0.0/8",), "198.51.100.1", "198.51.100.2", True),
        ("203.0.113.7", ("10.0.0.0/8",), "10.0.0.1", "10.0.0.2", True),
        # A trusted peer tells callers apart.
        ("10.0.0.1", ("10.0.0.0/8",), "198.51.100.1", "198.51.100.2", False),
        ("10.0.0.1", ("10.0.0.1",), "198.51.100.1", "198.51.100.1", True),
        ("2001:db8::1", ("2001:db8::/64",), "198.51.100.1", "198.51.100.2", False),
        # Of several, the rightmost that is not trusted counts: what is left of it is the caller's own word.
        ("10.0.0.1", ("10.0.0.0/8",), "198.51.100.1, 203.0.113.7", "198.51.100.2, 203.0.113.7", True),
        ("10.0.0.1", ("10.0.0.0/8",), "198.51.100.1, 10.0.0.2", "198.51.100.2,10.0.0.3", False),
        ("10.0.0.1", ("10.0.0.0/8",), "203.0.113.7", "198.51.100.1, 203.0.113.7, 10.9.9.9", True),
        # With ports, in IPv6, and what is no address.
        ("10.0.0.1", ("10.0.0.0/8",), "198.51.100.1:1234", "198.51.100.1:5678", True),
        ("10.0.0.1", ("10.0.0.0/8",), "2001:db8:1:2::1", "2001:db8:1:2::2", True),
        ("10.0.0.1", ("10.0.0.0/8",), "2001:db8:1:2::1", "[2001:db8:1:2::9]:443", True),
        ("10.0.0.1", ("10.0.0.0/8",), "2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("10.0.0.1", ("10.0.0.0/8",), "198.51.100.1", "::ffff:198.51.100.1", True),
        ("10.0.0.1", ("10.0.0.0/8",), "nonsense", "other nonsense", True),
    ],
)
async def test_forwarded_address_counts_from_trusted_proxies_only(
    opened: Opened, *, peer: str, trusted: tuple[str, ...], first: str, second: str, together: bool
) -> None:
    """Callers are told apart by what a trusted proxy says, and by nothing that they say themselves."""
    async with opened("organisation=1/hour", address=peer, trusted_proxies=trusted) as client:
        assert not await is_refused(client, **forwarded(first))
        assert await is_refused(client, **forwarded(second)) is together


@sqlite_only
async def test_network_with_a_limit_of_its_own_shares_it(opened: Opened) -> None:
    """An integrator's network may ask more than others, all of its addresses together; the smallest network counts."""
    limits = "organisation=1/hour, organisation@203.0.113.0/24=3/hour, organisation@203.0.113.64/26=2/hour"
    calls = [
        ("203.0.113.1", False),
        ("203.0.113.2", False),
        ("203.0.113.64", False),  # A network within the network is counted apart.
        ("203.0.113.65", False),
        ("203.0.113.66", True),
        ("203.0.113.3", False),
        ("203.0.113.1", True),
        ("203.0.114.1", False),  # And so is everybody else, each for themselves.
        ("203.0.114.1", True),
        ("203.0.114.2", False),
        ("2001:db8::1", False),
        ("2001:db8::2", True),
    ]
    async with opened(limits, address="10.0.0.1", trusted_proxies=("10.0.0.0/8",)) as client:
        for address, refused in calls:
            assert await is_refused(client, **forwarded(address)) is refused, address


@sqlite_only
async def test_own_limit_of_an_ipv6_network_is_shared(opened: Opened) -> None:
    """Callers of one /48 share what it was given, whichever /64 of it they come from."""
    limits = "organisation=1/hour, organisation@2001:db8:7::/48=3/hour"
    async with opened(limits, address="10.0.0.1", trusted_proxies=("10.0.0.0/8",)) as client:
        asked = [await is_refused(client, **forwarded(f"2001:db8:7:{number}::1")) for number in range(4)]
    assert asked == [False, False, False, True]


# --- Where counts are kept ---


async def test_memory_forgets_what_has_expired(stopwatch: Stopwatch) -> None:
    """However many callers come, the memory holds those of the last window."""
    storage = MemoryStorage()
    limits = RateLimits(parse_limits("organisation=5/minute"), storage)
    for number in range(1_000):
        await limits.enforce("organisation", str(number))
    assert len(storage._counts) == 1_000
    stopwatch.now += 60 + SWEEP_SECONDS
    await limits.enforce("organisation", "another")
    assert len(storage._counts) == 1


async def test_sweep_spares_what_still_counts(stopwatch: Stopwatch) -> None:
    """Sweeping sets nobody's count back."""
    limits = RateLimits(parse_limits("organisation=2/minute, createAccount=1/hour"), MemoryStorage())
    await limits.enforce("createAccount", "somebody")
    for _ in range(30):
        stopwatch.now += SWEEP_SECONDS
        await limits.enforce("organisation", "somebody else")
        stopwatch.now += 50
    with pytest.raises(TooManyRequests):
        await limits.enforce("createAccount", "somebody")


async def test_memory_keeps_the_contract_of_a_storage(stopwatch: Stopwatch) -> None:
    """Counts can be read, cleared one by one, and reset; what has expired counts as nothing."""
    storage = MemoryStorage()
    assert await storage.check()
    assert await storage.incr("a", 10) == 1
    assert await storage.incr("a", 10, amount=4) == 5
    await storage.incr("b", 10)
    assert await storage.get("a") == 5
    assert await storage.get_expiry("a") == stopwatch.now + 10
    assert await storage.get("nothing") == 0
    assert await storage.get_expiry("nothing") == stopwatch.now
    await storage.clear("a")
    await storage.clear("nothing")
    assert await storage.get("a") == 0
    assert await storage.reset() == 1
    await storage.incr("c", 10)
    stopwatch.now += 10
    assert await storage.get("c") == 0
    assert await storage.incr("c", 10) == 1


async def test_no_key_stands_in_the_clear() -> None:
    """An address that is counted for can't be read in the storage."""
    storage = MemoryStorage()
    limits = RateLimits(parse_limits("on"), storage)
    await limits.enforce("createAccountAddress", "203.0.113.7", "camille@exemple.fr")
    (key,) = storage._counts
    assert "camille" not in key
    assert "203.0.113.7" not in key


class Broken(MemoryStorage):
    """A storage that can't count, or can't tell how long to wait."""

    def __init__(self, *, counts: bool) -> None:
        super().__init__()
        self._counts_all_right = counts

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        if self._counts_all_right:
            return 1_000_000
        raise StorageError(OSError("redis://:Secret-42@counts.example is away"))

    async def get(self, key: str) -> int:
        raise StorageError(OSError("away"))

    async def get_expiry(self, key: str) -> float:
        raise StorageError(OSError("away"))


@pytest.mark.parametrize("counts", [False, True])
async def test_storage_that_fails_lets_nothing_pass(caplog: pytest.LogCaptureFixture, counts: bool) -> None:
    """What can't be counted is refused for a few seconds, and the log says why, without the storage's password."""
    limits = RateLimits(parse_limits("on"), Broken(counts=counts))
    with pytest.raises(TooManyRequests) as refused:
        await limits.enforce("organisation", "somebody")
    assert refused.value.retry_after_seconds == RETRY_WHEN_STORAGE_FAILS_SECONDS
    assert "OSError" in caplog.text
    assert "Secret-42" not in caplog.text


@sqlite_only
async def test_redis_that_is_away_is_an_ordinary_refusal(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    """Without its Redis the service refuses, in GraphQL's own terms, and stays up."""
    url = SecretStr(f"async+redis://:Secret-42@127.0.0.1:{free_port()}")
    async with opened("on", rate_limit_url=url) as client:
        refused = await call(client, FIND_ORGANISATION, {"identifier": IDENTIFIER})
        assert refused["__typename"] == "TooManyRequests"
        assert refused["retryAfterSeconds"] == RETRY_WHEN_STORAGE_FAILS_SECONDS
        assert (await client.get("/health/live")).status_code == 200
    assert "Secret-42" not in caplog.text


async def test_redis_that_is_silent_is_not_awaited_for_ever() -> None:
    """A Redis that takes the connection and says nothing is given up, and nothing passes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"async+redis://127.0.0.1:{server.getsockname()[1]}?socket_timeout=0.1"
        storage = open_storage(url)
        async with asyncio.timeout(10):
            with pytest.raises(TooManyRequests):
                await RateLimits(parse_limits("on"), storage).enforce("organisation", "somebody")


@pytest.mark.parametrize(
    "url", ["", "memory://", "async+memory://x", "redis://localhost", "async+memcached://x", "https://x"]
)
def test_only_storages_that_can_be_used_are_opened(url: str) -> None:
    """A URL that names no storage is refused at start, not at the first call."""
    with pytest.raises(ValueError, match=r"must be async\+memory://"):
        open_storage(url)


@pytest.fixture
def redis_port(tmp_path: Path) -> Iterator[int]:
    """The port of a real Redis."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    options = {"port": port, "bind": "127.0.0.1", "dir": tmp_path, "save": "", "appendonly": "no"}
    command = [binary, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603  # The system's own.
        yield port
        process.terminate()


@pytest.fixture
async def shared_storages(redis_port: int) -> AsyncIterator[list[Storage]]:
    """The storages of two processes at one Redis."""
    storages = [open_storage(f"async+redis://127.0.0.1:{redis_port}") for _ in range(2)]
    async with asyncio.timeout(10):
        while not await storages[0].check():  # noqa: ASYNC110  # Another process can set no event.
            await asyncio.sleep(0.05)
    yield storages
    for storage in storages:
        await storage.bridge.storage.aclose()  # type: ignore[attr-defined]  # Of the Redis storage alone.


async def test_processes_share_their_counts_by_redis(shared_storages: list[Storage]) -> None:
    """What one process has counted, the other knows, and both say how long to wait."""
    one, other = (RateLimits(parse_limits("organisation=10/hour"), storage) for storage in shared_storages)
    await one.enforce("organisation", "somebody", cost=6)
    await other.enforce("organisation", "somebody", cost=4)
    for limits in (one, other):
        with pytest.raises(TooManyRequests) as refused:
            await limits.enforce("organisation", "somebody")
        assert HOUR - 10 <= refused.value.retry_after_seconds <= HOUR
    await other.enforce("organisation", "somebody else")
