"""Every example of the users' reference is executed, and comes out as the page says.

The pages are ``docs/dsl.md`` and ``docs/dsl/*.md``. A block whose fence says ``yaml workflow`` is a document (its
``document`` block may be left out); the blocks after it whose fences say ``yaml case`` are what it is given and what
comes of it, in the words of :mod:`tests.conformance.cases`. Each case is a test. A block of any other kind, a document
without a case, and a case without a document are errors: nothing stands in the reference that nobody runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from lowtide.dsl.models import built
from tests.conformance.cases import try_case
from tests.conformance.world import World, value_of

_DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final = [_DOCS / "dsl.md", *sorted((_DOCS / "dsl").glob("*.md"))]
_FENCE: Final = re.compile(r"^ *```(.*)$")
_HEAD: Final = "\ndocument: {dsl: 1.0.3, namespace: default, name: sample, version: 1.0.0}\n"
# What the grammar knows and no version performs yet: containers, catalogs.
_ANNOUNCED: Final = {"image", "ports", "volumes", "pullPolicy", "lifetime", "cleanup"} | {"catalogs"}


class Misplaced(Exception):
    """A block of a page is not an example, or half of one."""


def examples(name: str, text: str) -> Iterator[tuple[str, str, str]]:
    """Place, document and case of each example of a page."""
    document, used, opened = "", True, 0
    kind: str | None = None
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if fence is None:
            lines.append(line)
            continue
        if kind is None:
            kind, opened, lines = fence[1].strip(), number, []
            continue
        place, block, kind_of_block, kind = f"{name}:{opened}", "\n".join(lines) + "\n", kind, None
        if kind_of_block == "yaml workflow":
            if not used:
                raise Misplaced(f"{place}: the document before it has no case")
            document, used = block, False
        elif kind_of_block == "yaml case" and document:
            used = True
            yield place, document, block
        else:
            raise Misplaced(f"{place}: a block is `yaml workflow`, or after one `yaml case`; it is `{kind_of_block}`")
    if not used or kind is not None:
        raise Misplaced(f"{name}:{opened}: the last block has no case, or no end")


EXAMPLES: Final = [example for page in PAGES for example in examples(page.name, page.read_text(encoding="utf-8"))]


def whole(document: str) -> str:
    """With a ``document`` block; it comes last, so that lines keep their numbers."""
    return document if re.search("^document:", document, re.MULTILINE) else document + _HEAD


@pytest.mark.parametrize(("place", "document", "case"), EXAMPLES, ids=[place for place, _, _ in EXAMPLES])
def test_an_example_of_the_reference_is_true(
    place: str, document: str, case: str, world: World, tmp_path: Path
) -> None:
    said: Any = value_of(case)
    try_case(world, whole(document), said, tmp_path)


def test_a_block_that_nobody_would_run_is_an_error() -> None:
    workflow, case = "```yaml workflow\ndo: []\n```\n", "```yaml case\noutput: 1\n```\n"
    assert list(examples("page.md", workflow + case)) == [("page.md:4", "do: []\n", "output: 1\n")]
    assert len(list(examples("page.md", workflow + case + case + workflow + case))) == 3
    for text in (workflow, case, workflow + workflow + case, "```yaml\na: 1\n```\n", "```\na\n```\n", "```yaml case\n"):
        with pytest.raises(Misplaced):
            list(examples("page.md", text))


def test_the_example_of_the_readme_is_true(world: World) -> None:
    text = (_DOCS.parent / "README.md").read_text(encoding="utf-8")
    block = re.search(
        r"```yaml\n(.*?)```.*?```console\n\$ lowtide run hello.yaml --input '(.*?)'\n(.*?)\n```", text, re.DOTALL
    )
    assert block is not None
    world.definition, world.input, told = block[1], json.loads(block[2]), json.loads(block[3])
    world.execute()
    assert world.output == told | {"at": "2026-01-01T00:00:02Z"}
    assert world.took == pytest.approx(2.0, abs=0.05)


def test_every_property_of_the_language_is_told_of() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    properties = set(_properties(built().model_json_schema(by_alias=True)))
    untold = {name for name in properties if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)}
    assert len(properties) > 150
    assert not untold - _ANNOUNCED, f"the reference has no word of {sorted(untold - _ANNOUNCED)}"


def _properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        own = schema.get("properties")
        yield from own if isinstance(own, dict) else ()
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _properties(part)


def test_an_example_that_is_not_true_fails(world: World, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        try_case(world, whole("do:\n  - a: {set: {n: 1}}\n"), {"output": {"n": 2}}, tmp_path)
