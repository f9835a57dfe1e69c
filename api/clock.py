"""The clock of the service. Tests pass another one."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    return datetime.now(UTC)
