"""Settings that production refuses, or warns of: each in a line that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.settings.hosts import is_loopback
from api.settings.mail_destination import SmtpServer
from api.settings.problems import PREFIX, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.settings.environment import Settings

MIN_SECRET_KEY_LENGTH = 32
RANDOM_KEY = "give random characters, as `openssl rand -hex 32` makes them"
MIN_GUESSES_LOG10 = 25
"""32 random hexadecimal characters take 10^32 guesses by zxcvbn's count; words, rows of keys and repetitions, few."""
MAX_ESTIMATED_CHARACTERS = 72  # zxcvbn takes no more.
VERIFIED = "sslmode=verify-full and sslrootcert=FILE (or have ~/.postgresql/root.crt)"
REQUIRED = {
    "database_url": "name the database, as"
    " postgres://user:password@host/name?sslmode=verify-full&sslrootcert=FILE or sqlite:///srv/guichet/var/guichet.db",
    "secret_key": f"give at least {MIN_SECRET_KEY_LENGTH} random characters, the same to every process",
    "mail_url": "name the mail server, as smtp://user:password@host:587",
    "mail_from": "give the address that mails come from",
    "activation_url": "give the page that activation links lead to",
}
PLACEHOLDER_SIGNS = frozenset("<>$() \t\n")
"""Signs in `<your key>` and `$(openssl rand -hex 32)`, which no generated key has."""
WITHOUT_PROTECTION = frozenset({"disable", "allow", "prefer"})


def insecure_settings(settings: Settings, workers: int) -> Iterator[str]:
    """Yield a line with a remedy for each setting that production refuses."""
    for name, remedy in REQUIRED.items():
        if name not in settings.model_fields_set:
            yield line(name, f"is required in production: {remedy}")
    yield from _insecure_key(settings)
    yield from _insecure_pages(settings)
    yield from _useless_in_production(settings)
    yield from _insecure_connections(settings)
    if settings.captcha is not None:
        yield line("captcha", "fixed:… lets every robot in: use picture")
    if settings.rate_limits is None:
        yield line("rate_limits", "off leaves the service unprotected: use on, or change single limits")
    if settings.trusted_proxies.include_strangers:
        yield line("trusted_proxies", "trusts strangers: name the networks of your proxies")
    if workers > 1 and settings.rate_limit_url.is_memory:
        yield line("rate_limit_url", "counts in one process only: use async+rediss://… for several workers")


def risky_settings(settings: Settings) -> Iterator[str]:
    """Yield a line for each risk that the operator has chosen. Production runs, and warns."""
    if not settings.in_production:
        return
    mode = settings.database_url.ssl_mode
    if mode in WITHOUT_PROTECTION and _has_remote_database(settings):
        yield line("database_url", f"sslmode={mode} lets the network read all data: use {VERIFIED}")
    if settings.rate_limit_url.encryption == "none" and not is_loopback(settings.rate_limit_url.host):
        yield line("rate_limit_url", "tls=off lets the network change the counts: use async+rediss://")


def _insecure_key(settings: Settings) -> Iterator[str]:
    if "secret_key" not in settings.model_fields_set:
        return
    from zxcvbn import zxcvbn  # Late: its lists of words slow a start, and only production needs them here.

    key = settings.secret_key.get_secret_value().strip()
    if len(key.encode()) < MIN_SECRET_KEY_LENGTH:
        yield line("secret_key", f"is too short: give at least {MIN_SECRET_KEY_LENGTH} random characters")
    elif PLACEHOLDER_SIGNS.intersection(key):
        yield line("secret_key", f"is a placeholder or a command: {RANDOM_KEY}")
    elif zxcvbn(key[:MAX_ESTIMATED_CHARACTERS])["guesses_log10"] < MIN_GUESSES_LOG10:
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
    """Yield what would lose data or mails: a database for each process, a name that mail servers refuse."""
    if settings.database_url.file == ":memory:":
        yield line("database_url", "gives each process a database of its own, lost when it ends: name a file")
    if settings.mail_helo_name is None and "." not in settings.mail_from.domain.strip("."):
        yield line(
            "mail_from", f"has a domain of one label, which mail servers refuse in EHLO: set {PREFIX}MAIL_HELO_NAME"
        )


def _insecure_connections(settings: Settings) -> Iterator[str]:
    if isinstance(settings.mail_url, SmtpServer) and settings.mail_url.gets_mails_in_clear:
        yield line("mail_url", "starttls=off is for a loopback server only: leave it out, or use smtps://")
    if settings.database_url.ssl_mode is None and _has_remote_database(settings):
        yield line(
            "database_url",
            f"says nothing of encryption to a remote server: add {VERIFIED}, or sslmode=disable to go without",
        )
    counts = settings.rate_limit_url
    if not counts.is_memory and counts.encryption == "unsaid" and not is_loopback(counts.host):
        yield line(
            "rate_limit_url",
            "says nothing of encryption to a remote server: use async+rediss://, or add ?tls=off to go without",
        )


def _has_remote_database(settings: Settings) -> bool:
    return any(not host.startswith("/") and not is_loopback(host) for host in settings.database_url.hosts)
