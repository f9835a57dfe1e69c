"""Work that each process of `fault_points` would repeat, done once before they fork: words, templates, documents."""

from __future__ import annotations

import gc

from api.messages.languages import Language
from api.settings.environment import Settings
from tests.support import client
from tests.support.applications import share_documents
from tests.support.mails import MAILS

for compose in MAILS.values():
    for language in Language:
        compose(language)
for document in (
    client.CREATE_ACCOUNT,
    client.RENEW_CAPTCHA,
    client.VERIFY_CAPTCHA,
    client.RESEND_ACTIVATION_MAIL,
    client.INSPECT_ACTIVATION_LINK,
    client.CHECK_PASSWORD,
    client.ACTIVATE_ACCOUNT,
):
    share_documents(Settings()).get(document).get_operation(None)
gc.freeze()  # The collector would copy the pages of objects that live on.
