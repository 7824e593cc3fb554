"""Addresses of stores, as settings give them."""

from __future__ import annotations

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from lowtide.errors import Misconfigured

__all__ = ["conninfo_of", "url_of"]


def url_of(url: str, variable: str) -> URL:
    """The URL with our driver. Raises :class:`lowtide.errors.Misconfigured` where it is not PostgreSQL's."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise Misconfigured(f"{variable} is no URL: postgresql://user:password@host:port/name") from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise Misconfigured(f"{variable} names {parsed.get_backend_name()}; only postgresql:// is known")
    return parsed.set(drivername="postgresql+psycopg")


def conninfo_of(url: str, variable: str) -> str:
    """The URL as libpq takes it, whatever its password is made of. Raises as :func:`url_of`."""
    parsed = url_of(url, variable)
    options = {name: value if isinstance(value, str) else ",".join(value) for name, value in parsed.query.items()}
    return make_conninfo(**parsed.translate_connect_args(username="user", database="dbname"), **options)
