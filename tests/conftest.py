"""Shared by all tests: one event loop backend, PostgreSQL, and Hypothesis without a stopwatch."""

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are drawn says how busy the machine is, and nothing about the product.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

pytest_plugins = ["tests.databases", "tests.ingests"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
