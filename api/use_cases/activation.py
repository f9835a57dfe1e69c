"""From the link to the account: inspectActivationLink, activateAccount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from tortoise.transactions import in_transaction

from api.passwords.policy import is_same
from api.refusals import ActivationLinkRefused, FieldRefusal, InvalidInput, ProblemCode
from models.account import Account, AddressTakenError, Membership
from models.activation import ActivationToken, LinkState
from models.field_problems import FieldProblemCode
from models.organisation import KnownOrganisation, Organisation, find_organisation

if TYPE_CHECKING:
    from datetime import datetime

    from api.caller import Caller
    from api.limits.rate_limits import RateLimits
    from api.passwords.threads import Passwords
    from models.personal_data import Person
    from models.registration import Registration

LINK_CODES: Mapping[LinkState, ProblemCode] = MappingProxyType(
    {
        LinkState.UNKNOWN: ProblemCode.ACTIVATION_LINK_UNKNOWN,
        LinkState.EXPIRED: ProblemCode.ACTIVATION_LINK_EXPIRED,
        LinkState.USED: ProblemCode.ACTIVATION_LINK_USED,
        LinkState.SUPERSEDED: ProblemCode.ACTIVATION_LINK_SUPERSEDED,
    }
)


@dataclass(frozen=True, slots=True)
class InspectedLink:
    """The state of a link, with its token and organisation. Of an unknown link, nothing else is known."""

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
    """The use cases of the activation link."""

    def __init__(self, *, passwords: Passwords, limits: RateLimits) -> None:
        self._passwords = passwords
        self._limits = limits

    async def inspect_link(self, token: str, caller: Caller) -> InspectedLink:
        """Return the state of the link with *token*, without using it.

        :raises TooManyRequests: by network.
        """
        await self._limits.enforce("inspectActivationLink", caller.network)
        return await _inspect(token, caller.now)

    async def activate_account(self, token: str, password: str, confirmation: str, caller: Caller) -> Activated:
        """Activate the account that *token* was mailed for. A token works once.

        The link is judged before the password, and the password is hashed before the transaction, so that
        nothing slow happens inside it. A refused password leaves the link usable.

        :raises TooManyRequests: by network.
        :raises ActivationLinkRefused: the link is not, or no longer, usable.
        :raises InvalidInput: the password breaks rules, or its confirmation differs.
        """
        await self._limits.enforce("activateAccount", caller.network)
        link = await _inspect(token, caller.now)
        if link.token is None or link.state is not LinkState.USABLE:
            raise ActivationLinkRefused(LINK_CODES[link.state])
        await self._check(password, confirmation, link.token.registration.person)
        password_hash = await self._passwords.hash(password)
        try:
            return await _redeem(link.token, password_hash, caller.now)
        except AddressTakenError:
            raise ActivationLinkRefused(ProblemCode.ACTIVATION_LINK_SUPERSEDED) from None

    async def _check(self, password: str, confirmation: str, person: Person) -> None:
        assessment = await self._passwords.assess(password, person.words)
        problems = list(assessment.problems)
        if not is_same(password, confirmation):
            problems.append(FieldRefusal(("passwordConfirmation",), FieldProblemCode.PASSWORD_MISMATCH))
        if problems:
            raise InvalidInput(problems)


async def _inspect(token: str, now: datetime) -> InspectedLink:
    stored = await ActivationToken.find(token)
    if stored is None:
        return InspectedLink(LinkState.UNKNOWN, None, None)
    organisation = await find_organisation(stored.registration.identifier)
    return InspectedLink(stored.state(now=now), stored, organisation)


async def _redeem(token: ActivationToken, password_hash: str, now: datetime) -> Activated:
    """Write token, registration, account, organisation and membership: all of it or nothing."""
    registration = token.registration
    async with in_transaction():
        if not await token.redeem(now=now) or not await registration.activate(now=now):
            raise ActivationLinkRefused(ProblemCode.ACTIVATION_LINK_USED)
        account = registration.build_account(password_hash, now=now)
        await account.open()
        organisation, founded = await Organisation.found_or_join(
            registration.identifier, registration.organisation_name, now=now
        )
        membership = await Membership.begin(account, organisation, founded=founded, now=now)
    known = await find_organisation(registration.identifier) or organisation.as_declared()
    if founded:  # A declared name is shown to members.
        known = known._replace(name=known.name or organisation.name)
    return Activated(account, membership, known)
