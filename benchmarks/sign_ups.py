"""Complete sign-ups a second, with argon2 listed apart, and the memory of the server after thousands of them."""

from __future__ import annotations

import asyncio
import mailbox
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import httpx
import psutil
from argon2 import PasswordHasher

from benchmarks.servers import memory_megabytes, postgres, service, settled_cpu

T = TypeVar("T")
Tokens: TypeAlias = dict[str, asyncio.Future[str]]
"""The token of each address, which comes with the mail."""

CONCURRENT = 8
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
class SignUps:
    """The cost of *number* sign-ups: seconds in total, milliseconds of CPU each, megabytes of memory.

    CPU and memory are those of the service and its relay.
    """

    number: int
    seconds: float
    cpu: float
    cpu_of_argon2: float
    memory_before: float
    memory_after: float

    @property
    def share_of_the_rest(self) -> float:
        """All but argon2id, in relation to one hash."""
        return self.cpu / self.cpu_of_argon2 - 1


def measure(folder: Path, number: int) -> SignUps:
    """Walk *number* people through the whole sign-up, mails included, a few at once."""
    open_doors = {"GUICHET_RATE_LIMITS": "off", "GUICHET_CAPTCHA": f"fixed:{ANSWER}"}
    with postgres(folder) as url, service(url, folder, **open_doors) as (process, port):
        cpu, started = settled_cpu(process), time.perf_counter()
        memory_before = memory_megabytes(process)
        asyncio.run(_walk(port, folder / "mailbox", number, _sign_up_and_activate))
        seconds = time.perf_counter() - started
        cpu = settled_cpu(process) - cpu
        memory_after = memory_megabytes(process)
    return SignUps(number, seconds, cpu / number * 1e3, _cpu_of_a_hash(), memory_before, memory_after)


def _cpu_of_a_hash() -> float:
    """Return the milliseconds of CPU of one argon2id hash, with the parameters of the service."""
    hasher, process = PasswordHasher(), psutil.Process()
    before = sum(process.cpu_times()[:2])
    for _ in range(HASHES):
        hasher.hash(PASSWORD)
    return (sum(process.cpu_times()[:2]) - before) / HASHES * 1e3


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
