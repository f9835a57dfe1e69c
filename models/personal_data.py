"""Personal data: names, e-mail addresses and phone numbers, as they are stored (pure: no ORM).

Every function takes a text as entered and returns its normalised form, or raises `InputError` with a code of the
API's `FieldProblemCode`. Lengths are in Unicode code points, counted after normalisation to NFC.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from models.field_problems import FieldProblemCode
from models.links import find_link, find_phone
from models.phone_numbers import parse_as_dialled_from_france
from models.visible_text import ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER, is_blank, visible, visible_as_entered

MAX_NAME_LENGTH = 100
MAX_ORGANISATION_NAME_LENGTH = 200
MAX_EMAIL_LENGTH = 254  # RFC 5321, 4.5.3.1.3: a path of 256 octets, less its angle brackets.
MAX_INPUT_LENGTH = 8 * MAX_EMAIL_LENGTH  # A longer text is too long in any normal form, and slow to normalise.

ZERO_WIDTH_JOINERS = ZERO_WIDTH_NON_JOINER + ZERO_WIDTH_JOINER
REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
# RFC 5322 allows these in a local part, but a mail program reads them as a page's path, query or host.
UNUSUAL_LOCAL_PART = re.compile(r"[/?=]|^www\.", re.IGNORECASE)
PLAIN_LOCAL_PART = re.compile(r"[A-Za-z0-9._+-]+")
MAX_QUOTATION_LENGTH = 50
PHONE_LIKE = re.compile(r"\(?\+?[0-9 .()/-]{1,40}")
HYPHENS = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")


class InputError(ValueError):
    """A text that can't be accepted: *code* is a `FieldProblemCode`, *limit* the bound that it exceeds, if any.

    *quoted* is the part of the text that causes the problem; *reason* is its kind: link, phone or character.
    """

    def __init__(self, code: FieldProblemCode, limit: int | None = None, *, reason: str = "", quoted: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.limit = limit
        self.reason = reason
        self.quoted = quoted if len(quoted) <= MAX_QUOTATION_LENGTH else f"{quoted[:MAX_QUOTATION_LENGTH]}…"


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """An address to write to, in ASCII, and its lower case, the canonical form that has to be unique."""

    address: str
    canonical: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person as stored: in each attempt to sign up, and in the account."""

    email: EmailAddress
    first_name: str
    last_name: str
    phone: str | None
    contact_email: str | None
    """Where notifications go; None for the sign-in address."""

    @property
    def columns(self) -> dict[str, str | None]:
        """Return the person as columns of a table."""
        return {
            "email": self.email.address,
            "email_canonical": self.email.canonical,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "phone": self.phone,
            "contact_email": self.contact_email,
        }

    @property
    def words(self) -> list[str]:
        """Return the names and addresses that no password may be built on."""
        return [self.first_name, self.last_name, self.email.address, self.contact_email or ""]


def is_refused(char: str) -> bool:
    """Tell whether *char* may be in no text: a control character, a mark of writing direction, a lone surrogate."""
    return unicodedata.category(char) in REFUSED_CATEGORIES and char not in ZERO_WIDTH_JOINERS


def clean(entered: str, *, max_length: int = MAX_NAME_LENGTH) -> str:
    """Return *entered* as a person sees it (see `models.visible_text.visible`).

    :raises InputError: INVALID_CHARACTERS for control characters, NUL, line breaks and lone surrogates: none may
        reach a database, a hash or a mail header. TOO_LONG for a text so long that it isn't read at all; the error
        names *max_length*, the length that the caller accepts.
    """
    if len(entered) > MAX_INPUT_LENGTH:
        raise InputError(FieldProblemCode.TOO_LONG, max_length)
    text = visible(entered)
    for char in text:
        if is_refused(char):
            raise InputError(FieldProblemCode.INVALID_CHARACTERS, reason="character", quoted=f"U+{ord(char):04X}")
    return text


def parse_name(entered: str, *, max_length: int = MAX_NAME_LENGTH) -> str:
    """Return a name, with single blanks inside.

    Mails carry names to any address: a name holds nothing that a mail program would turn into a link or dial.

    :raises InputError: REQUIRED, TOO_LONG or INVALID_CHARACTERS.
    """
    name = " ".join(clean(entered, max_length=max_length).split())
    if is_blank(name):
        raise InputError(FieldProblemCode.REQUIRED)
    if len(name) > max_length:
        raise InputError(FieldProblemCode.TOO_LONG, max_length)
    for reason, found in (("phone", find_phone(name)), ("link", find_link(name))):
        if found is not None:
            raise InputError(FieldProblemCode.INVALID_CHARACTERS, reason=reason, quoted=found)
    return name


def parse_email_address(entered: str) -> EmailAddress:
    """Return an address with its ASCII local part as entered, and its domain in lower case, in IDNA's A-labels.

    :raises InputError: REQUIRED, TOO_LONG, INVALID_CHARACTERS or EMAIL_INVALID.
    """
    text = clean(entered, max_length=MAX_EMAIL_LENGTH)
    if not text:
        raise InputError(FieldProblemCode.REQUIRED)
    if len(text) > MAX_EMAIL_LENGTH:
        raise InputError(FieldProblemCode.TOO_LONG, MAX_EMAIL_LENGTH)
    if not visible_as_entered(entered).rpartition("@")[0].isascii():  # Before NFC, which makes a K of the Kelvin sign.
        raise InputError(FieldProblemCode.EMAIL_INVALID)
    try:
        # `test_environment` accepts .test, reserved by RFC 6761 for what its name says; it can harm nobody.
        valid = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, strict=True, test_environment=True
        )
    except EmailNotValidError as exc:
        raise InputError(FieldProblemCode.EMAIL_INVALID) from exc
    domain = valid.ascii_domain.lower()
    address = f"{valid.local_part}@{domain}"
    if "." not in domain or len(address) > MAX_EMAIL_LENGTH:
        raise InputError(FieldProblemCode.EMAIL_INVALID)
    _check_local_part(valid.local_part)
    return EmailAddress(address, address.lower())


def _check_local_part(local_part: str) -> None:
    """Refuse a local part that a mail program reads as a link, or a header as an encoded word (RFC 2047)."""
    if unusual := UNUSUAL_LOCAL_PART.search(local_part):
        raise InputError(FieldProblemCode.EMAIL_INVALID, reason="character", quoted=unusual[0])
    if not PLAIN_LOCAL_PART.fullmatch(local_part) and (link := find_link(local_part)):
        raise InputError(FieldProblemCode.EMAIL_INVALID, reason="character", quoted=link)


def parse_phone(entered: str) -> str:
    """Return a phone number in E.164, from international or French national notation, overseas included.

    :raises InputError: TOO_LONG, INVALID_CHARACTERS or PHONE_INVALID.
    """
    text = unicodedata.normalize("NFKC", clean(entered)).translate(HYPHENS)
    number = parse_as_dialled_from_france(text) if PHONE_LIKE.fullmatch(text) else None
    if number is None:
        raise InputError(FieldProblemCode.PHONE_INVALID)
    return number
