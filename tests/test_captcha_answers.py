"""renewCaptcha and verifyCaptcha: right, wrong, late, repeated and simultaneous answers."""

from __future__ import annotations

import asyncio
import base64
import io
import wave
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from api.captcha.challenge import Challenge
from models.outbox import OutboxMessage
from models.registration import Registration, RegistrationState, StoredChallenge
from tests.support.client import RENEW_CAPTCHA, VERIFY_CAPTCHA, form

if TYPE_CHECKING:
    from tests.support.client import Answer, Portal
    from tests.support.doubles import Clock, KnownCaptcha

pytestmark = pytest.mark.anyio

EMAIL = "camille.durand@exemple.fr"
LETTERS = "KTRXWQ"  # No digest, id or date has one of these.
NOT_FOUND = ("RegistrationNotFound", "REGISTRATION_NOT_FOUND")
NO_REGISTRATION = ["6f1b8f9e-97e6-4b0b-a7a3-8f4b5b8f5d11", "", "x", "1" * 5000, "6f1b8f9e' OR '1'='1", "a\0b", "\ud800"]


@pytest.fixture
def letters_as_answer(captcha: KnownCaptcha, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make LETTERS the answer to every challenge."""
    ids = iter(range(1000))
    monkeypatch.setattr(captcha, "new_challenge", lambda: Challenge(id=f"{next(ids):032}", answer=LETTERS))


async def begin(portal: Portal) -> str:
    """Start a registration. Return its id."""
    registration_id: str = (await portal.create_account(email=EMAIL))["id"]
    return registration_id


async def answer_wrongly(portal: Portal, registration_id: str, times: int = 1) -> Answer:
    for _ in range(times):
        answer = await portal.verify_captcha(registration_id, portal.captcha.wrong_answer)
    return answer


def brief(text: str) -> str:
    return ascii(text)[:30]


def kind(answer: Answer) -> tuple[str, str | None]:
    return answer["__typename"], answer.get("code")


# --- renewCaptcha ---


async def test_renewal_brings_a_fresh_captcha(portal: Portal, clock: Clock) -> None:
    """A renewal brings another picture for ten minutes. It costs no attempt and extends no registration."""
    first = await portal.create_account()
    clock.advance(minutes=5)
    renewed = await portal.renew_captcha(first["id"])
    assert (renewed["id"], renewed["state"], renewed["attemptsLeft"]) == (first["id"], "AWAITING_CAPTCHA", 5)
    assert renewed["captcha"]["image"] != first["captcha"]["image"]
    assert renewed["captcha"]["expiresAt"] == "2026-11-23T09:45:00Z"
    assert (renewed["expiresAt"], renewed["expiresInSeconds"]) == (first["expiresAt"], 1500)
    assert renewed["organisation"] == first["organisation"]
    assert kind(await portal.verify_captcha(first["id"], portal.captcha.answer)) == ("ActivationMailSent", None)


async def test_renewal_voids_the_previous_challenge(portal: Portal) -> None:
    """After a renewal, the answer to the previous picture is wrong."""
    registration_id, previous = await begin(portal), portal.captcha.answer
    await portal.renew_captcha(registration_id)
    assert kind(await portal.verify_captcha(registration_id, previous)) == ("CaptchaRejected", "CAPTCHA_REJECTED")


async def test_challenge_never_outlives_its_registration(portal: Portal, clock: Clock) -> None:
    """A challenge expires no later than its registration."""
    registration_id = await begin(portal)
    clock.advance(minutes=25)
    assert (await portal.renew_captcha(registration_id))["captcha"]["expiresInSeconds"] == 300


async def test_renewal_gives_back_no_attempt(portal: Portal) -> None:
    """A renewal gives back no attempt, and brings no picture when none is left."""
    registration_id = await begin(portal)
    await answer_wrongly(portal, registration_id)
    assert (await portal.renew_captcha(registration_id))["attemptsLeft"] == 4
    await answer_wrongly(portal, registration_id, 4)
    renewed = await portal.renew_captcha(registration_id)
    assert (renewed["state"], renewed["attemptsLeft"]) == ("CAPTCHA_ATTEMPTS_EXHAUSTED", 0)
    assert renewed["captcha"] is None


async def test_solved_captcha_is_not_renewed(portal: Portal) -> None:
    """A solved captcha is not renewed, neither before nor after the activation."""
    token = await portal.activation_token()
    registration_id = str((await Registration.get()).id)
    before = await portal.renew_captcha(registration_id)
    await portal.activate_account(token)
    after = await portal.renew_captcha(registration_id)
    for renewed in (before, after):
        assert (renewed["id"], renewed["state"], renewed["captcha"]) == (registration_id, "VERIFIED", None)


@pytest.mark.parametrize("registration_id", NO_REGISTRATION, ids=brief)
async def test_unknown_registration_is_not_found(portal: Portal, registration_id: str) -> None:
    """Both operations answer an unknown or malformed id with REGISTRATION_NOT_FOUND."""
    entered = {"registrationId": registration_id, "answer": "123456"}
    assert kind(await portal.call_in_ascii(RENEW_CAPTCHA, {"registrationId": registration_id})) == NOT_FOUND
    assert kind(await portal.call_in_ascii(VERIFY_CAPTCHA, {"input": entered})) == NOT_FOUND


@pytest.mark.parametrize(
    ("language", "not_found", "rejected", "sent"),
    [
        (None, "Cette inscription n’existe pas", "Il vous reste 4 essais.", "Deux courriels sont en route vers"),
        ("en", "This registration does not exist", "You have 4 attempts left.", "Two e-mails are on their way to"),
    ],
)
async def test_messages_are_in_the_language_of_the_header(
    portal: Portal, language: str | None, not_found: str, rejected: str, sent: str
) -> None:
    """Messages follow the header, and are French by default. The language of the mails does not matter."""
    registration_id = (await portal.create_account(language="FR" if language else "EN"))["id"]

    async def verify(answer: str) -> str:
        entered = {"registrationId": registration_id, "answer": answer}
        message: str = (await portal.call(VERIFY_CAPTCHA, {"input": entered}, language=language))["message"]
        return message

    missing = await portal.call(RENEW_CAPTCHA, {"registrationId": "x"}, language=language)
    assert missing["message"].startswith(not_found)
    assert (await verify(portal.captcha.wrong_answer)).endswith(rejected)
    assert (await verify(portal.captcha.answer)).startswith(sent)


async def test_captcha_has_a_sound_if_it_is_selected(portal: Portal) -> None:
    """A new and a renewed challenge have a sound, as a WAV in a data URL, if the query selects it."""
    selected = "{ ... on PendingRegistration { id captcha { audio } } }"
    query = f"mutation ($input: CreateAccountInput!) {{ createAccount(input: $input) {selected} }}"
    started = await portal.call(query, {"input": form()})
    query = f"mutation ($id: ID!) {{ renewCaptcha(registrationId: $id) {selected} }}"
    renewed = await portal.call(query, {"id": started["id"]}, language="en")
    for answer in (started, renewed):
        head, _, sound = answer["captcha"]["audio"].partition(",")
        assert head == "data:audio/wav;base64"
        with wave.open(io.BytesIO(base64.b64decode(sound))) as spoken:
            assert spoken.getnframes() / spoken.getframerate() > 3
    assert started["captcha"]["audio"] != renewed["captcha"]["audio"]


# --- verifyCaptcha: right answers ---


async def test_right_answer_sends_two_mails(portal: Portal) -> None:
    """A right answer names the address as entered and the link's lifetime, and two mails leave."""
    registration_id = (await portal.create_account(email=" Camille.Durand@exemple.fr", language="EN"))["id"]
    entered = {"input": {"registrationId": registration_id, "answer": portal.captcha.answer}}
    assert await portal.call(VERIFY_CAPTCHA, entered, language="en") == {
        "__typename": "ActivationMailSent",
        "email": "Camille.Durand@exemple.fr",
        "linkLifetimeMinutes": 60,
        "message": "Two e-mails are on their way to Camille.Durand@exemple.fr: a summary, and the activation link.",
    }
    mails = await portal.deliver()
    assert {mail["Subject"] for mail in mails} == {"Summary of your registration", "Activate your account"}
    assert {mail["To"] for mail in mails} == {"Camille.Durand@exemple.fr"}


@pytest.mark.usefixtures("letters_as_answer")
@pytest.mark.parametrize("entered", ["ktrxwq", " KTR XWQ ", "K\u00a0T\u202fR\tXWQ\n", "ＫＴＲＸＷＱ", "kT\u200brxWq"])
async def test_letter_case_blanks_and_width_of_an_answer_do_not_matter(portal: Portal, entered: str) -> None:
    """An answer is right in any letter case and width, with any blanks."""
    assert kind(await portal.verify_captcha(await begin(portal), entered)) == ("ActivationMailSent", None)


async def test_full_width_digits_are_accepted(portal: Portal) -> None:
    """Full-width digits from a Japanese keyboard are right."""
    registration_id = await begin(portal)
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in portal.captcha.answer)
    assert kind(await portal.verify_captcha(registration_id, full_width)) == ("ActivationMailSent", None)


async def test_repeated_right_answer_sends_no_further_mail(portal: Portal) -> None:
    """A repeated right answer gets the same reply and sends no further mail."""
    registration_id, right = await begin(portal), portal.captcha.answer
    first = await portal.verify_captcha(registration_id, right)
    assert len(await portal.deliver()) == 2
    assert await portal.verify_captcha(registration_id, right) == first
    assert await portal.deliver() == []
    assert await OutboxMessage.all().count() == 2


async def test_repeated_right_answer_does_not_reveal_the_activation(portal: Portal) -> None:
    """A right answer gets the same reply before and after the activation."""
    registration_id, right = await begin(portal), portal.captcha.answer
    first = await portal.verify_captcha(registration_id, right)
    await portal.deliver()
    await Registration.all().update(state=RegistrationState.ACTIVATED)
    assert await portal.verify_captcha(registration_id, right) == first


@pytest.mark.usefixtures("letters_as_answer")
async def test_answer_is_stored_as_a_digest_only(portal: Portal) -> None:
    """No column of the registration contains the answer, before and after verification."""
    registration_id = await begin(portal)
    (before,) = await Registration.all().values()
    await portal.verify_captcha(registration_id, LETTERS)
    (after,) = await Registration.all().values()
    assert after["state"] == "VERIFIED"
    assert LETTERS not in f"{before} {after}".upper()
    assert len(bytes.fromhex(before["captcha_digest"])) == 32


async def test_registration_and_messages_are_committed_together(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a failure follows the messages, nothing changes, and the same answer works again later."""
    registration_id, right = await begin(portal), portal.captcha.answer
    enqueue_all, failures = OutboxMessage.enqueue_all, [RuntimeError("disk full")]

    async def fail_once(*args: Any, **details: Any) -> None:
        await enqueue_all(*args, **details)
        assert await OutboxMessage.all().count() == 2
        if failures:
            raise failures.pop()

    monkeypatch.setattr(OutboxMessage, "enqueue_all", fail_once)
    entered = {"input": {"registrationId": registration_id, "answer": right}}
    failed = await portal.execute(VERIFY_CAPTCHA, entered)
    assert failed["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert (await Registration.get()).state is RegistrationState.AWAITING_CAPTCHA
    assert await OutboxMessage.all().count() == 0
    assert kind(await portal.verify_captcha(registration_id, right)) == ("ActivationMailSent", None)
    assert await OutboxMessage.all().count() == 2


# --- verifyCaptcha: wrong answers ---


async def test_wrong_answer_costs_an_attempt(portal: Portal) -> None:
    """A wrong answer uses up one attempt and brings a fresh picture that can be answered."""
    first = await portal.create_account()
    rejected = await answer_wrongly(portal, first["id"])
    registration = rejected["registration"]
    assert kind(rejected) == ("CaptchaRejected", "CAPTCHA_REJECTED")
    assert (registration["id"], registration["state"]) == (first["id"], "AWAITING_CAPTCHA")
    assert registration["attemptsLeft"] == 4
    assert registration["captcha"]["image"] != first["captcha"]["image"]
    assert kind(await portal.verify_captcha(first["id"], portal.captcha.answer)) == ("ActivationMailSent", None)


async def test_wrong_answer_voids_its_challenge(portal: Portal) -> None:
    """After a wrong answer, the right answer to the same challenge is wrong too."""
    registration_id, right = await begin(portal), portal.captcha.answer
    await answer_wrongly(portal, registration_id)
    assert (await portal.verify_captcha(registration_id, right))["registration"]["attemptsLeft"] == 3


@pytest.mark.parametrize(
    "entered", ["", " ", "0", "9" * 5000, "\0", "' OR '1'='1", "\ufdfa" * 1000, "\ud800"], ids=brief
)
async def test_any_other_text_is_a_wrong_answer(portal: Portal, entered: str) -> None:
    """Any other text, even an odd one, is an ordinary wrong answer."""
    variables = {"input": {"registrationId": await begin(portal), "answer": entered}}
    rejected = await portal.call_in_ascii(VERIFY_CAPTCHA, variables)
    assert (rejected["code"], rejected["registration"]["attemptsLeft"]) == ("CAPTCHA_REJECTED", 4)


async def test_no_answer_counts_after_five_wrong_ones(portal: Portal) -> None:
    """After five wrong answers no picture follows, and even the right answer is refused."""
    registration_id = await begin(portal)
    rejected = [await answer_wrongly(portal, registration_id) for _ in range(4)]
    last_shown = portal.captcha.answer
    rejected.append(await answer_wrongly(portal, registration_id))
    assert [answer["registration"]["attemptsLeft"] for answer in rejected] == [4, 3, 2, 1, 0]
    assert [answer["code"] for answer in rejected] == ["CAPTCHA_REJECTED"] * 4 + ["CAPTCHA_ATTEMPTS_EXHAUSTED"]
    assert rejected[3]["message"].endswith("Il vous reste 1 essai.")
    rejected += [await portal.verify_captcha(registration_id, right) for right in (last_shown, portal.captcha.answer)]
    for answer in rejected[4:]:
        assert answer["code"] == "CAPTCHA_ATTEMPTS_EXHAUSTED"
        assert answer["registration"]["state"] == "CAPTCHA_ATTEMPTS_EXHAUSTED"
        assert answer["registration"]["captcha"] is None
    assert await OutboxMessage.all().count() == 0


async def test_fifth_attempt_can_be_right(portal: Portal) -> None:
    """A right answer after four wrong ones is accepted."""
    registration_id = await begin(portal)
    await answer_wrongly(portal, registration_id, 4)
    assert kind(await portal.verify_captcha(registration_id, portal.captcha.answer)) == ("ActivationMailSent", None)


async def test_wrong_answer_after_the_right_one_changes_nothing(portal: Portal) -> None:
    """After verification, a wrong answer is refused and changes nothing."""
    registration_id, right = await begin(portal), portal.captcha.answer
    sent = await portal.verify_captcha(registration_id, right)
    rejected = await portal.verify_captcha(registration_id, portal.captcha.wrong_answer)
    assert rejected["code"] == "CAPTCHA_REJECTED"
    assert (rejected["registration"]["state"], rejected["registration"]["captcha"]) == ("VERIFIED", None)
    assert rejected["registration"]["attemptsLeft"] == 5
    assert await portal.verify_captcha(registration_id, right) == sent
    assert len(await portal.deliver()) == 2


async def test_answer_is_valid_for_its_own_registration_only(portal: Portal) -> None:
    """The right answer to one registration's picture is wrong for another registration."""
    first, answer = await begin(portal), portal.captcha.answer
    second = await begin(portal)
    assert (await portal.verify_captcha(second, answer))["code"] == "CAPTCHA_REJECTED"
    assert kind(await portal.verify_captcha(first, answer)) == ("ActivationMailSent", None)


# --- verifyCaptcha: late answers ---


@pytest.mark.parametrize("right", [True, False])
async def test_challenge_expires_after_ten_minutes(portal: Portal, clock: Clock, right: bool) -> None:
    """An answer after ten minutes costs no attempt, right or wrong, and brings a fresh picture."""
    registration_id = await begin(portal)
    clock.advance(minutes=10)
    entered = portal.captcha.answer if right else portal.captcha.wrong_answer
    expired = await portal.verify_captcha(registration_id, entered)
    assert kind(expired) == ("CaptchaRejected", "CAPTCHA_EXPIRED")
    assert (expired["registration"]["attemptsLeft"], expired["registration"]["state"]) == (5, "AWAITING_CAPTCHA")
    assert expired["registration"]["captcha"]["expiresInSeconds"] == 600
    assert kind(await portal.verify_captcha(registration_id, portal.captcha.answer)) == ("ActivationMailSent", None)


async def test_challenge_is_valid_for_ten_minutes(portal: Portal, clock: Clock) -> None:
    """An answer in the last second of the ten minutes is accepted."""
    registration_id = await begin(portal)
    clock.advance(minutes=9, seconds=59)
    assert kind(await portal.verify_captcha(registration_id, portal.captcha.answer)) == ("ActivationMailSent", None)


async def test_registration_can_be_verified_for_thirty_minutes(portal: Portal, clock: Clock) -> None:
    """The captcha can be solved in the last of the thirty minutes."""
    registration_id = await begin(portal)
    clock.advance(minutes=29)
    await portal.renew_captcha(registration_id)
    assert kind(await portal.verify_captcha(registration_id, portal.captcha.answer)) == ("ActivationMailSent", None)


async def test_registration_expires_after_thirty_minutes(portal: Portal, clock: Clock) -> None:
    """After thirty minutes the registration is not found, even if its picture is fresh."""
    registration_id = await begin(portal)
    clock.advance(minutes=29)
    await portal.renew_captcha(registration_id)
    clock.advance(minutes=1)
    assert kind(await portal.verify_captcha(registration_id, portal.captcha.answer)) == NOT_FOUND
    assert kind(await portal.renew_captcha(registration_id)) == NOT_FOUND
    assert await OutboxMessage.all().count() == 0


# --- Simultaneous answers ---


async def at_once(portal: Portal, registration_id: str, answers: list[str]) -> list[Answer]:
    return await asyncio.gather(*(portal.verify_captcha(registration_id, answer) for answer in answers))


async def test_simultaneous_wrong_answers_use_up_five_attempts(portal: Portal) -> None:
    """Of ten simultaneous wrong answers, five use up an attempt each. The others find none left."""
    registration_id = await begin(portal)
    answers = await at_once(portal, registration_id, ["wrong"] * 10)
    assert {answer["__typename"] for answer in answers} == {"CaptchaRejected"}
    assert sum(answer["code"] == "CAPTCHA_ATTEMPTS_EXHAUSTED" for answer in answers) >= 6
    assert (await Registration.get()).captcha_failures == 5


async def test_challenge_is_used_once(portal: Portal, clock: Clock) -> None:
    """Of several answers to one challenge, one counts. The others change nothing."""
    await begin(portal)
    first, second, third = [await Registration.get() for _ in range(3)]
    following = StoredChallenge(id="following", digest="0" * 64, expires_at=clock.now + timedelta(minutes=10))
    assert await first.fail_captcha(following, now=clock.now)
    assert not await second.pass_captcha(now=clock.now)
    assert not await third.fail_captcha(following, now=clock.now)
    registration = await Registration.get()
    assert (registration.state, registration.captcha_failures) == (RegistrationState.AWAITING_CAPTCHA, 1)


async def test_simultaneous_right_answers_send_two_mails(portal: Portal) -> None:
    """Ten simultaneous right answers all succeed, and two mails leave."""
    registration_id = await begin(portal)
    answers = await at_once(portal, registration_id, [portal.captcha.answer] * 10)
    assert {answer["__typename"] for answer in answers} == {"ActivationMailSent"}
    assert sorted(message.kind for message in await OutboxMessage.all()) == ["ACTIVATION", "SUMMARY"]
    assert len(await portal.deliver()) == 2


@pytest.mark.parametrize("place", [0, 5, 9])
async def test_one_right_answer_among_wrong_ones_has_one_outcome(portal: Portal, place: int) -> None:
    """A right answer among simultaneous wrong ones succeeds or fails; answers, state and mails agree on it."""
    registration_id, right = await begin(portal), portal.captcha.answer
    entered = ["wrong"] * 9
    entered.insert(place, right)
    answers = await at_once(portal, registration_id, entered)
    passed = answers[place]["__typename"] == "ActivationMailSent"
    assert [answer["__typename"] for answer in answers].count("ActivationMailSent") == passed
    registration = await Registration.get()
    assert registration.state is (RegistrationState.VERIFIED if passed else RegistrationState.AWAITING_CAPTCHA)
    assert registration.captcha_failures == (0 if passed else 5)
    assert await OutboxMessage.all().count() == (2 if passed else 0)


async def test_answer_that_races_renewals_succeeds_or_fails_completely(portal: Portal) -> None:
    """A right answer during renewals succeeds, or counts as one wrong attempt."""
    registration_id, right = await begin(portal), portal.captcha.answer
    renewals = [portal.renew_captcha(registration_id) for _ in range(4)]
    answer, *renewed = await asyncio.gather(portal.verify_captcha(registration_id, right), *renewals)
    registration = await Registration.get()
    passed = answer["__typename"] == "ActivationMailSent"
    assert registration.state is (RegistrationState.VERIFIED if passed else RegistrationState.AWAITING_CAPTCHA)
    assert await OutboxMessage.all().count() == (2 if passed else 0)
    assert registration.captcha_failures == (0 if passed else 1)
    assert {pending["id"] for pending in renewed} == {registration_id}
