"""Random documents, valid and invalid by the contract, sent to the real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok

from tests.support.program import PROJECT, READY_SECONDS
from tests.support.service import in_good_order, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemathesis import Case, CheckContext, Response

    from tests.support.program import Server

CONTRACT = schemathesis.graphql.from_path(PROJECT / "schema.graphql", config=SchemathesisConfig())
OPERATIONS = {found.ok().label: found.ok() for found in CONTRACT.get_all_operations() if isinstance(found, Ok)}
JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"

bounded = settings(
    database=None,
    derandomize=True,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Iterator[Server]:
    """A server in another process, which all these tests share."""
    with serving(tmp_path_factory.mktemp("fuzzing"), empty_sqlite) as server:
        yield server


@pytest.fixture
def service(running: Server) -> Iterator[Server]:
    """The shared server. The test fails if it logs an error."""
    with in_good_order(running):
        yield running


@pytest.fixture(scope="module")
def connection() -> Iterator[requests.Session]:
    """One connection for many requests."""
    with requests.Session() as session:
        yield session


def is_graphql(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Check that the answer is GraphQL in the requested media type, and shows no internals."""
    accepted = str(response.request.headers["Accept"])
    assert response.headers["content-type"] == [f"{accepted}; charset=utf-8"]
    assert response.status_code in ({200} if accepted == JSON else {200, 400})
    answer = response.json()
    assert set(answer) <= {"data", "errors"}
    codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
    assert "INTERNAL_SERVER_ERROR" not in codes
    assert "Traceback" not in response.text
    assert ".py" not in response.text


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "breaking"])
@pytest.mark.parametrize("label", OPERATIONS)
def test_any_document_is_executed_or_refused_with_a_code(
    label: str, mode: GenerationMode, service: Server, connection: requests.Session
) -> None:
    """A valid document is executed, an invalid one is refused with a code, and neither causes a failure."""

    @bounded
    @given(OPERATIONS[label].as_strategy(generation_mode=mode), st.sampled_from([JSON, GRAPHQL_RESPONSE]))
    def ask(case: Case[Any], accept: str) -> None:
        case.call_and_validate(
            base_url=f"{service.url}/graphql",
            session=connection,
            headers={"Accept": accept},
            additional_checks=[is_graphql],
            timeout=READY_SECONDS,
        )

    ask()
    assert requests.get(f"{service.url}/health/ready", timeout=READY_SECONDS).status_code == 200
