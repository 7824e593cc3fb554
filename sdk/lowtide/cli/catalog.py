"""The option that says where the default catalog is."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Catalog"]

Catalog = Annotated[
    str,
    typer.Option(
        metavar="URL|DIR", envvar="LOWTIDE_CATALOG", help="The default catalog of functions: name:version@default."
    ),
]
