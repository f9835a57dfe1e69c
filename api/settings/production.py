"""What production refuses to run with, and what it warns of: each in a line that says what to do."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zxcvbn import zxcvbn

from api.limits.rate_limits import parse_limits
from api.limits.storage import MEMORY_URL, is_in_clear
from api.settings.sender import parse_sender
from api.settings.trusted_proxies import UNIX_PEER, holds_all_of_ipv4, parse_network
from models.database.url import credentials_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from api.settings.environment import Settings

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PREFIX = "GUICHET_"
SHORTEST_SECRET_KEY = 32
RANDOM_KEY = "give random characters, as `openssl rand -hex 32` makes them"
FEWEST_GUESSES_LOG10 = 25
"""32 random hexadecimal characters take 10^32 guesses by zxcvbn's count; words, rows of keys and repetitions, few."""
ESTIMATED_CHARACTERS = 72  # zxcvbn takes no more.
VERIFIED = "sslmode=verify-full and sslrootcert=FILE (or have ~/.postgresql/root.crt)"
REQUIRED = {
    "database_url": "name the database, as"
    " postgres://user:password@host/name?sslmode=verify-full&sslrootcert=FILE or sqlite:///srv/guichet/var/guichet.db",
    "secret_key": f"give at least {SHORTEST_SECRET_KEY} random characters, the same to every process",
    "mail_url": "name the mail server, as smtp://user:password@host:587",
    "mail_from": "give the address that mails come from",
    "activation_url": "give the page that activation links lead to",
}
# A whole provider may be trusted, half of the internet may not: at most as many public addresses as these have.
MOST_TRUSTED = {4: ipaddress.ip_network("0.0.0.0/8").num_addresses, 6: ipaddress.ip_network("::/29").num_addresses}
PLACEHOLDER_SIGNS = frozenset("<>$() \t\n")
"""What is in `<your key>` and `$(openssl rand -hex 32)`, and in no key that a generator has made."""
WITHOUT_PROTECTION = frozenset({"disable", "allow", "prefer"})


def line(name: str, problem: str) -> str:
    """The line that tells of a *problem* with the setting *name*."""
    return f"{PREFIX}{name.upper()}: {problem.removeprefix('Value error, ')}"


def insecure_settings(settings: Settings, workers: int) -> Iterator[str]:
    """What production refuses, each with its remedy."""
    for name, remedy in REQUIRED.items():
        if name not in settings.model_fields_set:
            yield line(name, f"is required in production: {remedy}")
    yield from _insecure_key(settings)
    yield from _insecure_pages(settings)
    yield from _useless_in_production(settings)
    yield from _insecure_connections(settings)
    if settings.fixed_captcha is not None:
        yield line("captcha", "fixed:… lets every robot in: use picture")
    if parse_limits(settings.rate_limits) is None:
        yield line("rate_limits", "off leaves the service unprotected: use on, or change single limits")
    if trusts_strangers(settings.trusted_proxies):
        yield line("trusted_proxies", "trusts strangers: name the networks of your proxies")
    if workers > 1 and settings.rate_limit_url.get_secret_value() == MEMORY_URL:
        yield line("rate_limit_url", "counts in one process only: use async+rediss://… for several workers")


def risky_settings(settings: Settings) -> Iterator[str]:
    """What production runs with, since the operator has said so, and warns of."""
    if not settings.in_production:
        return
    mode = credentials_of(settings.database_url.get_secret_value()).get("ssl")
    if mode in WITHOUT_PROTECTION and _has_remote_database(settings):
        yield line("database_url", f"sslmode={mode} lets the network read all data: use {VERIFIED}")
    counts = settings.rate_limit_url.get_secret_value()
    if is_in_clear(counts) and not is_loopback(urlsplit(counts).hostname):
        yield line("rate_limit_url", "tls=off lets the network change the counts: use async+rediss://")


def _insecure_key(settings: Settings) -> Iterator[str]:
    if "secret_key" not in settings.model_fields_set:
        return
    key = settings.secret_key.get_secret_value().strip()
    if len(key.encode()) < SHORTEST_SECRET_KEY:
        yield line("secret_key", f"is too short: give at least {SHORTEST_SECRET_KEY} random characters")
    elif PLACEHOLDER_SIGNS.intersection(key):
        yield line("secret_key", f"is a placeholder or a command: {RANDOM_KEY}")
    elif zxcvbn(key[:ESTIMATED_CHARACTERS])["guesses_log10"] < FEWEST_GUESSES_LOG10:
        yield line("secret_key", f"can be guessed: {RANDOM_KEY}")


def _insecure_pages(settings: Settings) -> Iterator[str]:
    for name in ("activation_url", "sign_in_url", "terms_url"):
        page = getattr(settings, name)
        if name in settings.model_fields_set and page and not page.startswith("https://"):
            yield line(name, "must begin with https:// in production")
    if "*" in settings.cors_origins:
        yield line("cors_origins", "* lets every page on the web ask through its visitors: name the origins")
    elif not all(origin.startswith("https://") for origin in settings.cors_origins):
        yield line("cors_origins", "a page that came without encryption can be anybody's: use https:// origins")


def _useless_in_production(settings: Settings) -> Iterator[str]:
    """What would lose data or mails: a database for each process, a name that mail servers refuse."""
    if credentials_of(settings.database_url.get_secret_value()).get("file_path") == ":memory:":
        yield line("database_url", "gives each process a database of its own, lost when it ends: name a file")
    if settings.mail_helo_name is None and "." not in parse_sender(settings.mail_from).domain.strip("."):
        yield line(
            "mail_from", f"has a domain of one label, which mail servers refuse in EHLO: set {PREFIX}MAIL_HELO_NAME"
        )


def _insecure_connections(settings: Settings) -> Iterator[str]:
    if settings.sends_in_clear:
        yield line("mail_url", "starttls=off is for a loopback server only: leave it out, or use smtps://")
    if "ssl" not in credentials_of(settings.database_url.get_secret_value()) and _has_remote_database(settings):
        yield line(
            "database_url",
            f"says nothing of encryption to a remote server: add {VERIFIED}, or sslmode=disable to go without",
        )
    counts = settings.rate_limit_url.get_secret_value()
    if counts.startswith("async+redis://") and not is_in_clear(counts) and not is_loopback(urlsplit(counts).hostname):
        yield line(
            "rate_limit_url",
            "says nothing of encryption to a remote server: use async+rediss://, or add ?tls=off to go without",
        )


def _has_remote_database(settings: Settings) -> bool:
    hosts = credentials_of(settings.database_url.get_secret_value()).get("hosts", [])
    return any(host is not None and not host.startswith("/") and not is_loopback(host) for host, _ in hosts)


def is_loopback(host: str | None) -> bool:
    """Whether *host* is this machine by its name or address; an address of the internet by any other name is not."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def trusts_strangers(proxies: Iterable[str]) -> bool:
    """Whether *proxies* are so many public addresses together that others than the operator's own are among them."""
    networks = [parse_network(proxy) for proxy in proxies if proxy != UNIX_PEER]
    if any(map(holds_all_of_ipv4, networks)):
        return True
    for version, most in MOST_TRUSTED.items():
        of_version: list[Network] = [network for network in networks if network.version == version]
        together: list[Network] = list(ipaddress.collapse_addresses(of_version))  # type: ignore[type-var]
        if sum(network.num_addresses for network in together if not network.is_private) > most:
            return True
    return False
