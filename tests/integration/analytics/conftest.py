"""One migrated store and one running API for all tests of a module; each test uses namespaces of its own."""

from collections.abc import Iterator

import httpx
import pytest

from analytics_api.migrate import migrate
from tests.databases import database
from tests.integration.analytics.reports import Reports, serving


@pytest.fixture(scope="session")
def migrated_analytics(postgres: str) -> Iterator[str]:
    with database(postgres) as url:
        migrate(url)
        yield url


@pytest.fixture(scope="module")
def store_url(postgres: str, migrated_analytics: str) -> Iterator[str]:
    """The URL of an empty analytics store; a copy costs less than its migrations."""
    with database(postgres, like=migrated_analytics) as url:
        yield url


@pytest.fixture(scope="module")
def reports(store_url: str) -> Iterator[Reports]:
    reports = Reports(store_url)
    yield reports
    reports.close()


@pytest.fixture(scope="module")
def api(store_url: str) -> Iterator[httpx.Client]:
    with serving(store_url) as client:
        yield client
