"""Settings: each mistake gets its line, no secret is quoted, and production refuses risks."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings.environment import Environment, FixedAnswer, Settings, load_settings, unknown_settings
from api.settings.files import SECRET_KEY_FILE, open_files
from api.settings.hosts import is_loopback
from api.settings.mail_destination import Maildir, SmtpServer
from api.settings.problems import SettingsError
from api.settings.production import risky_settings
from api.settings.trusted_proxies import TrustedProxies

SECRET = "Secret-42"
RANDOM = "9f86d081884c7d659a2feaa0c55ad015"
PROJECT = Path(__file__).parent.parent
PRODUCTION = {
    "ENVIRONMENT": "production",
    "DATABASE_URL": "sqlite:///srv/guichet/var/guichet.db",
    "SECRET_KEY": RANDOM,
    "MAIL_URL": f"smtp://guichet:{SECRET}@mail.example.org",
    "MAIL_FROM": "Guichet <no-reply@portal.example.org>",
    "ACTIVATION_URL": "https://portal.example.org/activate",
}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment without settings."""
    for name in list(os.environ):
        if name.upper().startswith("GUICHET_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def choose(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"GUICHET_{name}", value)


def refusals(*, workers: int = 1) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(workers=workers)
    return refused.value.lines


# --- Mistakes ---

WRONG: list[tuple[str, str]] = [
    ("ENVIRONMENT", "staging"),
    ("DATABASE_URL", f"mysql://guichet:{SECRET}@db.example.org/guichet"),
    ("DATABASE_URL", f"postgres://guichet:{SECRET}@db.example.org:port/guichet"),
    ("DATABASE_URL", f"postgres://guichet:{SECRET}/@db.example.org/guichet"),
    ("DATABASE_URL", f"postgres://guichet:12/{SECRET}@db.example.org/guichet"),
    ("DATABASE_URL", f"postgres://guichet:[{SECRET}@db.example.org/guichet"),
    ("DATABASE_URL", SECRET),
    ("MAIL_URL", f"smtp://guichet:{SECRET}@"),
    ("MAIL_URL", f"smtp://guichet:{SECRET}@mail.example.org:port"),
    ("MAIL_URL", f"smtp://guichet:12/{SECRET}@mail.example.org"),
    ("MAIL_URL", f"smtp://guichet:[{SECRET}@mail.example.org"),
    ("MAIL_URL", f"smtp://guichet:{SECRET}@mail.example.org?starttls=perhaps"),
    ("MAIL_URL", f"imap://guichet:{SECRET}@mail.example.org"),
    ("MAIL_URL", "maildir:"),
    ("MAIL_URL", "var/mailbox"),
    ("MAIL_FROM", "Guichet"),
    ("MAIL_FROM", "no-reply@"),
    ("MAIL_FROM", "no-reply@a.example.org, other@b.example.org"),
    ("MAIL_FROM", "A <no-reply@a.example.org>, B <other@b.example.org>"),
    ("MAIL_FROM", "other@b.example.org <no-reply@a.example.org>"),
    ("MAIL_FROM", "Été <été@portal.example.org>"),
    ("MAIL_FROM", "Été <no-reply@portal_.example.org>"),
    ("MAIL_FROM", "no-reply@portal.example.org\nBcc: all@portal.example.org"),
    ("MAIL_HELO_NAME", "15b0717dc4c2"),
    ("MAIL_HELO_NAME", "mail example.org"),
    ("MAIL_HELO_NAME", "192.0.2.1"),
    ("MAIL_HELO_NAME", "[192.0.2]"),
    ("RELAY", "yes"),
    ("ACTIVATION_URL", "portal.example.org/activate"),
    ("ACTIVATION_URL", "/activate"),
    ("ACTIVATION_URL", "https://"),
    ("ACTIVATION_URL", "https://portal.example.org/#activate"),
    ("ACTIVATION_URL", "javascript:alert(1)"),
    ("SIGN_IN_URL", "sign-in"),
    ("TERMS_URL", "ftp://portal.example.org/terms"),
    ("TRUSTED_PROXIES", "proxy.example.org"),
    ("TRUSTED_PROXIES", "10.0.0.1/8"),
    ("TRUSTED_PROXIES", "*"),
    ("RATE_LIMIT_URL", f"redis://:{SECRET}@counts.example.org:6379"),
    ("RATE_LIMIT_URL", f"async+redis://:{SECRET}@counts.example.org"),
    ("RATE_LIMIT_URL", f"async+redis://:{SECRET}@counts.example.org:port"),
    ("RATE_LIMIT_URL", f"async+redis://:{SECRET}/@counts.example.org:6379"),
    ("RATE_LIMIT_URL", f"async+redis://:[{SECRET}@counts.example.org:6379"),
    ("RATE_LIMIT_URL", f"async+redis://:12/{SECRET}@counts.example.org:6379"),
    ("RATE_LIMIT_URL", f"async+redis://:{SECRET}@counts.example.org:6379?socket_timeout=soon"),
    ("RATE_LIMIT_URL", SECRET),
    ("RATE_LIMITS", "perhaps"),
    ("RATE_LIMITS", "organisation=many"),
    ("CAPTCHA", "sound"),
    ("CAPTCHA", "fixed"),
    ("CAPTCHA", "fixed:"),
    ("CAPTCHA", "fixed:ÉTÉ"),
    ("CAPTCHA", "picture:ABC"),
    ("INTROSPECTION", "yes"),
    ("CORS_ORIGINS", "portal.example.org"),
    ("CORS_ORIGINS", "https://portal.example.org/"),
    ("CORS_ORIGINS", "https://"),
    ("CORS_ORIGINS", "https://:8000"),
    ("CORS_ORIGINS", "https://portal.example.org:port"),
    ("CORS_ORIGINS", "https://somebody@portal.example.org"),
    ("CORS_ORIGINS", "https://[portal.example.org"),
    ("CORS_ORIGINS", "https://portal.example.org,https://portal.example.org/page"),
    ("TERMS_VERSION", "x" * 51),
    ("SURVEY_CONSENT_VERSION", "x" * 51),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda text: str(text)[:50])
def test_wrong_setting_is_refused_in_one_line_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """One line names the wrong setting and the expected value, and quotes no password."""
    choose(monkeypatch, **{name: value})
    (line,) = refusals()
    assert line.startswith(f"GUICHET_{name}: ")
    assert len(line) > len(f"GUICHET_{name}: ") + 15
    assert "\n" not in line
    assert SECRET not in line


def test_every_setting_that_can_be_wrong_is_tested() -> None:
    """A new setting fails here until its mistakes are tested. The secret key may be any text."""
    assert {name.lower() for name, _ in WRONG} == set(Settings.model_fields) - {"secret_key"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mail.example.org", "mail.example.org"),
        ("Métropole.example", "xn--mtropole-b1a.example"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[IPv6:2001:DB8::1]", "[IPv6:2001:db8::1]"),
    ],
)
def test_ehlo_name_is_a_domain_in_ascii_or_an_address_in_brackets(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    """EHLO takes a domain, which is converted to ASCII, or an address in brackets."""
    choose(monkeypatch, MAIL_URL="smtp://mail.example.org", MAIL_HELO_NAME=name)
    assert load_settings().mail_helo_name == expected


def test_all_mistakes_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All mistakes are reported at one start, each on its own line."""
    choose(monkeypatch, RELAY="yes", CAPTCHA="sound", MAIL_FROM="nobody")
    assert [line.partition(":")[0] for line in refusals()] == ["GUICHET_MAIL_FROM", "GUICHET_RELAY", "GUICHET_CAPTCHA"]


@pytest.mark.parametrize("url", [url for name, url in WRONG if SECRET in url])
def test_traceback_of_a_mistake_quotes_no_secret(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Neither the error nor its cause, which a traceback would show, contains the password."""
    for name in ("DATABASE_URL", "MAIL_URL", "RATE_LIMIT_URL"):
        choose(monkeypatch, **{name: url})
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    with pytest.raises(ValidationError) as wrong:
        Settings()
    assert SECRET not in str(wrong.value)


def test_empty_setting_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with an empty value counts as unset."""
    choose(monkeypatch, **{name.upper(): "" for name in Settings.model_fields})
    assert load_settings().model_dump(exclude={"secret_key"}) == Settings().model_dump(exclude={"secret_key"})


def test_unknown_setting_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with the prefix of settings that is none is reported. Letter case doesn't matter."""
    choose(monkeypatch, DATABASE="sqlite://x.db", RELAYS="off", RELAY="off")
    monkeypatch.setenv("guichet_mail_from", "no-reply@example.org")
    monkeypatch.setenv("Guichet_colour", "blue")
    monkeypatch.setenv("OTHER", "x")
    assert unknown_settings() == ["GUICHET_DATABASE", "GUICHET_RELAYS", "Guichet_colour"]
    assert load_settings().mail_from.local_part == "no-reply"


KUBERNETES = {
    "GUICHET_PORT": "tcp://10.0.0.1:80",
    "GUICHET_SERVICE_HOST": "10.0.0.1",
    "GUICHET_SERVICE_PORT": "80",
    "GUICHET_SERVICE_PORT_HTTP": "80",
    "GUICHET_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "GUICHET_PORT_8000_TCP_PROTO": "tcp",
    "GUICHET_PORT_8000_TCP_PORT": "8000",
    "GUICHET_PORT_8000_TCP_ADDR": "10.0.0.1",
    "GUICHET_API_PORT": "udp://10.0.0.1:53",
    "GUICHET_API_SERVICE_HOST": "10.0.0.1",
}


def test_variables_of_kubernetes_are_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that Kubernetes sets for a service of this name are ignored. A port set by hand is reported."""
    for name, value in KUBERNETES.items():
        monkeypatch.setenv(name, value)
    assert unknown_settings() == []
    choose(monkeypatch, PORT="8000", SERVICE_HOSTS="10.0.0.1", PORTS="80")
    assert unknown_settings() == ["GUICHET_PORT", "GUICHET_PORTS", "GUICHET_SERVICE_HOSTS"]


# --- The meaning of settings ---


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("maildir:var/mailbox", Maildir(Path("var/mailbox"))),
        ("maildir:/srv/mail", Maildir(Path("/srv/mail"))),
        ("smtp://mail.example.org", SmtpServer("mail.example.org", 587, "starttls")),
        ("smtp://mail.example.org:25?starttls=required", SmtpServer("mail.example.org", 25, "starttls")),
        ("smtp://127.0.0.1:1025?starttls=off", SmtpServer("127.0.0.1", 1025, "none")),
        ("smtps://mail.example.org", SmtpServer("mail.example.org", 465, "tls")),
        ("smtps://[2001:db8::1]:466?starttls=off", SmtpServer("2001:db8::1", 466, "tls")),
        (
            "smtp://user%40example.org:p%2Fss%3A%40@mail.example.org",
            SmtpServer("mail.example.org", 587, "starttls", "user@example.org", "p/ss:@"),
        ),
    ],
)
def test_mail_url_names_server_port_encryption_and_user(
    monkeypatch: pytest.MonkeyPatch, url: str, destination: Maildir | SmtpServer
) -> None:
    """Each form of the mail URL has its meaning. Mails are encrypted unless the URL says otherwise."""
    choose(monkeypatch, MAIL_URL=url)
    assert load_settings().mail_url == destination


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("mail.example.org", False),
        ("localhost.example.org", False),
        ("10.0.0.1", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, expected: bool) -> None:
    """Only names and addresses of this machine count as loopback."""
    assert is_loopback(host) is expected


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are separated by commas, with or without blanks."""
    choose(
        monkeypatch, TRUSTED_PROXIES=" 10.0.0.0/8,192.0.2.1, ", CORS_ORIGINS="https://a.example , http://b.example:1"
    )
    settings = load_settings()
    assert settings.trusted_proxies == TrustedProxies.parse(["10.0.0.0/8", "192.0.2.1"])
    assert settings.cors_origins == ("https://a.example", "http://b.example:1")


def test_secrets_are_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text form of the settings contains a secret."""
    choose(
        monkeypatch,
        SECRET_KEY=f"{SECRET}-{'k' * 32}",
        DATABASE_URL=f"postgres://guichet:{SECRET}@db.example.org/guichet",
        MAIL_URL=f"smtp://guichet:{SECRET}@mail.example.org",
        RATE_LIMIT_URL=f"async+redis://:{SECRET}@counts.example.org:6379",
    )
    settings = load_settings()
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.mail_url!r}"
    assert SECRET not in settings.model_dump_json()


# --- Production ---


def production(monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, str | None]) -> None:
    """Set what production accepts, with *changes*; None removes a setting."""
    for name, value in {**PRODUCTION, **changes}.items():
        if value is not None:
            choose(monkeypatch, **{name: value})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"MAIL_URL": "smtps://mail.example.org"},
        {"MAIL_URL": "smtp://127.0.0.1:25?starttls=off"},
        {"RATE_LIMITS": "organisation=100000/minute"},
        {"TRUSTED_PROXIES": "10.0.0.0/8"},
        {"TRUSTED_PROXIES": "unix, 10.0.0.0/8"},
        {"TRUSTED_PROXIES": "2a06:98c0::/29,fc00::/7"},
        {"MAIL_FROM": "no-reply@portal", "MAIL_HELO_NAME": "mail.example.org"},
        {"SECRET_KEY": f"{RANDOM}\n"},
        {"SIGN_IN_URL": "https://portal.example.org/sign-in"},
        {"CORS_ORIGINS": "https://portal.example.org"},
        {"TRUSTED_PROXIES": "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7,173.245.48.0/20,2400:cb00::/32"},
        {"SECRET_KEY": "wGm2p3Yz0T7kQv9LxN5dRf8Hs1JcBa4E"},
        {"DATABASE_URL": "postgres://guichet@db.example.org/guichet?sslmode=verify-full"},
        {"DATABASE_URL": "postgres://guichet@127.0.0.1/guichet"},
        {"DATABASE_URL": "postgres://guichet@/guichet?host=/run/postgresql"},
        {"DATABASE_URL": "postgres://guichet@%2Frun%2Fpostgresql/guichet"},
        {"RATE_LIMIT_URL": "async+rediss://counts.example.org:6379"},
        {"RATE_LIMIT_URL": "async+redis://127.0.0.1:6379"},
    ],
)
def test_production_accepts_secure_settings(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], empty_folder: Path
) -> None:
    """Complete and secure settings are accepted, and nothing is written to the disk."""
    production(monkeypatch, changes)
    assert load_settings().environment is Environment.PRODUCTION
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "name", "remedy"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY", "give at least 32 random characters, the same to every process"),
        ({"SECRET_KEY": ""}, "SECRET_KEY", "give at least 32 random characters, the same to every process"),
        ({"SECRET_KEY": "k" * 31}, "SECRET_KEY", "give at least 32 random characters"),
        ({"SECRET_KEY": "a" * 32}, "SECRET_KEY", "give random characters"),
        ({"SECRET_KEY": "0123456789abcdef" * 4}, "SECRET_KEY", "give random characters"),
        ({"SECRET_KEY": "changeme-changeme-changeme-change"}, "SECRET_KEY", "give random characters"),
        ({"SECRET_KEY": "azertyuiopqsdfghjklmwxcvbnazertyuiop"}, "SECRET_KEY", "give random characters"),
        ({"SECRET_KEY": f"<{RANDOM}>"}, "SECRET_KEY", "give random characters"),
        ({"SECRET_KEY": "$(openssl rand -hex 32 | tr -d '\\n')"}, "SECRET_KEY", "give random characters"),
        ({"SECRET_KEY": f"$KEY_{RANDOM}"}, "SECRET_KEY", "give random characters"),
        ({"SECRET_KEY": f"{RANDOM} {RANDOM}"}, "SECRET_KEY", "give random characters"),
        ({"DATABASE_URL": "sqlite://:memory:"}, "DATABASE_URL", "name a file"),
        ({"MAIL_FROM": "Guichet <no-reply@portal>"}, "MAIL_FROM", "set GUICHET_MAIL_HELO_NAME"),
        ({"TERMS_URL": "http://portal.example.org/terms"}, "TERMS_URL", "must begin with https://"),
        ({"DATABASE_URL": None}, "DATABASE_URL", "sqlite:///srv/guichet/var/guichet.db"),
        ({"DATABASE_URL": "postgres://guichet@db.example.org/guichet"}, "DATABASE_URL", "sslrootcert=FILE (or have ~"),
        ({"DATABASE_URL": "postgres://g@127.0.0.1,192.0.2.1:5433/g"}, "DATABASE_URL", "add sslmode=verify-full"),
        ({"DATABASE_URL": "postgres://g@/g?host=db.example.org"}, "DATABASE_URL", "add sslmode=verify-full"),
        ({"RATE_LIMIT_URL": "async+redis://:p@counts.example.org:6379"}, "RATE_LIMIT_URL", "use async+rediss://"),
        ({"MAIL_URL": None}, "MAIL_URL", "name the mail server, as smtp://user:password@host:587"),
        ({"MAIL_FROM": None}, "MAIL_FROM", "give the address that mails come from"),
        ({"ACTIVATION_URL": None}, "ACTIVATION_URL", "give the page that activation links lead to"),
        ({"ACTIVATION_URL": "http://portal.example.org/"}, "ACTIVATION_URL", "must begin with https://"),
        ({"SIGN_IN_URL": "http://portal.example.org/"}, "SIGN_IN_URL", "must begin with https://"),
        (
            {"MAIL_URL": f"smtp://guichet:{SECRET}@mail.example.org?starttls=off"},
            "MAIL_URL",
            "leave it out, or use smtps://",
        ),
        ({"CAPTCHA": "fixed:ABC123"}, "CAPTCHA", "use picture"),
        ({"RATE_LIMITS": "off"}, "RATE_LIMITS", "use on, or change single limits"),
        ({"RATE_LIMITS": " OFF "}, "RATE_LIMITS", "use on, or change single limits"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8, 0.0.0.0/0"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "::/0"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "0.0.0.0/1,128.0.0.0/1"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "128.0.0.0/2"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "20.0.0.0/8,21.0.0.0/8"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "::/1,8000::/1"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "::ffff:0:0/96"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "::ffff:128.0.0.0/98"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "::fffe:0:0/95"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "::/80"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "::/16"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"TRUSTED_PROXIES": "2400::/28"}, "TRUSTED_PROXIES", "name the networks of your proxies"),
        ({"CORS_ORIGINS": "https://portal.example.org, *"}, "CORS_ORIGINS", "name the origins"),
        ({"CORS_ORIGINS": "https://a.example, http://portal.example.org"}, "CORS_ORIGINS", "use https:// origins"),
    ],
)
def test_production_refuses_insecure_settings(
    monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, str | None], name: str, remedy: str
) -> None:
    """Each risk is refused at start, in one line with its remedy and without secrets."""
    production(monkeypatch, changes)
    (line,) = refusals()
    assert line.startswith(f"GUICHET_{name}: ")
    assert remedy in line
    assert SECRET not in line


def test_production_reports_all_missing_settings_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start with nothing but the environment reports all missing settings."""
    choose(monkeypatch, ENVIRONMENT="production")
    assert [line.partition(":")[0] for line in refusals()] == [
        "GUICHET_DATABASE_URL",
        "GUICHET_SECRET_KEY",
        "GUICHET_MAIL_URL",
        "GUICHET_MAIL_FROM",
        "GUICHET_ACTIVATION_URL",
    ]


def test_several_workers_in_production_need_a_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several workers in production need a Redis for their limits. One worker and development don't."""
    production(monkeypatch, {})
    assert load_settings(workers=1)
    (line,) = refusals(workers=2)
    assert line.startswith("GUICHET_RATE_LIMIT_URL: ")
    assert "use async+rediss://" in line
    choose(monkeypatch, RATE_LIMIT_URL="async+rediss://counts.example.org:6379")
    assert load_settings(workers=2)
    monkeypatch.delenv("GUICHET_RATE_LIMIT_URL")
    monkeypatch.delenv("GUICHET_ENVIRONMENT")
    assert load_settings(workers=2)


@pytest.mark.parametrize(
    ("changes", "warned_of"),
    [
        ({}, []),
        ({"DATABASE_URL": "postgres://g@127.0.0.1/g?sslmode=disable"}, []),
        ({"DATABASE_URL": "postgres://g@db.example.org/g?sslmode=require"}, []),
        ({"DATABASE_URL": f"postgres://g:{SECRET}@db.example.org/g?sslmode=disable"}, ["DATABASE_URL"]),
        ({"DATABASE_URL": f"postgres://g:{SECRET}@db.example.org/g?sslmode=prefer"}, ["DATABASE_URL"]),
        ({"RATE_LIMIT_URL": f"async+redis://:{SECRET}@counts.example.org:6379?tls=off"}, ["RATE_LIMIT_URL"]),
        ({"RATE_LIMIT_URL": "async+redis://127.0.0.1:6379?tls=off"}, []),
    ],
)
def test_production_warns_of_connections_without_encryption(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], warned_of: list[str]
) -> None:
    """An explicit choice of an unencrypted connection over a network causes a warning."""
    production(monkeypatch, changes)
    warnings = list(risky_settings(load_settings()))
    assert [warning.partition(":")[0] for warning in warnings] == [f"GUICHET_{name}" for name in warned_of]
    assert SECRET not in str(warnings)


def test_development_accepts_what_production_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Development accepts the risky settings that help the developers of clients."""
    choose(
        monkeypatch,
        CAPTCHA="fixed:ABC123",
        RATE_LIMITS="off",
        ACTIVATION_URL="http://localhost:5173/activate",
        MAIL_URL="smtp://mail.example.org:25?starttls=off",
        SECRET_KEY="short",
    )
    settings = load_settings()
    assert settings.captcha == FixedAnswer("ABC123")
    assert settings.key == b"short"


# --- The development's own key ---


def test_development_creates_a_private_key_once() -> None:
    """Development creates a long key that only its owner can read, and uses it again at the next start."""
    key = load_settings().key
    assert len(key) >= 32
    assert stat.S_IMODE(SECRET_KEY_FILE.stat().st_mode) == 0o600
    assert load_settings().key == key
    assert [file.name for file in SECRET_KEY_FILE.parent.iterdir()] == [SECRET_KEY_FILE.name]


def test_unusable_key_file_is_reported_in_one_line(empty_folder: Path) -> None:
    """A key file that can't be read or created is reported in one line."""
    (empty_folder / "var").write_text("no folder")
    (line,) = refusals()
    assert line.startswith("GUICHET_SECRET_KEY: var/secret-key can't be used (")
    (empty_folder / "var").unlink()
    (empty_folder / "var").mkdir()
    (empty_folder / "var" / "secret-key").touch()
    (line,) = refusals()
    assert "it is empty" in line


def test_files_that_other_users_can_read_are_reported(empty_folder: Path) -> None:
    """A file that other users can read is reported, with the command that closes it."""
    settings = load_settings()
    assert open_files(settings) == []
    (empty_folder / "var" / "guichet.db").touch(mode=0o644)
    (warning,) = open_files(settings)
    assert warning == "var/guichet.db is open to other users of this machine: chmod go= var/guichet.db"


def test_configured_key_is_used_and_none_is_created(monkeypatch: pytest.MonkeyPatch, empty_folder: Path) -> None:
    """If a key is configured, none is created."""
    choose(monkeypatch, SECRET_KEY="0123456789abcdef0123456789abcdef")
    assert load_settings().key == b"0123456789abcdef0123456789abcdef"
    assert list(empty_folder.iterdir()) == []


@pytest.mark.process
def test_processes_that_start_together_share_the_key(empty_folder: Path) -> None:
    """Of several processes that start together, the first creates the key, and all use it."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    processes = [
        subprocess.Popen(  # Our own program.
            [sys.executable, "-m", "tests.support.programs.key_loader"],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=empty_folder,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    Path("go").touch()
    keys = [process.communicate(timeout=30)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert set(keys) == {SECRET_KEY_FILE.read_text()}
    assert [file.name for file in SECRET_KEY_FILE.parent.iterdir()] == [SECRET_KEY_FILE.name]
