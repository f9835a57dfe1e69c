"""Complete sign-ups a second, their CPU beside that of one hash, and the memory of the server after thousands of them.

Everything that production does is done: limits are counted, the picture is drawn, both mails are composed and
delivered. Only the captcha's answer is fixed.
"""

from __future__ import annotations

import asyncio
import mailbox
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import httpx
import psutil
from argon2 import PasswordHasher

from api.limits.table import DEFAULT_LIMITS
from benchmarks.servers import cpu_seconds, family, memory_megabytes, postgres, service

T = TypeVar("T")
Tokens: TypeAlias = dict[str, asyncio.Future[str]]
"""The token of each address, which comes with the mail."""

CONCURRENT = 8
WARM_UP = 20
HASHES = 20
PASSWORD = "Soleil-Brumeux-42"  # noqa: S105
ANSWER = "ABC123"
TOKEN = re.compile(rb"#token=3D([\w=\r\n-]+?)\r?\n\r?\n")

CREATE_ACCOUNT = """
mutation ($input: CreateAccountInput!) {
  createAccount(input: $input) { ... on PendingRegistration { id captcha { image } } ... on Problem { code } }
}
"""
VERIFY_CAPTCHA = """
mutation ($input: VerifyCaptchaInput!) { verifyCaptcha(input: $input) { __typename } }
"""
ACTIVATE_ACCOUNT = """
mutation ($input: ActivateAccountInput!) { activateAccount(input: $input) { __typename } }
"""


@dataclass(frozen=True, slots=True)
class Hash:
    """Milliseconds of CPU of one hash: all of it, and the part in the thread that asks for it."""

    cpu: float
    in_calling_thread: float


@dataclass(frozen=True, slots=True)
class SignUps:
    """The cost of *number* sign-ups: seconds in total, milliseconds of CPU each, megabytes of memory.

    *cpu* is that of server and relay together; *rest* is all of it but argon2.
    """

    number: int
    seconds: float
    cpu: float
    rest: float
    hash: Hash
    memory_before: float
    memory_after: float

    @property
    def ratio(self) -> float:
        """The CPU of all but argon2, to that of one hash."""
        return self.rest / self.hash.cpu


def measure(folder: Path, number: int) -> SignUps:
    """Walk *number* people through the whole sign-up, mails included, a few at once."""
    settings = {
        "GUICHET_RATE_LIMITS": ",".join(f"{name}=1000000/hour" for name in DEFAULT_LIMITS),
        "GUICHET_CAPTCHA": f"fixed:{ANSWER}",
    }
    with postgres(folder) as url, service(url, folder, **settings) as (server, port):
        asyncio.run(_walk(port, folder / "mailbox", WARM_UP, _sign_up_and_activate))
        processes = family(server)
        memory_before = memory_megabytes(server)
        cpu, rest, started = cpu_seconds(server), _cpu_of_living_threads(processes), time.perf_counter()
        asyncio.run(_walk(port, folder / "mailbox", number, _sign_up_and_activate))
        seconds = time.perf_counter() - started
        cpu, rest = cpu_seconds(server) - cpu, _cpu_of_living_threads(processes) - rest
        memory_after = memory_megabytes(server)
    each = _measure_hash()
    rest = rest / number * 1e3 - each.in_calling_thread
    return SignUps(number, seconds, cpu / number * 1e3, rest, each, memory_before, memory_after)


def _cpu_of_living_threads(processes: Iterable[psutil.Process]) -> float:
    """Return the seconds of threads that have not ended. argon2 works in threads of its own that end with the hash."""
    return sum(thread.user_time + thread.system_time for process in processes for thread in process.threads())


def _measure_hash() -> Hash:
    """Measure an argon2id hash, with the parameters of the service."""
    hasher = PasswordHasher()
    all_before, thread_before = time.process_time(), time.thread_time()
    for _ in range(HASHES):
        hasher.hash(PASSWORD)
    return Hash(
        cpu=(time.process_time() - all_before) / HASHES * 1e3,
        in_calling_thread=(time.thread_time() - thread_before) / HASHES * 1e3,
    )


async def collect_tokens(port: int, folder: Path, number: int) -> list[str]:
    """Walk *number* people up to their mails, a few at once. Return the tokens of their activation links."""
    return await _walk(port, folder, number, _sign_up)


async def activate(http: httpx.AsyncClient, token: str) -> None:
    """Activate the account of *token*. Fail if it is refused."""
    passwords = {"password": PASSWORD, "passwordConfirmation": PASSWORD}
    activated = await _call(http, ACTIVATE_ACCOUNT, {"token": token} | passwords)
    assert activated["__typename"] == "AccountActivated"


async def _walk(
    port: int, folder: Path, number: int, walk: Callable[[httpx.AsyncClient, str, Tokens], Awaitable[T]]
) -> list[T]:
    people, run = iter(range(number)), secrets.token_hex(4)
    tokens: Tokens = {}
    results: dict[int, T] = {}
    postman = asyncio.create_task(_hand_out(folder, tokens))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:

        async def walk_in_turn() -> None:
            for person in people:
                results[person] = await walk(http, f"person-{person}-{run}@example.org", tokens)

        await asyncio.gather(*(walk_in_turn() for _ in range(CONCURRENT)))
    postman.cancel()
    return list(results.values())


async def _sign_up_and_activate(http: httpx.AsyncClient, email: str, tokens: Tokens) -> None:
    await activate(http, await _sign_up(http, email, tokens))


async def _sign_up(http: httpx.AsyncClient, email: str, tokens: Tokens) -> str:
    token: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    tokens[email] = token
    registration = await _call(http, CREATE_ACCOUNT, form(email))
    await _call(http, VERIFY_CAPTCHA, {"registrationId": registration["id"], "answer": ANSWER})
    return await token


def form(email: str) -> dict[str, object]:
    """Return the form of a person with this address."""
    return {
        "email": email,
        "emailConfirmation": email,
        "firstName": "Camille",
        "lastName": "Durand",
        "acceptTerms": True,
        "organisation": {"identifier": {"type": "AUTRE", "value": "EN-COURS"}, "name": "Exemple SA"},
    }


async def _call(http: httpx.AsyncClient, query: str, entered: Mapping[str, object]) -> dict[str, str]:
    response = await http.post("/graphql", json={"query": query, "variables": {"input": entered}})
    (value,) = response.json()["data"].values()
    assert isinstance(value, dict)
    return value


async def _hand_out(folder: Path, tokens: Tokens) -> None:
    """Read mails as they arrive, and give each person their token."""
    while True:
        await asyncio.sleep(0.02)
        if not (folder / "new").is_dir():
            continue
        for file in sorted((folder / "new").iterdir()):
            mail = mailbox.MaildirMessage(file.read_bytes())
            if match := TOKEN.search(file.read_bytes()):
                token = re.sub(rb"=\r?\n", b"", match[1]).decode()
                if waiting := tokens.get(str(mail["To"])):  # A database that was kept may have mails of its last run.
                    waiting.set_result(token)
            file.unlink()
