"""Shared by all tests: one event loop backend, PostgreSQL, and Hypothesis without a stopwatch."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are drawn says how busy the machine is, and nothing about the product.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# A shell that starts the tests in the background has them, and the programs that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.collecting",
    "tests.memory",
    "tests.databases",
    "tests.ingests",
    "tests.spreading",
    "tests.trust",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
