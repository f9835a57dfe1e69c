"""The check of a password before it is chosen: checkPassword."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.refusals import FieldRefusal, InvalidInput
from models.activation import ActivationToken, LinkState
from models.field_problems import FieldProblemCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.caller import Caller
    from api.limits.rate_limits import RateLimits
    from api.passwords.policy import Assessment
    from api.passwords.threads import Passwords

MAX_PERSONAL_DATA = 20
MAX_PERSONAL_DATA_LENGTH = 100


class PasswordChecker:
    """The use case that assesses a password and stores nothing."""

    def __init__(self, *, passwords: Passwords, limits: RateLimits) -> None:
        self._passwords = passwords
        self._limits = limits

    async def check_password(
        self, password: str, personal_data: Sequence[str], token: str | None, caller: Caller
    ) -> Assessment:
        """Hold *password* to the rules, with the person's own data if the link with *token* is usable.

        :raises TooManyRequests: by network.
        :raises InvalidInput: too much personal data.
        """
        await self._limits.enforce("checkPassword", caller.network)
        _check_personal_data(personal_data)
        stored = await ActivationToken.find(token) if token else None
        if stored is not None and stored.state(now=caller.now) is LinkState.USABLE:
            personal_data = stored.registration.person.words
        return await self._passwords.assess(password, personal_data)


def _check_personal_data(personal_data: Sequence[str]) -> None:
    path = ("personalData",)
    if len(personal_data) > MAX_PERSONAL_DATA:
        raise InvalidInput([FieldRefusal(path, FieldProblemCode.TOO_MANY_ITEMS, {"max": MAX_PERSONAL_DATA})])
    if any(len(text) > MAX_PERSONAL_DATA_LENGTH for text in personal_data):
        raise InvalidInput([FieldRefusal(path, FieldProblemCode.TOO_LONG, {"max": MAX_PERSONAL_DATA_LENGTH})])
