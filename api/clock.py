"""The current time; tests hand in another clock."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
