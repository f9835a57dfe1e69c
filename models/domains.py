"""Domains in both forms: A-labels, which are stored and mailed, and the letters that were typed (pure: no ORM)."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import idna

if TYPE_CHECKING:
    from collections.abc import Callable

A_LABEL = "xn--"


def encode_domain(domain: str) -> str:
    """*domain* in lower case, in A-labels where it has other letters than ASCII's.

    :raises ValueError: it is no domain.
    """
    return idna.encode(domain, uts46=True, std3_rules=True).decode().lower()


def decode_domain(address: str) -> str:
    """*address*, stored with A-labels, with the letters of its domain: contact@métropole.fr."""
    return _with_labels(address, lambda _: True)


def decode_domain_for_strangers(address: str) -> str:
    """The same, where no other domain looks like it: a label of several scripts, or with a dot of its own, stays ASCII.

    A mail carries a contact address to people who have not typed it. The middle dot of Catalan ends a host for some
    mail programs, and they make a link of what follows.
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
