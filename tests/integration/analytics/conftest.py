"""One migrated store and one running API for all tests of a module; each test uses namespaces of its own."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from analytics_api.analysts.role import provide
from analytics_api.migrate import migrate
from lowtide.local.databases import as_role
from tests.databases import database
from tests.integration.analytics.reports import Reports, answering


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


@pytest.fixture
def own_store(postgres: str, migrated_analytics: str) -> Iterator[str]:
    """The URL of an empty analytics store for a test that is not gentle with it."""
    with database(postgres, like=migrated_analytics) as url:
        yield url


@pytest.fixture(scope="module")
def reports(store_url: str) -> Iterator[Reports]:
    reports = Reports(store_url)
    yield reports
    reports.close()


@pytest.fixture(scope="module")
def api(store_url: str) -> Iterator[httpx.Client]:
    with answering(store_url) as client:
        yield client


@pytest.fixture(scope="module")
def analysts_url(store_url: str) -> Iterator[str]:
    """The store as the role of analysts, made as a migration makes it, and gone afterwards."""
    name = f"analysts_{uuid4().hex[:12]}"
    url = as_role(store_url, name, "of a test: @/%")
    provide(store_url, url)
    yield url
    with psycopg.connect(store_url, autocommit=True) as connection:
        for words in ("DROP OWNED BY {}", "DROP ROLE {}"):
            connection.execute(sql.SQL(words).format(sql.Identifier(name)))
