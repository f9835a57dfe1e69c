"""Nobody finds out who has an account: every address gets the same answers for the same work."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import argon2
import graphql
import pytest
from graphql.execution.values import get_argument_values, get_variable_values

from api.app import sdl
from api.captcha.voice import Voice
from api.delivery import build_relay
from api.mail.composer import Composer
from api.passwords import strength
from models.account import Account
from models.activation import ActivationToken
from models.outbox import MessageState, OutboxMessage
from models.registration import Registration, RegistrationState
from models.retention import purge
from tests.support.applications import build_cheap_app
from tests.support.client import (
    ACTIVATE_ACCOUNT,
    CHECK_PASSWORD,
    CREATE_ACCOUNT,
    INSPECT_ACTIVATION_LINK,
    OTHER_SIRET,
    PASSWORD,
    RENEW_CAPTCHA,
    RESEND_ACTIVATION_MAIL,
    VERIFY_CAPTCHA,
    Answer,
    Portal,
    client_at,
    form,
    new_key,
    token_in,
    with_link,
)
from tests.support.databases import sqlite_only
from tests.support.doubles import Clock, KnownCaptcha
from tests.support.people import LegibleCaptcha, wrong
from tests.support.statements import Statements, statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
    from email.message import EmailMessage

    import httpx
    from starlette.applications import Starlette

    from api.mail.relay import Relay
    from api.settings.environment import Settings
    from tests.support.doubles import Letterbox

    Settle = Callable[[Iterable[str]], Awaitable["Town"]]

pytestmark = pytest.mark.anyio
__all__ = ["statements"]  # A fixture, for pytest to find here.

SCHEMA = graphql.build_schema(sdl())
PICTURE = re.compile(r'(?<="data:image/png;base64,)[A-Za-z0-9+/=]+')
ID = re.compile(r'(?<="id":")[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
IGNORED_HEADERS = {b"content-length", b"x-request-id"}  # The first follows from the body, the second is random.
STRANGER = {"firstName": "Alex", "lastName": "Passant", "name": "Passage SARL"}
RENEW_WITH_SOUND = RENEW_CAPTCHA.replace("captcha { image ", "captcha { image audio ")


# --- Situations of an address ---


async def unknown(owner: Portal, email: str, clock: Clock) -> None:
    """Leave the address unused."""


async def account(owner: Portal, email: str, clock: Clock) -> None:
    """Give the address an account, and delete its registration by the purge."""
    await owner.account(email=email)
    clock.advance(days=8)
    await purge(now=clock())
    assert not await Registration.exists(email_canonical=email)


async def young_account(owner: Portal, email: str, clock: Clock) -> None:
    """Give the address an account whose activated registration still exists."""
    await owner.account(email=email)
    assert await Registration.exists(email_canonical=email, state=RegistrationState.ACTIVATED)


async def account_and_later_attempts(owner: Portal, email: str, clock: Clock) -> None:
    """Give the address an account, and attempts that came too late."""
    await owner.activation_token(email=email, siret=OTHER_SIRET)
    await owner.account(email=email)
    await owner.sign_up(email=email)
    await owner.deliver()


async def waiting(owner: Portal, email: str, clock: Clock) -> None:
    """Leave a registration unactivated, with its mails in the mailbox."""
    await owner.activation_token(email=email)


async def waiting_for_mails(owner: Portal, email: str, clock: Clock) -> None:
    """Leave a registration unactivated, with its mails still in the outbox."""
    await owner.sign_up(email=email)


async def given_up(owner: Portal, email: str, clock: Clock) -> None:
    """Let a registration expire without activation."""
    await owner.activation_token(email=email)
    clock.advance(days=7)


async def form_alone(owner: Portal, email: str, clock: Clock) -> None:
    """Send a form and pass no captcha."""
    await owner.create_account(email=email)


async def several_attempts(owner: Portal, email: str, clock: Clock) -> None:
    """Leave attempts of every kind side by side."""
    await owner.activation_token(email=email)
    await owner.activation_token(email=email, siret=OTHER_SIRET)
    exhausted = await owner.create_account(email=email)
    for _ in range(5):
        await owner.verify_captcha(exhausted["id"], owner.captcha.wrong_answer)
    await owner.create_account(email=email)
    await owner.resend_activation_mail(email)


async def full_mailbox(owner: Portal, email: str, clock: Clock) -> None:
    """Send the address all the mails that it may get in an hour, and defer more."""
    for _ in range(7):
        await owner.sign_up(email=email)
        await owner.deliver()
    assert await OutboxMessage.filter(recipient=email, state=MessageState.SENT).count() == 12
    assert await OutboxMessage.filter(recipient=email, deferred=True).count() == 2


async def contact_address(owner: Portal, email: str, clock: Clock) -> None:
    """Make the address the contact address of another address's account."""
    await owner.account(email=f"contact-of-{email}", contactEmail=email)


UNKNOWN = "unknown"
LONG_AGO = {"account": account, "given up": given_up}
TODAY = {
    UNKNOWN: unknown,
    "nobody": unknown,
    "young account": young_account,
    "account and later attempts": account_and_later_attempts,
    "waiting": waiting,
    "form alone": form_alone,
    "contact address": contact_address,
    "full mailbox": full_mailbox,
    "several attempts": several_attempts,
    "waiting for its mails": waiting_for_mails,
}
OTHER_SPELLINGS = {"young account": str.upper, "waiting": str.title, "nobody": str.swapcase}


# --- The stranger's view ---


@dataclass(frozen=True)
class Observation:
    """One answer and the work that it took, without the address and random parts."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: str
    statements: list[str]
    slow_work: Counter[str]


@dataclass
class Visit:
    """A stranger in their own network, who tries an address."""

    situation: str
    email: str
    http: httpx.AsyncClient
    captcha: LegibleCaptcha
    answer: Answer = field(default_factory=dict)
    key: str = field(default_factory=new_key)
    tried: set[str] = field(default_factory=set)
    _id: str = ""
    _image: str = ""

    async def ask(self, query: str, **variables: Any) -> httpx.Response:
        """Send *query* and remember the registration and the picture in its answer."""
        self.tried |= set(inputs_with_email(query, variables, self.email))
        response = await self.http.post("/graphql", json={"query": query, "variables": variables})
        answer = response.json()
        assert "errors" not in answer, answer
        (self.answer,) = answer["data"].values()
        pending = self.answer.get("registration", self.answer)
        if pending.get("__typename", "PendingRegistration") == "PendingRegistration":
            self._id = pending["id"]
            self._image = (pending["captcha"] or {"image": self._image})["image"]
        return response

    async def create(self, **changes: Any) -> httpx.Response:
        return await self.ask(CREATE_ACCOUNT, input=form(**{"email": self.email} | STRANGER | changes))

    async def create_by_key(self, **changes: Any) -> httpx.Response:
        return await self.create(idempotencyKey=self.key, **changes)

    async def renew(self) -> httpx.Response:
        return await self.ask(RENEW_CAPTCHA, registrationId=self._id)

    async def renew_with_sound(self) -> httpx.Response:
        return await self.ask(RENEW_WITH_SOUND, registrationId=self._id)

    async def answer_rightly(self) -> httpx.Response:
        entered = {"registrationId": self._id, "answer": self.captcha.read(self._image)}
        return await self.ask(VERIFY_CAPTCHA, input=entered)

    async def answer_wrongly(self) -> httpx.Response:
        entered = {"registrationId": self._id, "answer": wrong(self.captcha.read(self._image))}
        return await self.ask(VERIFY_CAPTCHA, input=entered)

    async def resend(self) -> httpx.Response:
        return await self.ask(RESEND_ACTIVATION_MAIL, email=self.email)

    async def inspect(self, guess: str) -> httpx.Response:
        return await self.ask(INSPECT_ACTIVATION_LINK, token=self.guessed_tokens()[guess])

    async def check_password(self, guess: str) -> httpx.Response:
        words = [self.email, STRANGER["lastName"]]
        entered = {"password": PASSWORD, "activationToken": self.guessed_tokens()[guess], "personalData": words}
        return await self.ask(CHECK_PASSWORD, input=entered)

    async def activate(self, guess: str) -> httpx.Response:
        entered = {"token": self.guessed_tokens()[guess], "password": PASSWORD, "passwordConfirmation": PASSWORD}
        return await self.ask(ACTIVATE_ACCOUNT, input=entered)

    def guessed_tokens(self) -> dict[str, str]:
        """Return what a stranger might try as a token, made of everything that a stranger knows."""
        return {
            "nothing": "A" * 43,
            "address": self.email,
            "digest of the address": hashlib.sha256(self.email.lower().encode()).hexdigest(),
            "registration": self._id,
            "registration in base64": urlsafe_b64encode(self._id.encode()).decode(),
            "digest of the registration": hashlib.sha256(self._id.encode()).hexdigest(),
        }

    def without_own_data(self, text: str) -> str:
        """Return *text* without ids, pictures, and the address in its own spelling; other spellings stay."""
        local_part, _, domain = self.email.partition("@")
        echoed = f"{local_part}@{domain.lower()}"
        return ID.sub("(id)", PICTURE.sub("(picture)", text.replace(echoed, "(address)")))


def inputs_with_email(query: str, variables: Answer, email: str) -> Iterator[str]:
    """Yield the operation's name and the path of each input whose value is *email*."""
    operation = operation_in(query)
    (node,) = operation.selection_set.selections
    assert isinstance(node, graphql.FieldNode)
    assert SCHEMA.mutation_type is not None
    name = node.name.value
    yield name
    values = get_variable_values(SCHEMA, operation.variable_definitions or (), variables)
    assert not isinstance(values, list), values
    arguments = get_argument_values(SCHEMA.mutation_type.fields[name], node, values)
    yield from (path for path, value in values_by_path(name, arguments) if value == email and is_address_input(path))


@cache
def operation_in(query: str) -> graphql.OperationDefinitionNode:
    (operation, *_) = (node for node in graphql.parse(query).definitions if node.kind == "operation_definition")
    assert isinstance(operation, graphql.OperationDefinitionNode)
    return operation


def values_by_path(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for name, inner in value.items():
        yield from values_by_path(f"{path}.{name}", inner)


def is_address_input(path: str) -> bool:
    return "mail" in path.rpartition(".")[2].lower()


def inputs(path: str, type_: Any) -> Iterator[str]:
    """Yield the path of every input under *path*, including those of input types."""
    named = graphql.get_named_type(type_)
    if not isinstance(named, graphql.GraphQLInputObjectType):
        yield path
        return
    for name, inner in named.fields.items():
        yield from inputs(f"{path}.{name}", inner.type)


class Town:
    """Addresses in every situation, and a stranger for each of them."""

    def __init__(self, visits: list[Visit], sent: Statements, slow_work: Counter[str], clock: Clock, relay: Relay):
        self.visits = visits
        self.sent = sent
        self.slow_work = slow_work
        self.clock = clock
        self.relay = relay

    async def see(self, step: Callable[[Visit], Awaitable[httpx.Response]], expected: str) -> None:
        """Take *step* for each address; all get the same answer, whose type, code or state is *expected*."""
        observations = [await self._observe(visit, step) for visit in self.visits]
        first_answer = self.visits[0].answer
        assert expected in (first_answer["__typename"], first_answer.get("code"), first_answer.get("state")), (
            first_answer
        )
        for visit, observation in zip(self.visits, observations, strict=True):
            assert observation == observations[0], visit.situation
        if step is Visit.create and expected == "PendingRegistration":  # There was something to compare.
            assert observations[0].statements
            assert observations[0].slow_work["_draw"] == 1

    async def _observe(self, visit: Visit, step: Callable[[Visit], Awaitable[httpx.Response]]) -> Observation:
        self.sent.take()
        self.slow_work.clear()
        response = await step(visit)
        assert response.headers["content-length"] == str(len(response.content))
        return Observation(
            status=response.status_code,
            headers=[header for header in response.headers.raw if header[0] not in IGNORED_HEADERS],
            body=visit.without_own_data(response.text),
            statements=self.sent.take(),
            slow_work=Counter(self.slow_work),
        )


@pytest.fixture
def captcha() -> LegibleCaptcha:
    return LegibleCaptcha()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with the default limits."""
    return settings.replace(rate_limits="on")


@pytest.fixture
def slow_work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count each kind of slow work."""
    done: Counter[str] = Counter()

    def counted(owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def called(*arguments: Any, **options: Any) -> Any:
            done[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, called)

    async def speak(*_: object) -> bytes:
        done["speak"] += 1
        return b"sound"

    counted(KnownCaptcha, "_draw")
    counted(argon2.PasswordHasher, "hash")
    counted(argon2.PasswordHasher, "verify")
    counted(strength, "zxcvbn")
    monkeypatch.setattr(Voice, "speak", speak)
    return done


@pytest.fixture
def counters(statements: Statements, slow_work: Counter[str]) -> tuple[Statements, Counter[str]]:
    """Return the counters of statements and of slow work."""
    return statements, slow_work


@pytest.fixture
async def app(
    settings: Settings,
    clock: Clock,
    captcha: LegibleCaptcha,
    counters: tuple[Statements, Counter[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Starlette]:
    """Run the application with a clock for the limits that stands still."""
    monkeypatch.setattr("api.limits.rate_limits.time", SimpleNamespace(time=lambda: 1_800_000_000.0))
    built = build_cheap_app(settings, clock=clock, captcha=captcha)
    async with built.router.lifespan_context(built):
        yield built


@pytest.fixture
def stranger_at(app: Starlette, captcha: LegibleCaptcha) -> Callable[..., Visit]:
    """Return a function for a stranger at a network address, who knows one e-mail address and nothing else."""
    return lambda address, situation, email: Visit(situation, email, client_at(app, address), captcha)


@pytest.fixture
def owner_at(app: Starlette, captcha: LegibleCaptcha, relay: Relay, letterbox: Letterbox) -> Callable[[str], Portal]:
    """Return a function for a person at a network address, who reads all mailboxes."""
    return lambda address: Portal(client_at(app, address), captcha=captcha, relay=relay, letterbox=letterbox)


@pytest.fixture
def settle(
    owner_at: Callable[[str], Portal],
    stranger_at: Callable[..., Visit],
    counters: tuple[Statements, Counter[str]],
    clock: Clock,
    relay: Relay,
) -> Settle:
    """Return a function that brings addresses into situations, with a stranger for each, an unknown one first."""

    async def settle_all(situations: Iterable[str]) -> Town:
        visits = []
        for number, situation in enumerate(situations):
            email = f"person{number:02}@exemple.fr"
            await (LONG_AGO | TODAY)[situation](owner_at(f"198.51.100.{number + 1}"), email, clock)
            visits.append(stranger_at(f"203.0.113.{number}", situation, email))
            if situation in OTHER_SPELLINGS:
                entered = OTHER_SPELLINGS[situation](email)
                visits.append(stranger_at(f"203.0.113.{100 + number}", f"{situation}, other spelling", entered))
        visits.sort(key=lambda visit: visit.situation != UNKNOWN)
        return Town(visits, *counters, clock, relay)

    return settle_all


# --- Attempts of the stranger ---


async def try_the_form(town: Town) -> None:
    """Try createAccount with and without a key, repeated, changed, invalid, and with a contact address only."""
    await town.see(Visit.create, "PendingRegistration")
    await town.see(Visit.create_by_key, "PendingRegistration")
    await town.see(Visit.create_by_key, "PendingRegistration")
    await town.see(lambda visit: visit.create_by_key(firstName="Dominique"), "IDEMPOTENCY_CONFLICT")
    await town.see(lambda visit: visit.create(emailConfirmation="else@exemple.fr"), "INVALID_INPUT")
    await town.see(lambda visit: visit.create(acceptTerms=False), "INVALID_INPUT")
    await town.see(lambda visit: visit.create(firstName="", siret="1"), "INVALID_INPUT")
    own = {"email": "stranger@exemple.fr"}
    await town.see(lambda visit: visit.create(contactEmail=visit.email, **own), "PendingRegistration")
    await town.see(Visit.answer_rightly, "ActivationMailSent")
    await town.see(lambda visit: visit.create(contactEmail=visit.email), "PendingRegistration")
    await town.see(lambda visit: visit.create(emailConfirmation=visit.email, **own), "INVALID_INPUT")


async def try_the_captcha(town: Town) -> None:
    """Try renewCaptcha and verifyCaptcha, wrongly, rightly, and after success, before and after the mails."""
    await town.see(Visit.create_by_key, "PendingRegistration")
    await town.see(Visit.renew, "PendingRegistration")
    await town.see(Visit.renew_with_sound, "PendingRegistration")
    await town.see(Visit.answer_wrongly, "CAPTCHA_REJECTED")
    await town.see(Visit.answer_rightly, "ActivationMailSent")
    for _ in range(2):
        await town.see(Visit.answer_rightly, "ActivationMailSent")
        await town.see(Visit.answer_wrongly, "CAPTCHA_REJECTED")
        await town.see(Visit.renew, "VERIFIED")
        await town.see(Visit.create_by_key, "VERIFIED")
        await town.relay.deliver_due()


async def try_too_many_wrong_answers(town: Town) -> None:
    """Try verifyCaptcha until no attempt is left, and then go on."""
    await town.see(Visit.create_by_key, "PendingRegistration")
    for _ in range(4):
        await town.see(Visit.answer_wrongly, "CAPTCHA_REJECTED")
    await town.see(Visit.answer_wrongly, "CAPTCHA_ATTEMPTS_EXHAUSTED")
    await town.see(Visit.answer_rightly, "CAPTCHA_ATTEMPTS_EXHAUSTED")
    await town.see(Visit.renew, "CAPTCHA_ATTEMPTS_EXHAUSTED")
    await town.see(Visit.create_by_key, "CAPTCHA_ATTEMPTS_EXHAUSTED")


async def try_resending_links(town: Town) -> None:
    """Try resendActivationMail before and after the stranger's own registration and its mails."""
    await town.see(Visit.resend, "ActivationMailRequested")
    await town.see(Visit.create, "PendingRegistration")
    await town.see(Visit.resend, "ActivationMailRequested")
    await town.see(Visit.answer_rightly, "ActivationMailSent")
    await town.see(Visit.resend, "ActivationMailRequested")
    await town.relay.deliver_due()
    await town.see(Visit.resend, "ActivationMailRequested")


async def try_guessed_links(town: Town) -> None:
    """Try inspectActivationLink, checkPassword and activateAccount with guessed tokens."""
    await town.see(Visit.create, "PendingRegistration")
    await town.see(Visit.answer_rightly, "ActivationMailSent")
    await town.relay.deliver_due()

    for guess in town.visits[0].guessed_tokens():
        await town.see(partial(Visit.inspect, guess=guess), "UNKNOWN")
        await town.see(partial(Visit.check_password, guess=guess), "PasswordCheck")
        await town.see(partial(Visit.activate, guess=guess), "ACTIVATION_LINK_UNKNOWN")


async def try_late_answers(town: Town) -> None:
    """Try renewCaptcha and verifyCaptcha after a challenge, a captcha's time and a registration have expired."""
    await town.see(Visit.create_by_key, "PendingRegistration")
    town.clock.advance(minutes=11)
    await town.see(Visit.answer_rightly, "CAPTCHA_EXPIRED")
    await town.see(Visit.answer_rightly, "ActivationMailSent")
    for hours in (1, 7 * 24 - 2):
        town.clock.advance(hours=hours)
        await town.relay.deliver_due()
        await town.see(Visit.answer_rightly, "ActivationMailSent")
        await town.see(Visit.renew, "VERIFIED")
    for hours in (2, 1):
        town.clock.advance(hours=hours)
        await town.see(Visit.answer_rightly, "REGISTRATION_NOT_FOUND")
        await town.see(Visit.renew, "REGISTRATION_NOT_FOUND")
        await purge(now=town.clock())
    await town.see(Visit.resend, "ActivationMailRequested")


async def try_up_to_the_limits(town: Town) -> None:
    """Try createAccount and resendActivationMail as often as a network may for one address, and once more."""
    for _ in range(10):
        await town.see(Visit.create, "PendingRegistration")
    await town.see(Visit.create, "TOO_MANY_REQUESTS")
    for _ in range(5):
        await town.see(Visit.resend, "ActivationMailRequested")
    await town.see(Visit.resend, "TOO_MANY_REQUESTS")
    await town.see(Visit.answer_rightly, "ActivationMailSent")


ATTEMPTS = [
    try_the_form,
    try_the_captcha,
    try_too_many_wrong_answers,
    try_resending_links,
    try_guessed_links,
    try_late_answers,
    try_up_to_the_limits,
]


@pytest.mark.parametrize("attempt", ATTEMPTS)
async def test_answers_and_work_are_the_same_for_every_address(
    settle: Settle, attempt: Callable[[Town], Awaitable[None]]
) -> None:
    """Answers to each address equal those to an unknown one in status, headers, body, statements and slow work."""
    await attempt(await settle([*LONG_AGO, *TODAY]))


async def test_activation_does_not_change_answers_to_strangers(
    settle: Settle, owner_at: Callable[[str], Portal]
) -> None:
    """A stranger with a registration's id can't tell whether the address's owner has activated it."""
    town = await settle([*LONG_AGO, *TODAY])
    owner = owner_at("198.51.100.99")
    await owner.deliver()
    await owner.account(email="founder@exemple.fr")  # Otherwise, an activation would make the organisation known.
    await town.see(Visit.create_by_key, "PendingRegistration")
    await town.see(Visit.answer_rightly, "ActivationMailSent")
    for mail in with_link(await owner.deliver()):
        if mail["To"].lower() != town.visits[0].email:
            await owner.activate_account(token_in(mail))
    activated = await Registration.filter(state=RegistrationState.ACTIVATED, first_name="Alex").count()
    assert activated >= 4
    assert not await Account.exists(email_canonical=town.visits[0].email)
    for _ in range(2):
        await town.see(Visit.answer_rightly, "ActivationMailSent")
        await town.see(Visit.answer_wrongly, "CAPTCHA_REJECTED")
        await town.see(Visit.renew, "VERIFIED")
        await town.see(Visit.create_by_key, "VERIFIED")
        await town.see(Visit.resend, "ActivationMailRequested")
        await town.see(Visit.create, "PendingRegistration")
        await town.see(Visit.answer_rightly, "ActivationMailSent")
        town.clock.advance(hours=2)
        await town.relay.deliver_due()


# --- The relay's work ---


@dataclass(frozen=True)
class Relayed:
    """The work of one pass over the outbox: statements, composed mails, and mails sent or discarded."""

    statements: list[str]
    composed: Counter[str]
    sent_or_discarded: int


class Watch:
    """An observer of the relay's work."""

    def __init__(self, town: Town, letterbox: Letterbox, composed: Counter[str]) -> None:
        self.visits = town.visits
        self._town = town
        self._letterbox = letterbox
        self._composed = composed

    async def relay_after(self, step: Callable[[Visit], Awaitable[httpx.Response]], expected: str) -> list[Relayed]:
        """Take *step* for each address, check that the relay's work is the same, and return it."""
        passes = []
        for visit in self.visits:
            await step(visit)
            assert visit.answer["__typename"] == expected
            passes.append(await self.relay())
        for visit, relayed in zip(self.visits, passes, strict=True):
            assert relayed == passes[0], visit.situation
        return passes

    def wait(self, **time: int) -> None:
        """Advance the clock."""
        self._town.clock.advance(**time)

    async def relay(self) -> Relayed:
        self._town.sent.take()
        self._composed.clear()
        before = self._handed_on
        await self._town.relay.deliver_due()
        return Relayed(self._town.sent.take(), Counter(self._composed), self._handed_on - before)

    @property
    def _handed_on(self) -> int:
        return len(self._letterbox.messages) + len(self._letterbox.discarded)


@pytest.fixture
def relay(settings: Settings, clock: Clock, letterbox: Letterbox) -> Relay:
    """A relay that sends one mail after the other, so that the work has one order."""
    return build_relay(settings, clock=clock, transport=letterbox, concurrent_sendings=1)


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count each composed mail."""
    done: Counter[str] = Counter()

    def counting(name: str) -> Callable[..., EmailMessage]:
        compose = getattr(Composer, name)

        def counted(*arguments: Any, **options: Any) -> EmailMessage:
            done[name] += 1
            mail: EmailMessage = compose(*arguments, **options)
            return mail

        return counted

    for name in ("summary", "activation", "account_exists"):
        monkeypatch.setattr(Composer, name, counting(name))
    return done


@pytest.fixture
def watch(settle: Settle, letterbox: Letterbox, composed: Counter[str]) -> Callable[[Iterable[str]], Awaitable[Watch]]:
    """Return a function that brings addresses into situations and waits until their own mails have left."""

    async def settle_and_watch(situations: Iterable[str]) -> Watch:
        town = await settle(situations)
        town.visits = [visit for visit in town.visits if "spelling" not in visit.situation]  # These share mailboxes.
        for _ in range(3):
            await town.relay.deliver_due()
            town.clock.advance(hours=2)
        return Watch(town, letterbox, composed)

    return settle_and_watch


NOBODY = {UNKNOWN, "nobody", "contact address"}
SITUATIONS = [
    UNKNOWN,
    "account",
    "young account",
    "account and later attempts",
    "waiting",
    "contact address",
    "nobody",
]


async def test_relay_work_is_the_same_for_every_requested_link(
    watch: Callable[[Iterable[str]], Awaitable[Watch]], letterbox: Letterbox
) -> None:
    """Statements, commits, composed mails, and mails sent or discarded are the same for every address."""
    watching = await watch(SITUATIONS)
    before = len(letterbox.messages)
    rounds = [await watching.relay_after(Visit.resend, "ActivationMailRequested") for _ in range(5)]
    assert {relayed.sent_or_discarded for passes in rounds for relayed in passes} == {1}
    assert rounds[0][0].composed == {"activation": 1, "account_exists": 1}
    assert any("INSERT INTO activation_token" in statement for statement in rounds[0][0].statements)
    nobody = sum(visit.situation in NOBODY for visit in watching.visits)
    assert len(letterbox.messages) - before == 5 * (len(watching.visits) - nobody)


async def test_relay_work_is_the_same_for_every_sign_up(
    watch: Callable[[Iterable[str]], Awaitable[Watch]], letterbox: Letterbox
) -> None:
    """The relay's work after a sign-up is the same for every address, until the mailbox is full and afterwards."""
    watching = await watch(SITUATIONS)

    async def sign_up(visit: Visit) -> httpx.Response:
        await visit.create()
        return await visit.answer_rightly()

    rounds = [await watching.relay_after(sign_up, "ActivationMailSent") for _ in range(8)]
    assert [passes[0].sent_or_discarded for passes in rounds] == [2] * 6 + [0] * 2
    assert rounds[0][0].composed == {"summary": 1, "activation": 1, "account_exists": 1}


async def test_relay_work_for_several_attempts_is_the_same_with_an_account(
    watch: Callable[[Iterable[str]], Awaitable[Watch]],
) -> None:
    """Each of several waiting attempts gets a new token, even if an account exists and nobody is sent the token."""
    watching = await watch([UNKNOWN, "account", "young account"])

    async def sign_up(visit: Visit) -> httpx.Response:
        await visit.create()
        return await visit.answer_rightly()

    for _ in range(3):
        await watching.relay_after(sign_up, "ActivationMailSent")
    watching.wait(hours=2)
    before = await ActivationToken.all().count()
    resent = await watching.relay_after(Visit.resend, "ActivationMailRequested")
    assert sum("INSERT INTO activation_token" in statement for statement in resent[0].statements) == 1
    assert await ActivationToken.all().count() - before == 3 * len(watching.visits)


@sqlite_only
async def test_every_mutation_and_address_input_is_tried(settle: Settle, stranger_at: Callable[..., Visit]) -> None:
    """The tests of this file use each mutation of the contract, and each of its inputs for an address."""
    town = await settle([])
    tried = set()
    for number, attempt in enumerate(ATTEMPTS):
        town.visits = [stranger_at(f"203.0.113.{number}", UNKNOWN, "camille.durand@exemple.fr")]
        await attempt(town)
        tried |= town.visits[0].tried
    expected = set()
    for type_ in (SCHEMA.query_type, SCHEMA.mutation_type):
        assert type_ is not None
        for name, field_ in type_.fields.items():
            if type_ is SCHEMA.mutation_type:
                expected.add(name)
            paths = {path for arg, value in field_.args.items() for path in inputs(f"{name}.{arg}", value.type)}
            expected |= {path for path in paths if is_address_input(path)}
    assert tried == expected
