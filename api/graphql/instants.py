"""Instants in the contract: the DateTime scalar, and how many seconds are left."""

from datetime import UTC, datetime

import strawberry


def _to_the_second(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="An instant in UTC, to the second: 2026-11-23T09:30:00Z.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=_to_the_second,
    parse_value=datetime.fromisoformat,
)


def seconds_until(instant: datetime, now: datetime) -> int:
    """Return the whole seconds that are left; 0 once *instant* has passed."""
    return max(0, int((instant - now).total_seconds()))
