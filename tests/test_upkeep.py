"""Upkeep: the service purges, and warns of an old register."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

import api.upkeep
from api.app import build_app
from api.settings.environment import Settings
from tests.support.client import client_of
from tests.support.doubles import Clock
from tests.support.register import EDITION, register

pytestmark = pytest.mark.anyio

SOON_SECONDS = 60
ADDRESS = "camille@exemple.fr"
STALE = EDITION + timedelta(days=61)


async def hours_pass(settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, *, hours: int) -> None:
    """Run the application for some simulated hours. The clock advances by each."""
    passed = asyncio.Event()

    async def pass_(_: float) -> None:
        nonlocal hours
        hours -= 1
        if hours <= 0:
            passed.set()
            await asyncio.Event().wait()
        clock.advance(hours=1)

    monkeypatch.setattr(api.upkeep, "asyncio", _Asyncio(pass_))
    async with client_of(build_app(settings, clock=clock)), asyncio.timeout(SOON_SECONDS):
        await passed.wait()


class _Asyncio:
    """asyncio, with hours that end when a test decides."""

    def __init__(self, sleep: object) -> None:
        self.sleep = sleep

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "api.upkeep"]


async def test_old_register_is_logged_once_a_day(
    settings: Settings, stored: None, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An edition older than 60 days is logged once a day, restarts or not."""
    await register()
    clock.now = clock.now.replace(year=STALE.year, month=STALE.month, day=STALE.day)
    for _ in range(2):
        await hours_pass(settings, clock, monkeypatch, hours=12)
    line = "The register is of the edition of 2026-11-01, 61 days old: guichet import-sirene loads a newer one"
    assert said(caplog) == [line]
    await hours_pass(settings, clock, monkeypatch, hours=12)
    assert said(caplog) == [line, line.replace("61", "62")]


@pytest.mark.parametrize("imported", [False, True])
async def test_young_or_missing_register_is_not_logged(
    settings: Settings,
    stored: None,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    imported: bool,
) -> None:
    """Up to the sixtieth day of an edition, and without one, nothing is logged."""
    if imported:
        await register()
    clock.now += STALE - timedelta(days=1) - clock.now.date()
    await hours_pass(settings, clock, monkeypatch, hours=2)
    assert said(caplog) == []


async def test_failing_chore_does_not_stop_the_others(
    settings: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing chore is logged without its message, which may quote an address; the others follow, each hour."""
    done = []

    async def fail(_: object) -> None:
        raise RuntimeError(ADDRESS)

    async def count(now: object) -> None:
        done.append(now)

    monkeypatch.setattr(api.upkeep, "CHORES", (fail, count))
    await hours_pass(settings, clock, monkeypatch, hours=3)
    assert len(done) == 3
    assert [line.partition("\n")[0] for line in said(caplog)] == ["fail fails; another try follows in an hour"] * 3
    assert ADDRESS not in caplog.text
