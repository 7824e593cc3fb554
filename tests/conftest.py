"""Shared by all tests: one event loop backend, and PostgreSQL."""

import pytest

pytest_plugins = ["tests.databases", "tests.ingests"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
