"""The whole journey, from the form to the active account."""

from __future__ import annotations

import pytest

from tests.support.client import PASSWORD, Portal, text_of, token_in, with_link
from tests.support.hashing import with_the_hasher_of_production

pytestmark = pytest.mark.anyio


@with_the_hasher_of_production
async def test_person_signs_up_and_activates_the_account(portal: Portal) -> None:
    """Form, captcha, two mails, link and password create the account and put its organisation on the portal."""
    registration_id = await portal.sign_up()
    assert registration_id
    mails = await portal.deliver()
    (activation,) = with_link(mails)
    (summary,) = [mail for mail in mails if mail is not activation]
    assert "Exemple SA" in text_of(summary)
    token = token_in(activation)
    link = await portal.inspect_activation_link(token)
    assert link["state"] == "USABLE"
    activated = await portal.activate_account(token, PASSWORD)
    assert activated["__typename"] == "AccountActivated"
    assert activated["account"]["email"] == "camille.durand@exemple.fr"
    assert activated["account"]["memberships"][0]["role"] == "MANAGER"
    found = await portal.find_organisation("732 829 320 00074")
    assert found["onPortal"] is True
