"""From the form to the two mails: createAccount, renewCaptcha, verifyCaptcha, resendActivationMail."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from tortoise.transactions import in_transaction

from api.captcha.challenge import CaptchaProvider, Challenge, answer_digest
from api.refusals import IdempotencyConflict, Refusal, RegistrationNotFound, TooManyRequests
from api.use_cases.registration_form import Form, Terms, TypedForm, read_email, read_form
from models.organisation import KnownOrganisation, find_organisation
from models.outbox import MessageKind, OutboxMessage, mailbox_of
from models.registration import CAPTCHA_PERIOD, Registration, RegistrationState, StoredChallenge
from models.visible_text import visible

if TYPE_CHECKING:
    from datetime import datetime

    from api.limits.rate_limits import RateLimits
    from api.messages.languages import Language
    from models.personal_data import EmailAddress

CHALLENGE_LIFETIME = timedelta(minutes=10)
MOST_LOST_RACES = 20


@dataclass(frozen=True, slots=True)
class ShownChallenge:
    """A fresh challenge, with its picture: the only time that its answer is at hand."""

    challenge: Challenge = field(repr=False)
    picture: bytes = field(repr=False)
    stored: StoredChallenge = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """A registration on its way: what to show of it."""

    registration: Registration
    organisation: KnownOrganisation | None
    shown: ShownChallenge | None


class CaptchaRejected(Refusal):
    """CAPTCHA_REJECTED, CAPTCHA_EXPIRED or CAPTCHA_ATTEMPTS_EXHAUSTED, and how the registration stands now."""

    def __init__(self, code: str, pending: Pending) -> None:
        super().__init__(code)
        self.code = code
        self.pending = pending


class SignUp:
    """The use cases, with what they need.

    None of them looks whether an address has an account: the answer and the work are the same.
    """

    def __init__(
        self,
        *,
        captcha: CaptchaProvider,
        limits: RateLimits,
        terms: Terms,
        key: bytes,
    ) -> None:
        self._captcha = captcha
        self._limits = limits
        self._terms = terms
        self._key = key

    async def create_account(self, typed: TypedForm, *, network: str, now: datetime) -> Pending:
        """Start a registration; the same request under the same idempotency key finds the one it started.

        :raises TooManyRequests: by network, or by address from this network; keys are looked for within a limit too.
        :raises InvalidInput: with all problems at once.
        :raises IdempotencyConflict: the key came before with another input.
        """
        key_digest = self._key_digest(typed)
        if key_digest is not None:
            await self._limits.enforce("createAccountKey", network)
        earlier = await self._earlier(key_digest, now)
        await self._limits.enforce("createAccount" if earlier is None else "renewCaptcha", network)
        form = await read_form(typed, self._terms)
        input_digest = self._input_digest(typed, form)
        if earlier is None:
            await self._limits.enforce("createAccountAddress", network, form.email.canonical)
            registration = self._registration(typed, form, input_digest, now)
            registration.idempotency_digest = key_digest
            shown = await self._new_challenge(registration, now)
            if await registration.start(shown.stored):
                return Pending(registration, form.organisation, shown)
            earlier = await self._earlier(key_digest, now)
        if earlier is None:  # The other has been purged since: as good as any moment to ask again.
            raise TooManyRequests(1)
        if not hmac.compare_digest(earlier.input_digest, input_digest):
            raise IdempotencyConflict
        return await self._renewed(earlier, now)

    async def renew_captcha(self, registration_id: str, *, network: str, now: datetime) -> Pending:
        """Another challenge, where one is awaited still.

        :raises RegistrationNotFound: no such registration, or it has expired.
        """
        await self._limits.enforce("renewCaptcha", network)
        return await self._renewed(await self._found(registration_id, now), now)

    async def verify_captcha(self, registration_id: str, answer: str, *, network: str, now: datetime) -> Registration:
        """Judge *answer*; where it is right, the registration and its two messages are committed together.

        Answers that race are judged as if they had come one after the other.

        :raises RegistrationNotFound: no such registration, or it has expired.
        :raises CaptchaRejected: wrong, too late, or once too often.
        """
        await self._limits.enforce("verifyCaptcha", network)
        for _ in range(MOST_LOST_RACES):
            registration = await self._found(registration_id, now)
            if registration.awaits_captcha and registration.captcha_expires_at <= now:
                raise CaptchaRejected("CAPTCHA_EXPIRED", await self._renewed(registration, now))
            right = self._is_right(registration, answer)
            if registration.state is not RegistrationState.AWAITING_CAPTCHA and right:
                return registration
            if not registration.awaits_captcha:
                raise await self._rejected(registration, None)
            if right:
                if await self._pass(registration, now):
                    return registration
            elif (rejected := await self._fail(registration, now)) is not None:
                raise rejected
        raise TooManyRequests(1)

    async def resend_activation_mail(
        self, email: str, *, language: Language, network: str, now: datetime
    ) -> EmailAddress:
        """Promise a message to whatever waits at this address: only the relay finds out what that is.

        :raises InvalidInput: this is no address.
        """
        await self._limits.enforce("resendActivationMail", network)
        address = read_email(email)
        await self._limits.enforce("resendActivationMailAddress", network, mailbox_of(address.canonical))
        await OutboxMessage.enqueue(MessageKind.RESEND, address.canonical, language=language, now=now)
        return address

    async def _earlier(self, key_digest: str | None, now: datetime) -> Registration | None:
        return None if key_digest is None else await Registration.find_by_idempotency(key_digest, now=now)

    async def _found(self, registration_id: str, now: datetime) -> Registration:
        registration = await Registration.find(registration_id, now=now)
        if registration is None:
            raise RegistrationNotFound
        return registration

    async def _renewed(self, registration: Registration, now: datetime) -> Pending:
        """The registration with a challenge of its own in the place of the last, where it awaits one."""
        shown = None
        if registration.awaits_captcha:
            shown = await self._new_challenge(registration, now)
            if not await registration.replace_challenge(shown.stored, now=now):
                registration, shown = await self._found(str(registration.id), now), None
        return Pending(registration, await find_organisation(registration.identifier), shown)

    async def _new_challenge(self, registration: Registration, now: datetime) -> ShownChallenge:
        """A challenge for *registration*, drawn; nothing is stored yet."""
        challenge = self._captcha.new_challenge()
        picture = await self._captcha.picture(challenge)
        stored = StoredChallenge(
            id=challenge.id,
            digest=answer_digest(self._key, str(registration.id), challenge.id, challenge.answer),
            expires_at=min(now + CHALLENGE_LIFETIME, registration.captcha_deadline),
        )
        return ShownChallenge(challenge, picture, stored)

    def _is_right(self, registration: Registration, answer: str) -> bool:
        digest = answer_digest(self._key, str(registration.id), registration.captcha_challenge, answer)
        return hmac.compare_digest(digest, registration.captcha_digest)

    async def _pass(self, registration: Registration, now: datetime) -> bool:
        """Mark the registration verified and promise its two mails, in one transaction; False for a lost race."""
        async with in_transaction():
            if not await registration.pass_captcha(now=now):
                return False
            for kind in (MessageKind.SUMMARY, MessageKind.ACTIVATION):
                await OutboxMessage.enqueue(
                    kind,
                    registration.email_canonical,
                    language=registration.language,
                    registration_id=registration.id,
                    now=now,
                )
        return True

    async def _fail(self, registration: Registration, now: datetime) -> CaptchaRejected | None:
        """Count a wrong answer, and show the next challenge unless that was the last; None for a lost race."""
        following = await self._new_challenge(registration, now)
        if not await registration.fail_captcha(following.stored, now=now):
            return None
        await registration.refresh_from_db()
        return await self._rejected(registration, following if registration.awaits_captcha else None)

    async def _rejected(self, registration: Registration, shown: ShownChallenge | None) -> CaptchaRejected:
        pending = Pending(registration, await find_organisation(registration.identifier), shown)
        code = "CAPTCHA_REJECTED" if registration.attempts_left else "CAPTCHA_ATTEMPTS_EXHAUSTED"
        return CaptchaRejected(code, pending)

    def _registration(self, typed: TypedForm, form: Form, input_digest: str, now: datetime) -> Registration:
        return Registration(
            email=form.email.address,
            email_canonical=form.email.canonical,
            first_name=form.first_name,
            last_name=form.last_name,
            phone=form.phone,
            contact_email=form.contact_email,
            language=typed.language,
            terms_version=self._terms.version,
            survey_consent=form.survey_consent,
            survey_consent_version=self._terms.survey_consent_version,
            identifier_type=form.identifier.type,
            identifier_value=form.identifier.value,
            organisation_name=form.organisation_name,
            input_digest=input_digest,
            created_at=now,
            expires_at=now + CAPTCHA_PERIOD,
        )

    def _key_digest(self, typed: TypedForm) -> str | None:
        """None where no key was given; neither letter case nor blanks around make another."""
        key = visible(typed.idempotency_key or "").lower()
        return self._digest("idempotency-key", key) if key else None

    def _input_digest(self, typed: TypedForm, form: Form) -> str:
        """Keyed, since the entries of a known person could be guessed."""
        name = " ".join(visible(typed.organisation_name or "").split())
        return self._digest("idempotent-input", f"{form.canonical()}\0{typed.language}\0{name}")

    def _digest(self, purpose: str, value: str) -> str:
        message = f"{purpose}\0{value}".encode("utf-8", "surrogatepass")  # Not all that is typed is read first.
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
