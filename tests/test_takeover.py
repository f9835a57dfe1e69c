"""Nobody takes over an account through its verification: neither by what they do with its address, nor by when."""

from __future__ import annotations

import asyncio
import hashlib
import re
from base64 import urlsafe_b64encode
from collections import Counter
from html.parser import HTMLParser
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from playwright.async_api import expect

from api.mail.transports import TransportError
from models.account import Account, Membership
from models.activation import ActivationToken, token_digest
from models.registration import Registration, RegistrationState
from tests.support.client import OTHER_SIRET, PASSWORD, SIRET, Answer, new_key, text_of, token_in, with_link
from tests.support.databases import sqlite_only
from tests.support.people import LegibleCaptcha, Person, PersonAt, person_at
from tests.support.tables import dump
from tests.support.visitor import visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
    from email.message import EmailMessage

    from playwright.async_api import Browser

    from api.settings.environment import Settings
    from tests.support.doubles import Clock, Letterbox
    from tests.support.visitor import MailedLink, Visitor

    Attack = Callable[[Person], Awaitable[None]]

pytestmark = pytest.mark.anyio
__all__ = ["person_at"]  # A fixture, for pytest to find here.

EMAIL = "camille.durand@exemple.fr"
ATTACKER_EMAIL = "alex.passant@ailleurs.fr"
KEY = "5b0c8a5e-2f4d-4c69-9e0b-8d1f6a7c3e21"
VICTIM: dict[str, Any] = {
    "email": EMAIL,
    "firstName": "Camille",
    "lastName": "Durand",
    "phone": "06 12 34 56 78",
    "contactEmail": "compta@exemple.fr",
    "siret": SIRET,
    "name": "Exemple SA",
    "language": "FR",
    "idempotencyKey": KEY,
}
STRANGER: dict[str, Any] = {
    "email": EMAIL,
    "firstName": "Alex",
    "lastName": "Passant",
    "phone": "06 99 99 99 99",
    "contactEmail": ATTACKER_EMAIL,
    "siret": OTHER_SIRET,
    "name": "Ailleurs SARL",
    "language": "EN",
    "surveyConsent": True,
}
ATTACKER_PASSWORD = "Lune-Orageuse-77"
ACCOUNT = {
    "email": EMAIL,
    "email_canonical": EMAIL,
    "first_name": "Camille",
    "last_name": "Durand",
    "phone": "+33612345678",
    "contact_email": "compta@exemple.fr",
    "language": "fr",
    "survey_consent": False,
}
TOKEN = re.compile(r"#token=(\S+)$", re.MULTILINE)
ACCOUNT_EXISTS = "Vous avez déjà un compte"


@pytest.fixture
def captcha() -> LegibleCaptcha:
    return LegibleCaptcha()


@pytest.fixture
def rate_limits() -> str:
    """Return no limits; a test that needs them overrides this fixture."""
    return "off"


@pytest.fixture
def settings(settings: Settings, rate_limits: str) -> Settings:
    """Return settings whose links lead to the page that the application itself serves."""
    return settings.replace(activation_url="http://localhost/", rate_limits=rate_limits)


@pytest.fixture
def victim(person_at: PersonAt) -> Person:
    return person_at("192.0.2.1")


@pytest.fixture
def attacker(person_at: PersonAt) -> Person:
    """Return a person who sees the answers to their own calls, and no mail except at their own address."""
    return person_at("203.0.113.66")


# --- What the victim does ---


def tokens_in(mails: Iterable[EmailMessage]) -> list[str]:
    """Return the tokens of all links in the mails to the victim."""
    return [token for mail in mails if mail["To"].lower() == EMAIL for token in TOKEN.findall(text_of(mail))]


async def own_token(victim: Person, mails: Iterable[EmailMessage]) -> str:
    """Return the token of the link that shows the victim's own data. Fail if no such link works."""
    links = {token: await victim.inspect_activation_link(token) for token in tokens_in(mails)}
    return next(token for token, link in links.items() if is_own(link))


def is_own(link: Answer) -> bool:
    organisation = link["organisation"]["identifier"]["value"]
    return (link["state"], link["firstName"], link["lastName"], organisation) == ("USABLE", "Camille", "Durand", SIRET)


MOMENTS = [
    "before",
    "after the form",
    "after another picture",
    "after a wrong answer",
    "after the captcha",
    "after the mails",
    "after a look at the link",
    "after a refused password",
    "after the activation",
]


async def sign_up_step_by_step(victim: Person) -> AsyncIterator[str]:
    """Take the victim from the form to the account and yield after each step, which must succeed."""
    yield "before"
    pending = await victim.create_account(**VICTIM)
    assert (pending["__typename"], pending["attemptsLeft"]) == ("PendingRegistration", 5), pending
    yield "after the form"
    pending = await victim.renew_captcha(pending["id"])
    assert (pending["__typename"], pending["attemptsLeft"]) == ("PendingRegistration", 5), pending
    yield "after another picture"
    rejected = await victim.answer_wrongly(pending)
    assert (rejected["code"], rejected["registration"]["attemptsLeft"]) == ("CAPTCHA_REJECTED", 4), rejected
    yield "after a wrong answer"
    sent = await victim.answer_rightly(rejected["registration"])
    assert (sent["__typename"], sent["email"]) == ("ActivationMailSent", EMAIL), sent
    yield "after the captcha"
    await victim.deliver()
    mails = [mail for mail in victim.letterbox.messages if mail["To"] == EMAIL]
    assert len([mail for mail in mails if "+33612345678" in text_of(mail)]) == 1  # The summary of the form.
    yield "after the mails"
    token = await own_token(victim, mails)
    yield "after a look at the link"
    refused = await victim.activate_account(token, "Camille-Durand-1")
    assert refused["__typename"] == "InvalidInput", refused
    yield "after a refused password"
    activated = await victim.activate_account(token)
    assert activated["__typename"] == "AccountActivated", activated
    yield "after the activation"


async def get_an_account(victim: Person) -> None:
    """Take the victim from the form to the account without disturbance."""
    async for _ in sign_up_step_by_step(victim):
        pass


async def check_that_nothing_was_taken(victim: Person, attacker: Person) -> None:
    """Check that the account is the victim's in every column, and that the attacker has neither data nor a link."""
    await victim.deliver()
    account = await Account.get(email_canonical=EMAIL)
    assert {name: getattr(account, name) for name in ACCOUNT} == ACCOUNT
    membership = await Membership.get(account=account).prefetch_related("organisation")
    assert (membership.organisation.identifier_value, membership.organisation.name) == (SIRET, "Exemple SA")
    check_password_of(account, PASSWORD, wrong_passwords=[ATTACKER_PASSWORD, "Camille-Durand-1", ""])
    own = await Registration.get(phone="+33612345678")
    activated = await Registration.filter(email_canonical=EMAIL, state=RegistrationState.ACTIVATED)
    assert [registration.id for registration in activated] == [own.id]
    await check_links(victim, own)
    secrets = [*tokens_in(victim.letterbox.messages), str(own.id), str(account.id), "+33612345678", "compta@exemple.fr"]
    assert [secret for secret in secrets if secret in "\n".join(attacker.heard)] == []


def check_password_of(account: Account, password: str, *, wrong_passwords: Iterable[str]) -> None:
    hasher = PasswordHasher()
    assert hasher.verify(account.password_hash, password)
    for other in wrong_passwords:
        with pytest.raises(VerifyMismatchError):
            hasher.verify(account.password_hash, other)


async def check_links(victim: Person, own: Registration) -> None:
    """Check that the victim's own links are used, and that the links of all other attempts no longer work."""
    for token in tokens_in(victim.letterbox.messages):
        stored = await ActivationToken.get(digest=token_digest(token)).prefetch_related("registration")
        expected = "USED" if stored.registration.id == own.id else "SUPERSEDED"
        assert (await victim.inspect_activation_link(token))["state"] == expected
        refused = await victim.activate_account(token, ATTACKER_PASSWORD)
        assert refused["code"] == f"ACTIVATION_LINK_{expected}"


# --- What the attacker does ---


async def sign_up(attacker: Person) -> None:
    """Sign up with the attacker's own data and pass the captcha."""
    await attacker.pass_captcha(**STRANGER)


async def sign_up_in_another_spelling(attacker: Person) -> None:
    await attacker.pass_captcha(**STRANGER | {"email": "Camille.DURAND@Exemple.FR"})


async def sign_up_for_the_same_organisation(attacker: Person) -> None:
    await attacker.pass_captcha(**STRANGER | {"siret": SIRET, "name": "Exemple SA"})


async def send_a_form(attacker: Person) -> None:
    """Send a form and never answer its captcha."""
    await attacker.create_account(**STRANGER)


async def exhaust_a_captcha(attacker: Person) -> None:
    pending = await attacker.create_account(**STRANGER)
    await attacker.renew_captcha(pending["id"])
    for _ in range(7):
        answer = await attacker.verify_captcha(pending["id"], "wrong")
    assert answer["code"] == "CAPTCHA_ATTEMPTS_EXHAUSTED"


async def ask_for_links(attacker: Person) -> None:
    for email in (EMAIL, EMAIL.upper(), f" {EMAIL} "):
        assert (await attacker.resend_activation_mail(email))["__typename"] == "ActivationMailRequested"


async def guess_keys(attacker: Person) -> None:
    """Try idempotency keys that a poor client might use, and keys that resemble the victim's."""
    for key in ("0" * 32, "00000000-0000-4000-8000-000000000000", new_key(), KEY[:-1] + "0", KEY[::-1]):
        await attacker.create_account(**STRANGER | {"idempotencyKey": key})


async def use_the_address_for_contact(attacker: Person) -> None:
    """Sign up with another address and name the victim's as the contact address."""
    await attacker.pass_captcha(**STRANGER | {"email": ATTACKER_EMAIL, "contactEmail": EMAIL})


async def activate_with_guesses(attacker: Person) -> None:
    """Activate with tokens made from the address and from the attacker's own registrations."""
    pending = await attacker.pass_captcha(**STRANGER)
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in (EMAIL, pending["id"], KEY)]
    for token in (EMAIL, pending["id"], KEY, "A" * 43, "", *digests):
        assert (await attacker.inspect_activation_link(token))["state"] == "UNKNOWN"
        refused = await attacker.activate_account(token, ATTACKER_PASSWORD)
        assert refused["code"] == "ACTIVATION_LINK_UNKNOWN"


async def misuse_own_links(attacker: Person) -> None:
    """Use a link sent to the attacker: for an account of their own, then again, and in altered forms."""
    own = f"alex{len(attacker.heard)}@ailleurs.fr"
    await attacker.pass_captcha(**STRANGER | {"email": own})
    await attacker.relay.deliver_due()
    (mail,) = with_link(mail for mail in attacker.letterbox.messages if mail["To"] == own)
    token = token_in(mail)
    activated = await attacker.activate_account(token, ATTACKER_PASSWORD)
    assert activated["account"]["email"] == own
    for variant in (token, f"{token}{EMAIL}", f"{token}&email={EMAIL}", token.swapcase()):
        refused = await attacker.activate_account(variant, ATTACKER_PASSWORD)
        assert refused["code"] in {"ACTIVATION_LINK_USED", "ACTIVATION_LINK_UNKNOWN"}


ATTACKS = [
    sign_up,
    sign_up_in_another_spelling,
    sign_up_for_the_same_organisation,
    send_a_form,
    exhaust_a_captcha,
    ask_for_links,
    guess_keys,
    use_the_address_for_contact,
    activate_with_guesses,
    misuse_own_links,
]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_victim_gets_the_account_whenever_the_attacker_acts(
    victim: Person, attacker: Person, moment: str
) -> None:
    """A stranger who signs up with the victim's address, at any moment, gets nothing and stops nobody."""
    moments = []
    async for reached in sign_up_step_by_step(victim):
        moments.append(reached)
        if reached == moment:
            await sign_up(attacker)
    assert moments == MOMENTS
    await check_that_nothing_was_taken(victim, attacker)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_victim_gets_the_account_despite_any_attack(victim: Person, attacker: Person, attack: Attack) -> None:
    """No attack, repeated after every step of the victim, gives the attacker anything or stops the victim."""
    async for _ in sign_up_step_by_step(victim):
        await attack(attacker)
    await check_that_nothing_was_taken(victim, attacker)


async def test_victim_gets_the_account_despite_simultaneous_attacks(
    victim: Person, attacker: Person, person_at: PersonAt
) -> None:
    """Several strangers who attack at once, after every step of the victim, get nothing and stop nobody."""
    strangers = [attacker, *(person_at(f"203.0.113.{number}") for number in range(3))]
    attacks = [sign_up, send_a_form, ask_for_links, guess_keys]
    async for _ in sign_up_step_by_step(victim):
        await asyncio.gather(*(attack(stranger) for attack, stranger in zip(attacks, strangers, strict=True)))
    for stranger in strangers:
        await check_that_nothing_was_taken(victim, stranger)


@pytest.mark.parametrize("rate_limits", ["on"])
async def test_full_mailbox_delays_the_link_by_hours_at_most(clock: Clock, victim: Person, person_at: PersonAt) -> None:
    """Strangers who fill the victim's mailbox delay the link by a few hours at most."""
    for number in range(2):
        stranger = person_at(f"198.51.100.{number}")
        for _ in range(10):
            await stranger.pass_captcha(**STRANGER)
    await victim.pass_captcha(**VICTIM)
    for hour in range(4):
        mails = await victim.deliver()
        assert len(mails) <= 12
        links = [(token, await victim.inspect_activation_link(token)) for token in tokens_in(mails)]
        own = [token for token, link in links if is_own(link)]
        assert hour > 0 or not own  # The mailbox was full.
        if own:
            break
        clock.advance(hours=1, seconds=30)
    assert (await victim.activate_account(own[0]))["__typename"] == "AccountActivated"
    await check_that_nothing_was_taken(victim, stranger)


# --- Secrets that a stranger may know ---


async def test_known_idempotency_key_reveals_nothing_to_another_form(
    victim: Person, attacker: Person, database_url: str
) -> None:
    """A form that differs from the victim's under the same key gets a conflict without any data."""
    pending = await victim.create_account(**VICTIM)
    before = await dump(database_url)
    guesses: list[dict[str, Any]] = [
        STRANGER,
        VICTIM | {"contactEmail": ATTACKER_EMAIL},
        VICTIM | {"phone": None},
        VICTIM | {"email": ATTACKER_EMAIL},
        VICTIM | {"name": "Exemple SARL"},
    ]
    for guess in guesses:
        answer = await attacker.create_account(**guess | {"idempotencyKey": KEY})
        assert set(answer) == {"__typename", "code", "message"}
        assert answer["code"] == "IDEMPOTENCY_CONFLICT"
    assert await dump(database_url) == before
    assert (await victim.answer_rightly(pending))["__typename"] == "ActivationMailSent"
    assert pending["id"] not in "\n".join(attacker.heard)


async def test_known_registration_id_can_only_pass_the_captcha(victim: Person, attacker: Person) -> None:
    """With a registration's id, a stranger can pass its captcha and see its address and identifier, no more."""
    pending = await victim.create_account(**VICTIM)
    renewed = await attacker.renew_captcha(pending["id"])
    assert (await attacker.answer_rightly(renewed))["__typename"] == "ActivationMailSent"
    for token in (pending["id"], token_digest(pending["id"])):
        assert (await attacker.inspect_activation_link(token))["state"] == "UNKNOWN"
        refused = await attacker.activate_account(token, ATTACKER_PASSWORD)
        assert refused["code"] == "ACTIVATION_LINK_UNKNOWN"
    mails = await victim.deliver()
    assert {mail["To"] for mail in mails} == {EMAIL}
    token = await own_token(victim, mails)
    assert (await victim.activate_account(token))["__typename"] == "AccountActivated"
    assert (await attacker.renew_captcha(pending["id"]))["state"] == "VERIFIED"
    heard = "\n".join(attacker.heard)
    entries = (token, "Camille", "Durand", "612345678", "compta@", "Exemple SA")
    assert [entry for entry in entries if entry in heard] == []


def variants(token: str) -> set[str]:
    """Return texts that resemble *token*, by mistake or in the hope of a lenient reading."""
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(token[-1])
    same_bytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    return {
        token.lower(),
        token.upper(),
        token.swapcase(),
        token + "=",
        token + "==",
        token[:-1],
        token[1:],
        token[:-1] + same_bytes,
        token[::-1],
        token * 2,
        f"{token}\0",
        f"{token[:20]} {token[20:]}",
        f"{token[:20]}=\r\n{token[20:]}",
        token.translate(str.maketrans("-_", "+/")) + "=",
        "".join(chr(ord(char) + 0xFEE0) for char in token),
        quote(f"{token} "),
        f"#token={token}",
        f"token={token}",
        f"http://localhost/#token={token}",
        urlsafe_b64encode(token.encode()).decode(),
        token_digest(token),
        token_digest(token).upper(),
        f"' OR digest = '{token_digest(token)}",
        "%",
        "_" * len(token),
    } - {token}


async def test_altered_token_is_unknown(victim: Person, attacker: Person, database_url: str) -> None:
    """A token in another case, padding, length or form, or its digest, is unknown, and tells and changes nothing."""
    await victim.pass_captcha(**VICTIM)
    token = await own_token(victim, await victim.deliver())
    before = await dump(database_url)
    unknown = await attacker.check_password("Camille-Durand-1", activationToken="A" * 43)
    for other in variants(token):
        assert (await attacker.inspect_activation_link(other))["state"] == "UNKNOWN", other
        assert await attacker.check_password("Camille-Durand-1", activationToken=other) == unknown, other
        refused = await attacker.activate_account(other, ATTACKER_PASSWORD)
        assert refused["code"] == "ACTIVATION_LINK_UNKNOWN", other
    assert await dump(database_url) == before
    known = await victim.check_password("Camille-Durand-1", activationToken=token)
    assert known != unknown
    assert (await victim.activate_account(token))["__typename"] == "AccountActivated"


# --- Once there is an account ---


async def test_sign_up_after_the_activation_brings_no_link(victim: Person, attacker: Person) -> None:
    """A later attempt sends the owner one mail about their account, without a link or any of its entries."""
    await get_an_account(victim)
    before = await Account.get(email_canonical=EMAIL).values()
    await victim.deliver()
    for attack in (sign_up, sign_up_in_another_spelling, sign_up_for_the_same_organisation):
        await attack(attacker)
        (mail,) = await victim.deliver()
        check_account_exists(mail)
    await ask_for_links(attacker)
    for mail in await victim.deliver():
        check_account_exists(mail)
    for attack in (send_a_form, exhaust_a_captcha):
        await attack(attacker)
        assert await victim.deliver() == []
    assert await Account.get(email_canonical=EMAIL).values() == before
    await check_that_nothing_was_taken(victim, attacker)


def check_account_exists(mail: EmailMessage) -> None:
    """Check that this mail tells the owner about their account and contains none of the attacker's entries."""
    assert (mail["To"], mail["Subject"]) == (EMAIL, ACCOUNT_EXISTS)
    parts = [part.get_content() for part in mail.walk() if not part.is_multipart()]
    assert len(parts) == 2
    for part in parts:
        for word in ("token", "Alex", "Passant", "Ailleurs", "99 99", ATTACKER_EMAIL, OTHER_SIRET[:9], "DURAND@"):
            assert word not in part


async def test_attempt_in_progress_at_the_activation_brings_no_link(victim: Person, attacker: Person) -> None:
    """An attempt that passed its captcha before the activation, with mails due after it, brings no link."""
    await victim.pass_captcha(**VICTIM)
    token = await own_token(victim, await victim.deliver())
    await attacker.pass_captcha(**STRANGER)
    await attacker.resend_activation_mail(EMAIL)
    assert (await victim.activate_account(token))["__typename"] == "AccountActivated"
    mails = await victim.deliver()
    assert len(mails) == 2
    for mail in mails:
        check_account_exists(mail)
    await check_that_nothing_was_taken(victim, attacker)


async def test_mail_delayed_past_the_activation_brings_no_link(
    victim: Person, attacker: Person, letterbox: Letterbox, clock: Clock
) -> None:
    """A mail that the mail server refused before the activation is composed anew afterwards, without a link."""
    await victim.pass_captcha(**VICTIM)
    token = await own_token(victim, await victim.deliver())
    await attacker.pass_captcha(**STRANGER)
    letterbox.failures = [TransportError("away"), TransportError("away")]
    assert await victim.deliver() == []
    assert (await victim.activate_account(token))["__typename"] == "AccountActivated"
    clock.advance(minutes=1)
    mails = await victim.deliver()
    assert len(mails) == 1  # The summary of the form, which was decided earlier.
    assert tokens_in(mails) == []
    await check_that_nothing_was_taken(victim, attacker)


async def test_older_attempt_never_gets_a_working_link_again(victim: Person, attacker: Person, clock: Clock) -> None:
    """After the activation, an older attempt gets no new link on any day, and its first link stays superseded."""
    await attacker.pass_captcha(**STRANGER)
    (early,) = tokens_in(await victim.deliver())
    await get_an_account(victim)
    for _ in range(8):
        await attacker.resend_activation_mail(EMAIL)
        assert [mail["Subject"] for mail in await victim.deliver()] == [ACCOUNT_EXISTS]
        assert (await attacker.activate_account(early, ATTACKER_PASSWORD))["code"] == "ACTIVATION_LINK_SUPERSEDED"
        clock.advance(days=1)
    assert await Account.filter(email_canonical=EMAIL).count() == 1


async def test_racing_activations_make_one_consistent_account(victim: Person, attacker: Person) -> None:
    """Of two attempts activated at once, one makes the account, with its own data and its own password."""
    await victim.pass_captcha(**VICTIM)
    await attacker.pass_captcha(**STRANGER)
    mails = await victim.deliver()
    own = await own_token(victim, mails)
    (other,) = set(tokens_in(mails)) - {own}
    passwords = {own: PASSWORD, other: ATTACKER_PASSWORD}
    answers = await asyncio.gather(
        *(victim.activate_account(token, password) for token, password in passwords.items() for _ in range(2))
    )
    codes = Counter(answer.get("code", answer["__typename"]) for answer in answers)
    assert codes["AccountActivated"] == 1
    assert set(codes) <= {"AccountActivated", "ACTIVATION_LINK_USED", "ACTIVATION_LINK_SUPERSEDED"}
    account = await Account.get()
    won, lost = (own, other) if account.first_name == "Camille" else (other, own)
    check_password_of(account, passwords[won], wrong_passwords=[passwords[lost]])
    form = VICTIM if won == own else STRANGER
    assert (account.last_name, account.contact_email) == (form["lastName"], form["contactEmail"])
    (membership,) = await Membership.all().prefetch_related("organisation")
    assert membership.organisation.identifier_value == form["siret"]
    states = [(await victim.inspect_activation_link(token))["state"] for token in (won, lost)]
    assert states == ["USED", "SUPERSEDED"]


# --- Attempts are independent ---


async def test_exhausted_attempt_affects_no_other(victim: Person, attacker: Person) -> None:
    """Each attempt of an address has its own captcha and its own number of tries."""
    own, strange = await victim.create_account(**VICTIM), await attacker.create_account(**STRANGER)
    for _ in range(5):
        await attacker.verify_captcha(strange["id"], "wrong")
    assert (await attacker.renew_captcha(strange["id"]))["state"] == "CAPTCHA_ATTEMPTS_EXHAUSTED"
    assert (await victim.renew_captcha(own["id"]))["attemptsLeft"] == 5


async def test_captcha_answer_passes_its_own_attempt_only(victim: Person, attacker: Person) -> None:
    """The answer to one attempt's picture passes no other attempt of the same address."""
    own, strange = await victim.create_account(**VICTIM), await attacker.create_account(**STRANGER)
    read = attacker.captcha.read(strange["captcha"]["image"])
    rejected = await attacker.verify_captcha(own["id"], read)
    assert rejected["code"] == "CAPTCHA_REJECTED"
    assert (await attacker.answer_rightly(strange))["__typename"] == "ActivationMailSent"
    assert (await victim.answer_rightly(rejected["registration"]))["__typename"] == "ActivationMailSent"


async def test_expired_attempt_affects_no_other(victim: Person, attacker: Person, clock: Clock) -> None:
    """Each attempt of an address expires at its own time."""
    strange = await attacker.create_account(**STRANGER)
    clock.advance(minutes=29)
    own = await victim.create_account(**VICTIM)
    clock.advance(minutes=2)
    assert (await attacker.renew_captcha(strange["id"]))["code"] == "REGISTRATION_NOT_FOUND"
    assert (await victim.answer_rightly(own))["__typename"] == "ActivationMailSent"


async def test_expired_link_affects_no_other(victim: Person, attacker: Person, clock: Clock) -> None:
    """Each link of an address lives for one hour, and a stranger's request for new links voids none."""
    await attacker.pass_captcha(**STRANGER)
    (strange,) = tokens_in(await victim.deliver())
    clock.advance(minutes=59)
    await victim.pass_captcha(**VICTIM)
    own = await own_token(victim, await victim.deliver())
    clock.advance(minutes=2)
    await attacker.resend_activation_mail(EMAIL)
    assert len(tokens_in(await victim.deliver())) == 2
    states = [(await victim.inspect_activation_link(token))["state"] for token in (strange, own)]
    assert states == ["EXPIRED", "USABLE"]
    assert (await victim.activate_account(own))["__typename"] == "AccountActivated"


# --- Programs that open links ---


class _Links(HTMLParser):
    """A collector of all URLs in a page that a program may fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for _, value in attrs if value and value.startswith(("http:", "https:"))}


def urls_in(mail: EmailMessage) -> set[str]:
    """Return the URLs in a mail's text and HTML."""
    html = mail.get_body(("html",))
    assert html is not None
    return set(re.findall(r"https?://\S+", text_of(mail))) | _Links(html.get_content()).found


def misread(url: str) -> Iterator[str]:
    """Yield *url*, and variants of it as programs make that misread fragments."""
    yield url
    page, _, fragment = url.partition("#")
    if fragment:
        yield page
        yield f"{page}?{fragment}"
        yield f"{page}?step=password&{fragment}"
        yield f"{page}%23{fragment}"
        yield f"{page}{fragment.partition('=')[2]}"


PREFETCH = {"Purpose": "prefetch", "X-Purpose": "preview", "Sec-Purpose": "prefetch;prerender", "X-Moz": "prefetch"}
SCANNER = {"User-Agent": "Mozilla/5.0 (compatible; LinkCheck/1.0)", "Accept": "text/html,application/xhtml+xml,*/*"}


async def test_mail_scanner_without_scripts_changes_nothing(
    victim: Person, attacker: Person, database_url: str
) -> None:
    """A program that requests the URLs of mails by any method changes no row, and the links still work."""
    await attacker.pass_captcha(**STRANGER)
    await victim.pass_captcha(**VICTIM)
    mails = await victim.deliver()
    urls = set().union(*(urls_in(mail) for mail in mails))
    assert {urlsplit(url).fragment for url in urls} >= {f"token={token}" for token in tokens_in(mails)}
    own = await own_token(victim, mails)
    form = {"token": own, "password": ATTACKER_PASSWORD, "passwordConfirmation": ATTACKER_PASSWORD}
    before = await dump(database_url)
    answered = Counter[int]()
    for url in chain.from_iterable(map(misread, urls)):
        for headers in (SCANNER, SCANNER | PREFETCH):
            for method in ("GET", "GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
                answered[(await attacker.http.request(method, url, headers=headers)).status_code] += 1
            answered[(await attacker.http.post(url, data=form, headers=headers)).status_code] += 1
    assert answered[200] > 0
    assert max(answered) < 500
    assert await dump(database_url) == before
    assert (await victim.activate_account(own))["__typename"] == "AccountActivated"


async def test_mail_about_an_account_links_to_sign_in_only(victim: Person, attacker: Person) -> None:
    """A mail to somebody who has an account has no link except the one to the sign-in page."""
    await get_an_account(victim)
    await sign_up(attacker)
    (mail,) = await victim.deliver()
    assert urls_in(mail) == {"https://portal.example.org/sign-in"}


async def look_around(person: Visitor) -> None:
    """Point at and focus all elements, and press all buttons except those that submit."""
    await person.is_at("password")
    for element in await person.page.locator(":is(a, button, input, summary):visible:not([tabindex='-1'])").all():
        await element.focus()
        await element.hover()
    for button in await person.page.locator("button:not([type=submit]):visible").all():
        await button.click()
    await person.page.keyboard.press("Escape")
    await person.is_at("password")


async def leave_open(person: Visitor) -> None:
    """Leave the page open for longer than a link lives."""
    await person.is_at("password")
    await person.page.clock.fast_forward("02:00:00")
    await person.is_at("password")


async def reload(person: Visitor) -> None:
    await person.is_at("password")
    await person.page.reload()
    await person.is_at("resend")


async def go_away_and_back(person: Visitor) -> None:
    await person.is_at("password")
    await person.page.goto("about:blank")
    await person.page.go_back()
    await expect(person.page.locator("main > section:visible")).to_have_count(1)


@sqlite_only
@pytest.mark.parametrize("visit", [look_around, leave_open, reload, go_away_and_back])
async def test_scanner_with_a_browser_changes_nothing(
    browser: Browser,
    server: str,
    mailed_link: MailedLink,
    database_url: str,
    *,
    visit: Callable[[Visitor], Awaitable[None]],
) -> None:
    """A scanner that opens a link in a real browser twice, without submitting, changes no row; the link still works."""
    token = await mailed_link()
    before = await dump(database_url)
    for _ in range(2):
        async with visitor(browser, server, address=f"/#token={token}") as scanner:
            await scanner.is_at("password")
            await scanner.page.clock.install()
            await scanner.open_link(token)
            await visit(scanner)
        assert await dump(database_url) == before
    async with visitor(browser, server) as person:
        await person.activate(token)
