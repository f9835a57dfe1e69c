"""Nobody finds out who has an account: whatever is behind an address, the same answers for the same work."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import argon2
import graphql
import pytest
from graphql.execution.values import get_argument_values, get_variable_values

from api.app import build_app, sdl
from api.captcha.pictures import PictureCaptcha
from api.captcha.voice import Voice
from api.delivery import build_relay
from api.mail.composer import Composer
from api.passwords import strength
from models.account import Account
from models.activation import ActivationToken
from models.outbox import MessageState, OutboxMessage
from models.registration import Registration, RegistrationState
from models.retention import purge
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
from tests.support.doubles import Clock
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
__all__ = ["statements"]  # A fixture, that pytest finds here.

SCHEMA = graphql.build_schema(sdl())
PICTURE = re.compile(r'(?<="data:image/png;base64,)[A-Za-z0-9+/=]+')
ID = re.compile(r'(?<="id":")[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
ITS_OWN = {b"content-length", b"x-request-id"}  # The first says no more than the body, the second is random.
STRANGER = {"firstName": "Alex", "lastName": "Passant", "name": "Passage SARL"}
RENEW_WITH_SOUND = RENEW_CAPTCHA.replace("captcha { image ", "captcha { image audio ")


# --- What may be behind an address ---


async def unknown(owner: Portal, email: str, clock: Clock) -> None:
    """Nobody has ever given it."""


async def account(owner: Portal, email: str, clock: Clock) -> None:
    """It has an account, whose registration is gone."""
    await owner.account(email=email)
    clock.advance(days=8)
    await purge(now=clock())
    assert not await Registration.exists(email_canonical=email)


async def young_account(owner: Portal, email: str, clock: Clock) -> None:
    """It has an account, whose registration is still there, activated."""
    await owner.account(email=email)
    assert await Registration.exists(email_canonical=email, state=RegistrationState.ACTIVATED)


async def account_and_later_attempts(owner: Portal, email: str, clock: Clock) -> None:
    """It has an account, and attempts that came too late."""
    await owner.activation_token(email=email, siret=OTHER_SIRET)
    await owner.account(email=email)
    await owner.sign_up(email=email)
    await owner.deliver()


async def waiting(owner: Portal, email: str, clock: Clock) -> None:
    """A registration waits for its activation, with its mails in the mailbox."""
    await owner.activation_token(email=email)


async def waiting_for_mails(owner: Portal, email: str, clock: Clock) -> None:
    """A registration waits for its activation, with its mails in the outbox."""
    await owner.sign_up(email=email)


async def given_up(owner: Portal, email: str, clock: Clock) -> None:
    """A registration was never activated, and has ended."""
    await owner.activation_token(email=email)
    clock.advance(days=7)


async def form_alone(owner: Portal, email: str, clock: Clock) -> None:
    """A form was sent, and no captcha was passed."""
    await owner.create_account(email=email)


async def several_attempts(owner: Portal, email: str, clock: Clock) -> None:
    """Attempts of every kind wait beside each other."""
    await owner.activation_token(email=email)
    await owner.activation_token(email=email, siret=OTHER_SIRET)
    exhausted = await owner.create_account(email=email)
    for _ in range(5):
        await owner.verify_captcha(exhausted["id"], owner.captcha.wrong_answer)
    await owner.create_account(email=email)
    await owner.resend_activation_mail(email)


async def full_mailbox(owner: Portal, email: str, clock: Clock) -> None:
    """As many mails have come as may come in an hour, and more are deferred."""
    for _ in range(7):
        await owner.sign_up(email=email)
        await owner.deliver()
    assert await OutboxMessage.filter(recipient=email, state=MessageState.SENT).count() == 12
    assert await OutboxMessage.filter(recipient=email, deferred=True).count() == 2


async def contact_address(owner: Portal, email: str, clock: Clock) -> None:
    """An account of another address has it as its contact address."""
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
SPELT_OTHERWISE = {"young account": str.upper, "waiting": str.title, "nobody": str.swapcase}


# --- What a stranger sees ---


@dataclass(frozen=True)
class Seen:
    """One answer, and the work that it took, less what is the address itself or random."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: str
    statements: list[str]
    slow_work: Counter[str]


@dataclass
class Visit:
    """A stranger, from a network of their own, who tries what an address is told."""

    situation: str
    email: str
    http: httpx.AsyncClient
    captcha: LegibleCaptcha
    answer: Answer = field(default_factory=dict)
    key: str = field(default_factory=new_key)
    given: set[str] = field(default_factory=set)
    _id: str = ""
    _image: str = ""

    async def ask(self, query: str, **variables: Any) -> httpx.Response:
        """Send *query*; the registration and the picture of its answer are remembered."""
        self.given |= set(fields_given(query, variables, self.email))
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
        typed = {"registrationId": self._id, "answer": self.captcha.read(self._image)}
        return await self.ask(VERIFY_CAPTCHA, input=typed)

    async def answer_wrongly(self) -> httpx.Response:
        typed = {"registrationId": self._id, "answer": wrong(self.captcha.read(self._image))}
        return await self.ask(VERIFY_CAPTCHA, input=typed)

    async def resend(self) -> httpx.Response:
        return await self.ask(RESEND_ACTIVATION_MAIL, email=self.email)

    async def inspect(self, guess: str) -> httpx.Response:
        return await self.ask(INSPECT_ACTIVATION_LINK, token=self.guesses()[guess])

    async def check_password(self, guess: str) -> httpx.Response:
        words = [self.email, STRANGER["lastName"]]
        typed = {"password": PASSWORD, "activationToken": self.guesses()[guess], "personalData": words}
        return await self.ask(CHECK_PASSWORD, input=typed)

    async def activate(self, guess: str) -> httpx.Response:
        typed = {"token": self.guesses()[guess], "password": PASSWORD, "passwordConfirmation": PASSWORD}
        return await self.ask(ACTIVATE_ACCOUNT, input=typed)

    def guesses(self) -> dict[str, str]:
        """What a stranger might take for the token of a link, made of all that a stranger knows."""
        return {
            "nothing": "A" * 43,
            "address": self.email,
            "digest of the address": hashlib.sha256(self.email.lower().encode()).hexdigest(),
            "registration": self._id,
            "registration in base64": urlsafe_b64encode(self._id.encode()).decode(),
            "digest of the registration": hashlib.sha256(self._id.encode()).hexdigest(),
        }

    def without_own(self, text: str) -> str:
        """*text*, less ids, pictures, and the address as it was typed: in another spelling it stays."""
        local_part, _, domain = self.email.partition("@")
        echoed = f"{local_part}@{domain.lower()}"
        return ID.sub("(id)", PICTURE.sub("(picture)", text.replace(echoed, "(address)")))


def fields_given(query: str, variables: Answer, email: str) -> Iterator[str]:
    """Which inputs of which operation *email* is given as, beside the operation itself."""
    (operation, *_) = (node for node in graphql.parse(query).definitions if node.kind == "operation_definition")
    assert isinstance(operation, graphql.OperationDefinitionNode)
    (node,) = operation.selection_set.selections
    assert isinstance(node, graphql.FieldNode)
    assert SCHEMA.mutation_type is not None
    name = node.name.value
    yield name
    given = get_variable_values(SCHEMA, operation.variable_definitions or (), variables)
    assert not isinstance(given, list), given
    arguments = get_argument_values(SCHEMA.mutation_type.fields[name], node, given)
    yield from (path for path, value in leaves(name, arguments) if value == email and is_of_addresses(path))


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for name, inner in value.items():
        yield from leaves(f"{path}.{name}", inner)


def is_of_addresses(path: str) -> bool:
    return "mail" in path.rpartition(".")[2].lower()


def inputs(path: str, type_: Any) -> Iterator[str]:
    """Every input under *path*, of input types too."""
    named = graphql.get_named_type(type_)
    if not isinstance(named, graphql.GraphQLInputObjectType):
        yield path
        return
    for name, inner in named.fields.items():
        yield from inputs(f"{path}.{name}", inner.type)


class Town:
    """Addresses in every situation, and a stranger who asks about each."""

    def __init__(self, visits: list[Visit], sent: Statements, slow_work: Counter[str], clock: Clock, relay: Relay):
        self.visits = visits
        self.sent = sent
        self.slow_work = slow_work
        self.clock = clock
        self.relay = relay

    async def see(self, step: Callable[[Visit], Awaitable[httpx.Response]], expected: str) -> None:
        """Take *step* about each address: all see the same answer, of the type or the code that is *expected*."""
        seen = [await self._observe(visit, step) for visit in self.visits]
        told = self.visits[0].answer
        assert expected in (told["__typename"], told.get("code"), told.get("state")), told
        for visit, one in zip(self.visits, seen, strict=True):
            assert one == seen[0], visit.situation
        if (
            step is Visit.create and expected == "PendingRegistration"
        ):  # So that it is known that something was compared.
            assert seen[0].statements
            assert seen[0].slow_work["_draw"] == 1

    async def _observe(self, visit: Visit, step: Callable[[Visit], Awaitable[httpx.Response]]) -> Seen:
        self.sent.take()
        self.slow_work.clear()
        response = await step(visit)
        assert response.headers["content-length"] == str(len(response.content))
        return Seen(
            status=response.status_code,
            headers=[header for header in response.headers.raw if header[0] not in ITS_OWN],
            body=visit.without_own(response.text),
            statements=self.sent.take(),
            slow_work=Counter(self.slow_work),
        )


@pytest.fixture
def captcha() -> LegibleCaptcha:
    return LegibleCaptcha()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With the limits that are the default."""
    return settings.replace(rate_limits="on")


@pytest.fixture
def slow_work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each kind of slow work was done."""
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

    counted(PictureCaptcha, "_draw")
    counted(argon2.PasswordHasher, "hash")
    counted(argon2.PasswordHasher, "verify")
    counted(strength, "zxcvbn")
    monkeypatch.setattr(Voice, "speak", speak)
    return done


@pytest.fixture
def watched(statements: Statements, slow_work: Counter[str]) -> tuple[Statements, Counter[str]]:
    """All work that is counted."""
    return statements, slow_work


@pytest.fixture
async def app(
    settings: Settings,
    clock: Clock,
    captcha: LegibleCaptcha,
    watched: tuple[Statements, Counter[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Starlette]:
    """The application, for which the time of the limits stands still as well."""
    monkeypatch.setattr("api.limits.rate_limits.time", SimpleNamespace(time=lambda: 1_800_000_000.0))
    built = build_app(settings, clock=clock, captcha=captcha)
    async with built.router.lifespan_context(built):
        yield built


@pytest.fixture
def stranger_at(app: Starlette, captcha: LegibleCaptcha) -> Callable[..., Visit]:
    """Somebody at an address of the network, who knows an e-mail address and nothing else."""
    return lambda address, situation, email: Visit(situation, email, client_at(app, address), captcha)


@pytest.fixture
def owner_at(app: Starlette, captcha: LegibleCaptcha, relay: Relay, letterbox: Letterbox) -> Callable[[str], Portal]:
    """Somebody at an address of the network, who reads the mailboxes."""
    return lambda address: Portal(client_at(app, address), captcha=captcha, relay=relay, letterbox=letterbox)


@pytest.fixture
def settle(
    owner_at: Callable[[str], Portal],
    stranger_at: Callable[..., Visit],
    watched: tuple[Statements, Counter[str]],
    clock: Clock,
    relay: Relay,
) -> Settle:
    """Brings addresses into situations, and strangers to each; the first of them to an unknown one."""

    async def settled(situations: Iterable[str]) -> Town:
        visits = []
        for number, situation in enumerate(situations):
            email = f"person{number:02}@exemple.fr"
            await (LONG_AGO | TODAY)[situation](owner_at(f"198.51.100.{number + 1}"), email, clock)
            visits.append(stranger_at(f"203.0.113.{number}", situation, email))
            if situation in SPELT_OTHERWISE:
                typed = SPELT_OTHERWISE[situation](email)
                visits.append(stranger_at(f"203.0.113.{100 + number}", f"{situation}, spelt otherwise", typed))
        visits.sort(key=lambda visit: visit.situation != UNKNOWN)
        return Town(visits, *watched, clock, relay)

    return settled


# --- What the stranger tries ---


async def the_form(town: Town) -> None:
    """createAccount: with and without a key, again, otherwise, wrongly, and with the address for contact only."""
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


async def the_captcha(town: Town) -> None:
    """renewCaptcha and verifyCaptcha: wrongly, rightly, and after it was passed, before and after the mails."""
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


async def too_many_wrong_answers(town: Town) -> None:
    """verifyCaptcha until there is no attempt left, and what comes after."""
    await town.see(Visit.create_by_key, "PendingRegistration")
    for _ in range(4):
        await town.see(Visit.answer_wrongly, "CAPTCHA_REJECTED")
    await town.see(Visit.answer_wrongly, "CAPTCHA_ATTEMPTS_EXHAUSTED")
    await town.see(Visit.answer_rightly, "CAPTCHA_ATTEMPTS_EXHAUSTED")
    await town.see(Visit.renew, "CAPTCHA_ATTEMPTS_EXHAUSTED")
    await town.see(Visit.create_by_key, "CAPTCHA_ATTEMPTS_EXHAUSTED")


async def links_again(town: Town) -> None:
    """resendActivationMail: before and after a registration of the stranger's own, and its mails."""
    await town.see(Visit.resend, "ActivationMailRequested")
    await town.see(Visit.create, "PendingRegistration")
    await town.see(Visit.resend, "ActivationMailRequested")
    await town.see(Visit.answer_rightly, "ActivationMailSent")
    await town.see(Visit.resend, "ActivationMailRequested")
    await town.relay.deliver_due()
    await town.see(Visit.resend, "ActivationMailRequested")


async def guesses_at_links(town: Town) -> None:
    """inspectActivationLink, checkPassword and activateAccount, with what a stranger may take for a token."""
    await town.see(Visit.create, "PendingRegistration")
    await town.see(Visit.answer_rightly, "ActivationMailSent")
    await town.relay.deliver_due()

    for guess in town.visits[0].guesses():
        await town.see(partial(Visit.inspect, guess=guess), "UNKNOWN")
        await town.see(partial(Visit.check_password, guess=guess), "PasswordCheck")
        await town.see(partial(Visit.activate, guess=guess), "ACTIVATION_LINK_UNKNOWN")


async def later(town: Town) -> None:
    """renewCaptcha and verifyCaptcha once a challenge, a captcha's time and a registration's life are over."""
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


async def until_it_is_too_much(town: Town) -> None:
    """createAccount and resendActivationMail, as often as one network may for one address, and once more."""
    for _ in range(10):
        await town.see(Visit.create, "PendingRegistration")
    await town.see(Visit.create, "TOO_MANY_REQUESTS")
    for _ in range(5):
        await town.see(Visit.resend, "ActivationMailRequested")
    await town.see(Visit.resend, "TOO_MANY_REQUESTS")
    await town.see(Visit.answer_rightly, "ActivationMailSent")


CHAPTERS = [
    the_form,
    the_captcha,
    too_many_wrong_answers,
    links_again,
    guesses_at_links,
    later,
    until_it_is_too_much,
]


@pytest.mark.parametrize("chapter", CHAPTERS)
async def test_an_address_tells_nothing(settle: Settle, chapter: Callable[[Town], Awaitable[None]]) -> None:
    """Status, headers, words, order and size of the answers, statements and slow work are those of an unknown one."""
    await chapter(await settle([*LONG_AGO, *TODAY]))


async def test_an_activation_changes_no_answer(settle: Settle, owner_at: Callable[[str], Portal]) -> None:
    """Whoever knows a registration's id can't tell whether the person behind its address has activated it."""
    town = await settle([*LONG_AGO, *TODAY])
    owner = owner_at("198.51.100.99")
    await owner.deliver()
    await owner.account(email="founder@exemple.fr")  # Else the activations would make the organisation known.
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


# --- What the relay does, later and elsewhere ---


@dataclass(frozen=True)
class Relayed:
    """The work of one pass over the outbox: statements, mails composed, mails handed on or not."""

    statements: list[str]
    composed: Counter[str]
    sent_or_thrown_away: int


class Watch:
    """Takes note of what the relay does."""

    def __init__(self, town: Town, letterbox: Letterbox, composed: Counter[str]) -> None:
        self.visits = town.visits
        self._town = town
        self._letterbox = letterbox
        self._composed = composed

    async def relay_for(self, step: Callable[[Visit], Awaitable[httpx.Response]], expected: str) -> list[Relayed]:
        """What the relay does after *step* about each address; it is the same."""
        seen = []
        for visit in self.visits:
            await step(visit)
            assert visit.answer["__typename"] == expected
            seen.append(await self.relay())
        for visit, relayed in zip(self.visits, seen, strict=True):
            assert relayed == seen[0], visit.situation
        return seen

    def wait(self, **time: int) -> None:
        """Let some time go by."""
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
    """Return how often each mail was composed, counted from now on."""
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
    """Addresses in some situations, whose own mails have left hours ago."""

    async def settled(situations: Iterable[str]) -> Watch:
        town = await settle(situations)
        town.visits = [visit for visit in town.visits if "spelt" not in visit.situation]  # Their mailboxes are others'.
        for _ in range(3):
            await town.relay.deliver_due()
            town.clock.advance(hours=2)
        return Watch(town, letterbox, composed)

    return settled


NOBODY = {UNKNOWN, "nobody", "contact address"}
KNOWN_OR_NOT = [
    UNKNOWN,
    "account",
    "young account",
    "account and later attempts",
    "waiting",
    "contact address",
    "nobody",
]


async def test_the_relay_works_as_much_for_any_request_for_a_link(
    watch: Callable[[Iterable[str]], Awaitable[Watch]], letterbox: Letterbox
) -> None:
    """Statements, commits, mails composed and mails handed on or thrown away are the same."""
    watching = await watch(KNOWN_OR_NOT)
    before = len(letterbox.messages)
    rounds = [await watching.relay_for(Visit.resend, "ActivationMailRequested") for _ in range(5)]
    assert {relayed.sent_or_thrown_away for seen in rounds for relayed in seen} == {1}
    assert rounds[0][0].composed == {"activation": 1, "account_exists": 1}
    assert any("INSERT INTO activation_token" in statement for statement in rounds[0][0].statements)
    nobody = sum(visit.situation in NOBODY for visit in watching.visits)
    assert len(letterbox.messages) - before == 5 * (len(watching.visits) - nobody)


async def test_the_relay_works_as_much_for_any_sign_up(
    watch: Callable[[Iterable[str]], Awaitable[Watch]], letterbox: Letterbox
) -> None:
    """The same after a form and its captcha, again and again, until the mailbox is full and after."""
    watching = await watch(KNOWN_OR_NOT)

    async def sign_up(visit: Visit) -> httpx.Response:
        await visit.create()
        return await visit.answer_rightly()

    rounds = [await watching.relay_for(sign_up, "ActivationMailSent") for _ in range(8)]
    assert [seen[0].sent_or_thrown_away for seen in rounds] == [2] * 6 + [0] * 2
    assert rounds[0][0].composed == {"summary": 1, "activation": 1, "account_exists": 1}


async def test_the_relay_works_as_much_for_as_many_attempts(
    watch: Callable[[Iterable[str]], Awaitable[Watch]],
) -> None:
    """Where several attempts wait, each gets a new token in any case: with an account, one that nobody is sent."""
    watching = await watch([UNKNOWN, "account", "young account"])

    async def sign_up(visit: Visit) -> httpx.Response:
        await visit.create()
        return await visit.answer_rightly()

    for _ in range(3):
        await watching.relay_for(sign_up, "ActivationMailSent")
    watching.wait(hours=2)
    before = await ActivationToken.all().count()
    resent = await watching.relay_for(Visit.resend, "ActivationMailRequested")
    assert sum("INSERT INTO activation_token" in statement for statement in resent[0].statements) == 1
    assert await ActivationToken.all().count() - before == 3 * len(watching.visits)


@sqlite_only
async def test_every_operation_is_tried(settle: Settle, stranger_at: Callable[..., Visit]) -> None:
    """Each mutation of the contract, and each of its inputs for an address, is in the tests of this file."""
    town = await settle([])
    given = set()
    for number, chapter in enumerate(CHAPTERS):
        town.visits = [stranger_at(f"203.0.113.{number}", UNKNOWN, "camille.durand@exemple.fr")]
        await chapter(town)
        given |= town.visits[0].given
    expected = set()
    for type_ in (SCHEMA.query_type, SCHEMA.mutation_type):
        assert type_ is not None
        for name, field_ in type_.fields.items():
            if type_ is SCHEMA.mutation_type:
                expected.add(name)
            paths = {path for arg, value in field_.args.items() for path in inputs(f"{name}.{arg}", value.type)}
            expected |= {path for path in paths if is_of_addresses(path)}
    assert given == expected
