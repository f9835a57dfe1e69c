"""A password hasher that costs microseconds, for tests that are not about the hash."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

# For tests of the hash itself: the application uses its own hasher.
with_the_hasher_of_production = pytest.mark.parametrize("hasher", [None], ids=["argon2"])


@pytest.fixture
def hasher() -> PasswordHasher | None:
    """Return the hasher for the application under test; `with_the_hasher_of_production` replaces it."""
    return CHEAP_HASHER
