"""Schemas: their format, and whether those that stand in the document are any."""

from __future__ import annotations

from lowtide.dsl.normalise.draft import Draft
from lowtide.dsl.outside.schemas import FORMATS, flaw
from lowtide.dsl.problem import Report, one_of

__all__ = ["check_schemas"]


def check_schemas(draft: Draft, report: Report) -> None:
    for schema in draft.schemas:
        format_ = schema.get("format")
        if format_ is not None and format_.text is not None and format_.text not in FORMATS:
            report.error(
                format_.mark,
                f"schemas of the format '{format_.text[:40]}' cannot be checked",
                f"write one of {one_of(FORMATS)}, or remove it",
            )
            continue
        document = schema.get("document")
        wrong = flaw(document.value) if document is not None else None
        if wrong is not None:
            report.error(schema.key_mark("document"), f"the schema is wrong: {wrong[0]}", wrong[1])
