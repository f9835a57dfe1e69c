"""Domains in both forms: A-labels, which are stored and mailed to, and Unicode letters (pure: no ORM)."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import idna

if TYPE_CHECKING:
    from collections.abc import Callable

A_LABEL = "xn--"


def encode_domain(domain: str) -> str:
    """Return *domain* in lower case, with A-labels in the place of labels that aren't ASCII.

    :raises ValueError: it is no domain.
    """
    return idna.encode(domain, uts46=True, std3_rules=True).decode().lower()


def decode_domain(address: str) -> str:
    """Return *address*, stored with A-labels, with the letters of its domain: contact@métropole.fr."""
    return _with_labels(address, lambda _: True)


def decode_domain_for_strangers(address: str) -> str:
    """Do the same, except for labels that could look like another domain: those stay ASCII.

    Such a label mixes scripts, or has a character that is no letter. A mail carries a contact address to people who
    didn't enter it. Some mail programs end a host at the middle dot of Catalan, and make a link of the rest.
    """
    return _with_labels(address, _is_of_one_script)


def _with_labels(address: str, may_be_shown: Callable[[str], bool]) -> str:
    local_part, at, domain = address.rpartition("@")
    labels = []
    for label in domain.split("."):
        letters = _letters(label)
        labels.append(letters if may_be_shown(letters) else label)
    return f"{local_part}{at}{'.'.join(labels)}"


def _letters(label: str) -> str:
    if not label.startswith(A_LABEL):
        return label
    try:
        return idna.decode(label)
    except idna.IDNAError:
        return label


def _is_of_one_script(label: str) -> bool:
    letters = [char for char in label if char.isalpha()]
    only_letters = all(char == "-" or unicodedata.category(char)[0] in "LMN" for char in label)
    return only_letters and len({unicodedata.name(char).partition(" ")[0] for char in letters}) <= 1
