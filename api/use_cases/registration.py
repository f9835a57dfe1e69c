"""The sign-up, from the form to the two mails: createAccount, renewCaptcha, verifyCaptcha, resendActivationMail."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from tortoise.transactions import in_transaction

from api.captcha.challenge import CaptchaProvider, Challenge, answer_digest
from api.refusals import CaptchaRejected, IdempotencyConflict, ProblemCode, RegistrationNotFound, TooManyRequests
from api.use_cases.registration_form import Form, FormEntries, Terms, read_email, read_form
from models.organisation import KnownOrganisation, find_organisation
from models.outbox import MessageKind, OutboxMessage, mailbox_of
from models.registration import CAPTCHA_PERIOD, Registration, RegistrationState, StoredChallenge
from models.visible_text import visible

if TYPE_CHECKING:
    from datetime import datetime

    from api.caller import Caller
    from api.limits.rate_limits import RateLimits
    from models.personal_data import EmailAddress

CHALLENGE_LIFETIME = timedelta(minutes=10)
MAX_LOST_RACES = 20


@dataclass(frozen=True, slots=True)
class ShownChallenge:
    """A fresh challenge, with its picture: the only time that its answer is at hand."""

    challenge: Challenge = field(repr=False)
    picture: bytes = field(repr=False)
    stored: StoredChallenge = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """A registration on its way, the organisation that it names, and the challenge that it shows, if any."""

    registration: Registration
    organisation: KnownOrganisation | None
    shown: ShownChallenge | None


class SignUp:
    """The use cases of the sign-up.

    None of them looks whether an address has an account: the answer and the work are the same.
    """

    def __init__(self, *, captcha: CaptchaProvider, limits: RateLimits, terms: Terms, key: bytes) -> None:
        self._captcha = captcha
        self._limits = limits
        self._terms = terms
        self._key = key

    async def create_account(self, entries: FormEntries, caller: Caller) -> Pending:
        """Start a registration. The same request under the same idempotency key finds the one it started.

        :raises TooManyRequests: by network, or by address from this network; keys are looked for within a limit too.
        :raises InvalidInput: with all problems at once.
        :raises IdempotencyConflict: the key came before with another input.
        """
        key_digest = self._key_digest(entries)
        if key_digest is not None:
            await self._limits.enforce("createAccountKey", caller.network)
        started = await self._find_started(key_digest, caller.now)
        await self._limits.enforce("createAccount" if started is None else "renewCaptcha", caller.network)
        form = await read_form(entries, self._terms)
        input_digest = self._input_digest(entries, form)
        if started is None:
            await self._limits.enforce("createAccountAddress", caller.network, form.person.email.canonical)
            registration = self._build_registration(entries, form, input_digest, caller.now)
            registration.idempotency_digest = key_digest
            shown = await self._draw_challenge(registration, caller.now)
            if await registration.start(shown.stored):
                return Pending(registration, form.organisation, shown)
            started = await self._find_started(key_digest, caller.now)
        if started is None:  # The other has been purged since: as good as any moment to ask again.
            raise TooManyRequests(1)
        if not hmac.compare_digest(started.input_digest, input_digest):
            raise IdempotencyConflict
        return await self._renew_challenge(started, caller.now)

    async def renew_captcha(self, registration_id: str, caller: Caller) -> Pending:
        """Show another challenge, where one is still awaited.

        :raises RegistrationNotFound: no such registration, or it has expired.
        """
        await self._limits.enforce("renewCaptcha", caller.network)
        return await self._renew_challenge(await self._find(registration_id, caller.now), caller.now)

    async def verify_captcha(self, registration_id: str, answer: str, caller: Caller) -> Registration:
        """Judge *answer*. If it is right, commit the registration's state and its two messages together.

        Answers that race are judged as if they had come one after the other.

        :raises RegistrationNotFound: no such registration, or it has expired.
        :raises CaptchaRejected: wrong, too late, or once too often.
        """
        await self._limits.enforce("verifyCaptcha", caller.network)
        for _ in range(MAX_LOST_RACES):
            registration = await self._find(registration_id, caller.now)
            if registration.awaits_captcha and registration.captcha_expires_at <= caller.now:
                raise _rejection(ProblemCode.CAPTCHA_EXPIRED, await self._renew_challenge(registration, caller.now))
            right = self._is_right(registration, answer)
            if registration.state is not RegistrationState.AWAITING_CAPTCHA and right:
                return registration
            if not registration.awaits_captcha:
                raise await self._reject(registration, None)
            if right:
                if await self._accept_answer(registration, caller.now):
                    return registration
            elif (rejected := await self._count_failure(registration, caller.now)) is not None:
                raise rejected
        raise TooManyRequests(1)

    async def resend_activation_mail(self, email: str, caller: Caller) -> EmailAddress:
        """Enqueue one message for this address, and return the address. The relay finds out what waits there.

        :raises InvalidInput: this is no address.
        """
        await self._limits.enforce("resendActivationMail", caller.network)
        address = read_email(email)
        await self._limits.enforce("resendActivationMailAddress", caller.network, mailbox_of(address.canonical))
        await OutboxMessage.enqueue(MessageKind.RESEND, address.canonical, language=caller.language, now=caller.now)
        return address

    async def _find_started(self, key_digest: str | None, now: datetime) -> Registration | None:
        return None if key_digest is None else await Registration.find_by_idempotency(key_digest, now=now)

    async def _find(self, registration_id: str, now: datetime) -> Registration:
        registration = await Registration.find(registration_id, now=now)
        if registration is None:
            raise RegistrationNotFound
        return registration

    async def _renew_challenge(self, registration: Registration, now: datetime) -> Pending:
        """Replace the challenge of *registration*, if it still awaits one."""
        shown = None
        if registration.awaits_captcha:
            shown = await self._draw_challenge(registration, now)
            if not await registration.replace_challenge(shown.stored, now=now):
                registration, shown = await self._find(str(registration.id), now), None
        return Pending(registration, await find_organisation(registration.identifier), shown)

    async def _draw_challenge(self, registration: Registration, now: datetime) -> ShownChallenge:
        """Draw a challenge for *registration*. Store nothing."""
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

    async def _accept_answer(self, registration: Registration, now: datetime) -> bool:
        """Mark the registration verified and enqueue its mails, in one transaction. Return False for a lost race."""
        async with in_transaction():
            if not await registration.pass_captcha(now=now):
                return False
            await OutboxMessage.enqueue_all(
                (MessageKind.SUMMARY, MessageKind.ACTIVATION),
                registration.email_canonical,
                language=registration.language,
                registration_id=registration.id,
                now=now,
            )
        return True

    async def _count_failure(self, registration: Registration, now: datetime) -> CaptchaRejected[Pending] | None:
        """Count a wrong answer, and draw the next challenge unless that was the last. Return None for a lost race."""
        following = await self._draw_challenge(registration, now)
        if not await registration.fail_captcha(following.stored, now=now):
            return None
        await registration.refresh_from_db()
        return await self._reject(registration, following if registration.awaits_captcha else None)

    async def _reject(self, registration: Registration, shown: ShownChallenge | None) -> CaptchaRejected[Pending]:
        exhausted = registration.attempts_left == 0
        code = ProblemCode.CAPTCHA_ATTEMPTS_EXHAUSTED if exhausted else ProblemCode.CAPTCHA_REJECTED
        return _rejection(code, Pending(registration, await find_organisation(registration.identifier), shown))

    def _build_registration(self, entries: FormEntries, form: Form, input_digest: str, now: datetime) -> Registration:
        return Registration(
            **form.person.columns,
            language=entries.language,
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

    def _key_digest(self, entries: FormEntries) -> str | None:
        """Return the digest of the idempotency key, if there is one. Letter case and blanks around don't matter."""
        key = visible(entries.idempotency_key or "").lower()
        return self._digest("idempotency-key", key) if key else None

    def _input_digest(self, entries: FormEntries, form: Form) -> str:
        """Return a keyed digest of the whole form, since the entries of a known person could be guessed."""
        name = " ".join(visible(entries.organisation_name or "").split())
        return self._digest("idempotent-input", f"{form.canonical()}\0{entries.language}\0{name}")

    def _digest(self, purpose: str, value: str) -> str:
        message = f"{purpose}\0{value}".encode("utf-8", "surrogatepass")  # Keys and names come here unchecked.
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def _rejection(code: ProblemCode, pending: Pending) -> CaptchaRejected[Pending]:
    return CaptchaRejected(code, pending, attempts_left=pending.registration.attempts_left)
