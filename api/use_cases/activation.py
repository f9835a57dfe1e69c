"""From the link to the account: inspectActivationLink, checkPassword, activateAccount."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tortoise.transactions import in_transaction

from api.passwords.policy import Assessment, is_same
from api.passwords.threads import Passwords
from api.refusals import ActivationLinkRefused, FieldRefusal, InvalidInput
from models.account import Account, AddressTakenError, Membership
from models.organisation import KnownOrganisation, Organisation, find_organisation
from models.registration import ActivationToken, LinkState, Registration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from api.limits.rate_limits import RateLimits

MOST_PERSONAL_DATA = 20
LONGEST_PERSONAL_DATA = 100


@dataclass(frozen=True, slots=True)
class InspectedLink:
    """What a link is worth; of an unknown one, nothing else is known."""

    state: LinkState
    token: ActivationToken | None
    organisation: KnownOrganisation | None

    @property
    def registration(self) -> Registration | None:
        return None if self.token is None else self.token.registration


@dataclass(frozen=True, slots=True)
class Activated:
    """An account that has just come to exist, with its place in its organisation."""

    account: Account
    membership: Membership
    organisation: KnownOrganisation


class Activation:
    """The use cases, with what they need."""

    def __init__(self, *, passwords: Passwords, limits: RateLimits) -> None:
        self._passwords = passwords
        self._limits = limits

    async def inspect_link(self, token: str, *, network: str, now: datetime) -> InspectedLink:
        """What the link with *token* is worth, without using it."""
        await self._limits.enforce("inspectActivationLink", network)
        return await self._inspect(token, now)

    async def check_password(
        self, password: str, personal_data: Sequence[str], token: str | None, *, network: str, now: datetime
    ) -> Assessment:
        """Hold *password* to the rules, with the person's own data where *token* is usable.

        :raises InvalidInput: too much personal data.
        """
        await self._limits.enforce("checkPassword", network)
        _check_personal_data(personal_data)
        link = await self._inspect(token, now) if token else None
        if link is not None and link.registration is not None and link.state is LinkState.USABLE:
            personal_data = _personal_data(link.registration)
        return await self._passwords.assess(password, personal_data)

    async def activate_account(
        self, token: str, password: str, confirmation: str, *, network: str, now: datetime
    ) -> Activated:
        """Activate the account that *token* was mailed for; a token works once.

        The link is judged before the password, and the password is hashed before the transaction, so that
        nothing slow happens inside it. A refused password leaves the link usable.

        :raises ActivationLinkRefused: the link is not, or no longer, usable.
        :raises InvalidInput: the password breaks rules, or its confirmation differs.
        """
        await self._limits.enforce("activateAccount", network)
        link = await self._inspect(token, now)
        if link.token is None or link.registration is None or link.state is not LinkState.USABLE:
            raise ActivationLinkRefused(link.state)
        await self._check(password, confirmation, link.registration)
        password_hash = await self._passwords.hash(password)
        try:
            return await self._redeem(link.token, password_hash, now)
        except AddressTakenError:
            raise ActivationLinkRefused(LinkState.SUPERSEDED) from None

    async def _inspect(self, token: str, now: datetime) -> InspectedLink:
        stored = await ActivationToken.find(token)
        if stored is None:
            return InspectedLink(LinkState.UNKNOWN, None, None)
        organisation = await find_organisation(stored.registration.identifier)
        return InspectedLink(await stored.state(now=now), stored, organisation)

    async def _check(self, password: str, confirmation: str, registration: Registration) -> None:
        assessment = await self._passwords.assess(password, _personal_data(registration))
        problems = list(assessment.problems)
        if not is_same(password, confirmation):
            problems.append(FieldRefusal(("passwordConfirmation",), "PASSWORD_MISMATCH"))
        if problems:
            raise InvalidInput(problems)

    async def _redeem(self, token: ActivationToken, password_hash: str, now: datetime) -> Activated:
        """Token, registration, account, organisation and membership: all of it or nothing."""
        registration = token.registration
        async with in_transaction():
            if not await token.redeem(now=now) or not await registration.activate(now=now):
                raise ActivationLinkRefused(LinkState.USED)
            account = registration.account(password_hash, now=now)
            await account.open()
            organisation, founded = await Organisation.found_or_join(
                registration.identifier, registration.organisation_name, now=now
            )
            membership = await Membership.begin(account, organisation, founded=founded, now=now)
        known = await find_organisation(registration.identifier) or organisation.as_declared()
        if founded:  # A declared name is shown to members.
            known = replace(known, name=known.name or organisation.name)
        return Activated(account, membership, known)


def _check_personal_data(personal_data: Sequence[str]) -> None:
    path = ("personalData",)
    if len(personal_data) > MOST_PERSONAL_DATA:
        raise InvalidInput([FieldRefusal(path, "TOO_MANY_ITEMS", {"max": MOST_PERSONAL_DATA})])
    if any(len(text) > LONGEST_PERSONAL_DATA for text in personal_data):
        raise InvalidInput([FieldRefusal(path, "TOO_LONG", {"max": LONGEST_PERSONAL_DATA})])


def _personal_data(registration: Registration) -> list[str]:
    return [registration.first_name, registration.last_name, registration.email, registration.contact_email or ""]
