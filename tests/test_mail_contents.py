"""The contents of the e-mails, read back from the bytes for a mail server."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import api
from api.mail.composer import Link, in_words
from api.messages.languages import Language
from api.messages.words import translate
from api.settings.sender import parse_sender
from models.activation import LINK_LIFETIME
from models.registration import ACTIVATION_PERIOD, Registration
from tests.support.mails import (
    ACTIVATION_URL,
    HOSTILE,
    MAILS,
    MESSAGE_ID,
    NOW,
    OTHER_URL,
    PASSWORD_HASH,
    RECIPIENT,
    SECRETS,
    SENDER,
    SIGN_IN_URL,
    VAT_NUMBER,
    account_exists,
    activation,
    composer,
    content_of,
    received,
    registration,
    second_registration,
    several_links,
    summary,
    text_of,
    wire,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATES = Path(api.__file__).parent / "mail" / "templates"
URL = re.compile(r"https?://[^\s\"'<>]+")
URL_ATTRIBUTES = {"action", "background", "cite", "data", "formaction", "ping", "poster", "src", "srcset"}


SUBJECTS = {
    "summary": "mail-summary-subject",
    "activation": "mail-activation-subject",
    "account_exists": "mail-account-exists-subject",
}
EXPECTED_URLS = {
    "activation": {ACTIVATION_URL},
    "activation of several": {ACTIVATION_URL, OTHER_URL},
    "account_exists": {SIGN_IN_URL},
}
each_mail = pytest.mark.parametrize("name", MAILS)
each_language = pytest.mark.parametrize("language", Language)


class Page(HTMLParser):
    """The HTML part as a mail program reads it: visible lines, tags, attributes, style sheets."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.styles = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "style":
            self.styles += data
        else:
            self.texts.append(data)

    @property
    def lines(self) -> list[str]:
        return [text.strip() for text in self.texts if text.strip()]

    @property
    def links(self) -> list[str]:
        return [value for _, name, value in self.attributes if name == "href"]


def page_of(mail: EmailMessage) -> Page:
    return Page(content_of(mail, "html"))


def shown_in_both_parts(mail: EmailMessage) -> tuple[str, str]:
    """Return the readable text of each part, with plain blanks."""
    return " ".join(text_of(mail).split()), " ".join("\n".join(page_of(mail).lines).split())


def template_of(name: str) -> str:
    """Return the name of a mail's templates: its first word."""
    return name.partition(" ")[0]


# ── Every mail ──


@each_language
@each_mail
def test_headers_name_sender_recipient_time_and_language(name: str, language: Language) -> None:
    """Every mail names its sender, recipient, time, language and Message-ID."""
    mail = MAILS[name](language)

    assert mail["From"] == SENDER
    assert mail["To"] == RECIPIENT
    assert mail["Subject"] == translate(language, SUBJECTS[template_of(name)])
    assert mail["Date"].datetime == NOW
    assert mail["Message-ID"] == f"<{MESSAGE_ID}@portail.example>"
    assert {part["Content-Language"] for part in mail.walk()} == {language.value}
    assert len(mail) == len({header.lower() for header in mail})


@each_mail
def test_mails_ask_for_no_automatic_reply(name: str) -> None:
    """Every mail is marked as automatic, so that absence notices don't answer it."""
    mail = MAILS[name](Language.FR)

    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"


@each_language
@each_mail
def test_text_comes_before_html(name: str, language: Language) -> None:
    """Every mail has its content twice, in UTF-8: text first, then HTML as the better alternative."""
    mail = MAILS[name](language)

    parts = list(mail.iter_parts())
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in parts] == ["utf-8", "utf-8"]
    assert ("html", "lang", language.value) in page_of(mail).attributes


@each_language
@each_mail
def test_wire_form_suits_any_mail_server(name: str, language: Language) -> None:
    """On the wire, a mail is ASCII with CRLF line ends and at most 76 characters a line in the body."""
    raw = wire(MAILS[name](language))

    lines = raw.split(b"\r\n")
    assert raw.isascii()
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 78
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76


@each_language
@each_mail
def test_mails_contain_only_the_expected_links(name: str, language: Language) -> None:
    """A mail loads nothing, and links only to the activation page and the sign-in page."""
    mail = MAILS[name](language)
    page, expected = page_of(mail), EXPECTED_URLS.get(name, set())

    assert set(URL.findall(text_of(mail))) == expected
    assert set(page.links) == expected
    assert set(URL.findall("\n".join(page.lines))) == expected
    elsewhere = [value for _, attribute, value in page.attributes if attribute != "href"]
    assert "//" not in " ".join(elsewhere)
    assert not URL_ATTRIBUTES & {attribute for _, attribute, _ in page.attributes}
    assert not {"base", "embed", "form", "iframe", "img", "link", "object", "script", "svg"} & set(page.tags)
    assert "//" not in page.styles
    assert not re.search(r"url\(|@import|@font-face", page.styles)


@each_language
@each_mail
def test_mails_contain_no_secret(name: str, language: Language) -> None:
    """No mail contains a digest, captcha challenge or password hash."""
    mail = MAILS[name](language)
    everything = wire(mail).decode() + text_of(mail) + content_of(mail, "html")

    assert not [secret for secret in (*SECRETS.values(), PASSWORD_HASH) if secret in everything]


@each_language
@pytest.mark.parametrize("build", [summary, lambda language, one: activation(language, Link(one, ACTIVATION_URL))])
def test_entered_text_changes_no_header(
    build: Callable[[Language, Registration], EmailMessage], language: Language
) -> None:
    """Entered text changes no header."""
    entered = dict.fromkeys(("first_name", "last_name", "organisation_name"), "Vous avez gagné")
    entered |= {"email": "gagne@example.com", "contact_email": "gagne@example.com"}

    mail, other = build(language, registration(**entered)), build(language, registration())

    assert "gagn" in text_of(mail)
    assert {name: value for name, value in mail.items() if name != "Content-Type"} == {
        name: value for name, value in other.items() if name != "Content-Type"
    }


@each_language
@each_mail
def test_every_mail_has_its_templates(name: str, language: Language) -> None:
    """Each mail has a text and an HTML template in each language, without undefined or missing words."""
    mail = MAILS[name](language)

    for part in shown_in_both_parts(mail):
        assert not re.search(r"\bNone\b|\bTrue\b|\bFalse\b|[{}]|%s|Undefined", part)
        assert not re.search(r"&(#\d+|[a-z]+);", part)
    for kind in ("txt", "html"):
        assert (TEMPLATES / f"{template_of(name)}.{language}.{kind}").is_file()


@each_mail
def test_french_punctuation_has_no_break_spaces(name: str) -> None:
    """In French a narrow no-break space precedes ; : ! and ?, and the apostrophe is curly."""
    mail = MAILS[name](Language.FR)

    for text in (text_of(mail), "".join(page_of(mail).texts)):
        words = URL.sub("", text).replace("Ateliers de l'Erdre", "")
        assert not re.findall(r".*(?<![\u202f\d])[;:!?].*", words)
        assert "'" not in words


# ── The summary ──


@each_language
def test_the_summary_shows_everything_that_was_entered(language: Language) -> None:
    """The summary shows every field of the registration, in text and in HTML."""
    entered = [
        "Camille.Martin@example.com",
        "Camille",
        "Martin-Lefèvre",
        "+33612345678",
        "compta@example.org",
        "2026-01",
        in_words(NOW - timedelta(days=1), language),
        translate(language, "identifier-label-SIRET"),
        "732 829 320 00074",
        "Ateliers de l'Erdre",
    ]

    for part in shown_in_both_parts(summary(language)):
        assert [value for value in entered if value not in part] == []


@pytest.mark.parametrize(
    ("language", "consent", "words"),
    [
        (Language.FR, True, "Enquête de satisfaction : Oui, accord que vous pouvez retirer à tout moment"),
        (Language.FR, False, "Enquête de satisfaction : Non"),
        (Language.EN, True, "Satisfaction survey: Yes, a consent that you can withdraw at any time"),
        (Language.EN, False, "Satisfaction survey: No"),
    ],
)
def test_the_summary_shows_the_survey_consent(language: Language, consent: bool, words: str) -> None:
    """The summary shows whether the survey was consented to, and that consent can be withdrawn."""
    text, page = shown_in_both_parts(summary(language, registration(survey_consent=consent)))

    assert words in text
    assert words.rpartition(":")[2].strip() in page


@each_language
def test_the_summary_has_no_row_for_empty_fields(language: Language) -> None:
    """Without phone and declared name, the summary has no such rows; the contact address is the sign-in address."""
    bare = registration(phone=None, contact_email=None, organisation_name=None)

    mail, full = summary(language, bare), summary(language)

    assert page_of(mail).tags.count("tr") == page_of(full).tags.count("tr") - 2
    assert len(text_of(mail).splitlines()) == len(text_of(full).splitlines()) - 2
    for part in shown_in_both_parts(mail):
        assert part.count("Camille.Martin@example.com") == 2


@each_language
def test_the_summary_names_each_of_several_registrations(language: Language) -> None:
    """Each registration in a merged summary stands under its organisation's name or identifier."""
    label = translate(language, "identifier-label-UE_HORS_FRANCE")
    mail = summary(language, registration(), second_registration())

    assert "== Ateliers de l'Erdre ==" in text_of(mail).splitlines()
    assert f"== {label} – {VAT_NUMBER} ==" in text_of(mail).splitlines()
    assert f"{label} – {VAT_NUMBER}" in page_of(mail).lines
    for part in shown_in_both_parts(mail):
        assert part.index("Camille ") < part.index("Dominique")
    for part in shown_in_both_parts(summary(language, second_registration())):
        assert f"{label} – {VAT_NUMBER}" not in part


@each_language
def test_the_summary_describes_the_next_steps(language: Language) -> None:
    """The summary says how long a link works, what a password needs, and until when a link can be sent again."""
    minutes, days = LINK_LIFETIME // timedelta(minutes=1), ACTIVATION_PERIOD.days
    facts = {
        Language.FR: [f"{minutes} minutes", "12 caractères", "3 de ces 4 types", f"{days} jours", "gestionnaire"],
        Language.EN: [f"{minutes} minutes", "12 characters", "3 of these 4 types", f"{days} days", "manager"],
    }

    for part in shown_in_both_parts(summary(language)):
        assert [fact for fact in facts[language] if fact not in part] == []


# ── The activation link ──


@each_language
def test_the_activation_link_stays_whole(language: Language) -> None:
    """The link stands unbroken on a line of its own, in text and in HTML, and the button leads to it."""
    mail = activation(language)

    assert text_of(mail).splitlines().count(ACTIVATION_URL) == 1
    assert page_of(mail).lines.count(ACTIVATION_URL) == 1
    assert page_of(mail).links == [ACTIVATION_URL]


@each_language
def test_the_activation_mail_shows_the_applicant_before_the_link(language: Language) -> None:
    """Name, organisation and contact address precede the link, so that a stranger's attempt is recognised."""
    shown = [
        "Camille",
        "Martin-Lefèvre",
        translate(language, "identifier-label-SIRET"),
        "732 829 320 00074",
        "Ateliers de l'Erdre",
        "compta@example.org",
        in_words(NOW - timedelta(days=1), language),
    ]

    for part in shown_in_both_parts(activation(language)):
        before = part.partition(ACTIVATION_URL)[0]
        assert [value for value in shown if value not in before] == []


@each_language
def test_the_activation_mail_states_the_lifetime_of_its_link(language: Language) -> None:
    """The mail states the lifetime of a link, and of the right to a new one, as the models have them."""
    minutes, days = LINK_LIFETIME // timedelta(minutes=1), ACTIVATION_PERIOD.days

    for part in shown_in_both_parts(activation(language)):
        assert f" {minutes} minutes " in part
        assert f" {days} {'jours' if language is Language.FR else 'days'} " in part


@each_language
def test_each_of_several_links_follows_its_organisation(language: Language) -> None:
    """Several links come in order, each after its own organisation."""
    mail = several_links(language)
    label = translate(language, "identifier-label-UE_HORS_FRANCE")
    order = ["Ateliers de l'Erdre", ACTIVATION_URL, f"{label} – {VAT_NUMBER}", "Dominique", OTHER_URL]

    assert page_of(mail).links == [ACTIVATION_URL, OTHER_URL]
    for part in shown_in_both_parts(mail):
        positions = [part.index(item) for item in order]
        assert positions == sorted(positions)


def test_a_link_keeps_its_token_out_of_logs() -> None:
    """The repr of a link shows neither its URL nor its token."""
    assert "token" not in repr(Link(registration(), ACTIVATION_URL))


# ── To an account holder ──


@each_language
def test_the_mail_to_an_account_holder_has_no_entered_text(language: Language) -> None:
    """The mail to an owner has the account's address, and no other data of the registration or the account."""
    mail = account_exists(language)
    entered = ["Camille.Martin", "Martin", "+336", "compta@", "Erdre", "732", "2026-01", "Andrée", "Propriétaire"]

    for part in shown_in_both_parts(mail):
        assert RECIPIENT in part
        assert [value for value in entered if value in part] == []


@each_language
def test_the_mail_to_an_account_holder_links_to_the_sign_in_page(language: Language) -> None:
    """The mail links to the sign-in page if the portal has set one; otherwise it explains."""
    linked, worded = account_exists(language), account_exists(language, sign_in_url=None)

    assert SIGN_IN_URL in text_of(linked).splitlines()
    assert page_of(linked).links == [SIGN_IN_URL]
    assert page_of(worded).links == []
    assert ("portail" if language is Language.FR else "portal") in text_of(worded)


# ── Text from a stranger ──


@each_language
@pytest.mark.parametrize("field", ["first_name", "last_name", "organisation_name", "phone", "terms_version"])
def test_entered_markup_is_shown_as_text(field: str, language: Language) -> None:
    """Tags and quotes in entered text are shown as they are, and add no element to the HTML."""
    hostile, harmless = registration(**{field: HOSTILE}), registration()
    mails = {
        summary(language, hostile, hostile): summary(language, harmless, harmless),
        activation(language, *[Link(hostile, ACTIVATION_URL)] * 2): activation(
            language, *[Link(harmless, ACTIVATION_URL)] * 2
        ),
    }

    for mail, other in mails.items():
        assert page_of(mail).tags == page_of(other).tags
        assert page_of(mail).attributes == page_of(other).attributes
    for part in shown_in_both_parts(next(iter(mails))):
        assert HOSTILE in part


@each_language
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_entered_text_stays_on_one_line(line_break: str, language: Language) -> None:
    """A line break in entered text becomes a blank, so that nobody can add lines to a mail."""
    entered = f"A{line_break}{line_break}B\u202e\x00\u200b C"
    fields = ("first_name", "last_name", "organisation_name", "phone", "contact_email", "email", "terms_version")
    hostile = registration(**dict.fromkeys(fields, entered))

    for mail, other in (
        (summary(language, hostile, hostile), summary(language, registration(), registration())),
        (activation(language, Link(hostile, ACTIVATION_URL)), activation(language)),
    ):
        assert "A B C" in text_of(mail)
        assert len(text_of(mail).splitlines()) == len(text_of(other).splitlines())


def test_a_recipient_brings_no_header() -> None:
    """A recipient that is not exactly one address is refused."""
    for to in ("a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com", "a@example.com\nX: y"):
        with pytest.raises(ValueError, match="addr"):
            composer().summary([registration()], to=to, language=Language.FR, message_id=MESSAGE_ID, now=NOW)


# ── Small things ──


@pytest.mark.parametrize("sender", ["", "Le Portail", "Le Portail <>", "portail.example"])
def test_a_sender_that_is_no_address_is_refused_at_once(sender: str) -> None:
    """A sender that is no address is refused, before any mail is composed."""
    with pytest.raises(ValueError, match="must be one address"):
        parse_sender(sender)


def test_a_sender_without_a_name_is_an_address_alone() -> None:
    """The portal's name is shown if the sender has one; otherwise nothing takes its place."""
    mail = received(
        composer(sender="bonjour@portail.example").summary(
            [registration()], to=RECIPIENT, language=Language.FR, message_id=MESSAGE_ID, now=NOW
        )
    )

    assert mail["From"] == "bonjour@portail.example"
    assert ("p", "class", "portal") not in page_of(mail).attributes
    assert "Le Portail été" in page_of(summary(Language.FR)).lines


@pytest.mark.parametrize(
    ("instant", "french", "english"),
    [
        (NOW, "23 novembre 2026 à 09:30 UTC", "23 November 2026 at 09:30 UTC"),
        (
            datetime(2027, 1, 1, 0, 5, tzinfo=timezone(timedelta(hours=1))),
            "31 décembre 2026 à 23:05 UTC",
            "31 December 2026 at 23:05 UTC",
        ),
        (datetime(2026, 8, 1, tzinfo=UTC), "1er août 2026 à 00:00 UTC", "1 August 2026 at 00:00 UTC"),
    ],
)
def test_times_are_written_in_words(instant: datetime, french: str, english: str) -> None:
    """A time is shown in UTC, in the words of the language."""
    assert in_words(instant, Language.FR) == french
    assert in_words(instant, Language.EN) == english


def test_every_template_is_used() -> None:
    """Every template belongs to a mail that these tests read."""
    stems = {file.name.partition(".")[0] for file in TEMPLATES.glob("*.??.*") if file.suffix != ".jinja"}

    assert stems == {template_of(name) for name in MAILS}
