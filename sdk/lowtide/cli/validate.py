"""``lowtide validate``: every mistake of a document at once, each with its place and its mend."""

from __future__ import annotations

from typing import Annotated

import typer

from lowtide.cli import exits, given

__all__ = ["validate"]


def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Workflow documents (YAML or JSON), or -.")],
) -> None:
    """Check workflow documents; prints `file:line:column: what is wrong; how to mend it`.

    Exit code 2 when any document has an error; warnings alone leave it 0.
    """
    from lowtide.dsl import check

    wrong = 0
    for file in files:
        checked = check(given.text_of(file), "stdin" if file == "-" else file)
        for problem in checked.problems:
            print(problem if problem.severity == "error" else f"{problem} (warning)")
        wrong += any(problem.severity == "error" for problem in checked.problems)
    if wrong:
        raise typer.Exit(exits.INVALID)
    exits.say("1 document is valid" if len(files) == 1 else f"{len(files)} documents are valid")
