"""Complete sign-ups a second, with argon2 listed apart, and the memory of the server after thousands of them."""

from __future__ import annotations

import asyncio
import mailbox
import re
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from argon2 import PasswordHasher

from benchmarks.servers import postgres, service

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
    """The cost of *number* sign-ups: seconds in total, milliseconds of CPU each, megabytes of memory."""

    number: int
    seconds: float
    cpu: float
    cpu_of_argon2: float
    memory_before: float
    memory_after: float


def measure(folder: Path, number: int) -> SignUps:
    """Walk *number* people through the whole sign-up, mails included, a few at once."""
    open_doors = {"GUICHET_RATE_LIMITS": "off", "GUICHET_CAPTCHA": f"fixed:{ANSWER}"}
    with postgres(folder) as url, service(url, folder, **open_doors) as (process, port):
        memory_before = process.memory_info().rss / 1e6
        cpu, started = sum(process.cpu_times()[:2]), time.perf_counter()
        asyncio.run(_walk(port, folder / "mailbox", number))
        seconds = time.perf_counter() - started
        cpu = sum(process.cpu_times()[:2]) - cpu
        memory_after = process.memory_info().rss / 1e6
    return SignUps(number, seconds, cpu / number * 1e3, _cpu_of_a_hash(), memory_before, memory_after)


def _cpu_of_a_hash() -> float:
    """Return the milliseconds of CPU of one argon2id hash, with the parameters of the service."""
    hasher, process = PasswordHasher(), psutil.Process()
    before = sum(process.cpu_times()[:2])
    for _ in range(HASHES):
        hasher.hash(PASSWORD)
    return (sum(process.cpu_times()[:2]) - before) / HASHES * 1e3


async def _walk(port: int, folder: Path, number: int) -> None:
    people = iter(range(number))
    tokens: dict[str, asyncio.Future[str]] = {}
    postman = asyncio.create_task(_hand_out(folder, tokens))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:

        async def walk_in_turn() -> None:
            for person in people:
                await _sign_up(http, f"person-{person}@example.org", tokens)

        await asyncio.gather(*(walk_in_turn() for _ in range(CONCURRENT)))
    postman.cancel()


async def _sign_up(http: httpx.AsyncClient, email: str, tokens: dict[str, asyncio.Future[str]]) -> None:
    token = tokens[email] = asyncio.get_running_loop().create_future()
    registration = await _call(http, CREATE_ACCOUNT, form(email))
    await _call(http, VERIFY_CAPTCHA, {"registrationId": registration["id"], "answer": ANSWER})
    passwords = {"password": PASSWORD, "passwordConfirmation": PASSWORD}
    activated = await _call(http, ACTIVATE_ACCOUNT, {"token": await token} | passwords)
    assert activated["__typename"] == "AccountActivated"


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


async def _call(http: httpx.AsyncClient, query: str, entered: dict[str, object]) -> dict[str, str]:
    response = await http.post("/graphql", json={"query": query, "variables": {"input": entered}})
    (value,) = response.json()["data"].values()
    assert isinstance(value, dict)
    return value


async def _hand_out(folder: Path, tokens: dict[str, asyncio.Future[str]]) -> None:
    """Read mails as they arrive, and give each person their token."""
    while True:
        await asyncio.sleep(0.02)
        if not (folder / "new").is_dir():
            continue
        for file in sorted((folder / "new").iterdir()):
            mail = mailbox.MaildirMessage(file.read_bytes())
            if match := TOKEN.search(file.read_bytes()):
                token = re.sub(rb"=\r?\n", b"", match[1]).decode()
                tokens[str(mail["To"])].set_result(token)
            file.unlink()
