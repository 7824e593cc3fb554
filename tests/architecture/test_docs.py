"""What the documents point at is there, and START HERE stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def _documents() -> list[Path]:
    folders = ("docs", "examples", "knative", "benchmarks")
    return sorted([*_ROOT.glob("*.md"), *(path for folder in folders for path in (_ROOT / folder).rglob("*.md"))])


@pytest.mark.parametrize("path", _documents(), ids=lambda path: str(path.relative_to(_ROOT)))
def test_links_between_documents_resolve(path: Path) -> None:
    targets = _LINK.findall(_CODE.sub("", path.read_text()))
    local = [target.partition("#") for target in targets if "://" not in target and not target.startswith("mailto:")]
    for file, _, anchor in local:
        found = path.parent / file if file else path
        assert found.exists(), f"{path.name} links to {file}, which is not there"
        if anchor and found.suffix == ".md":
            assert anchor in _anchors(found), f"{found.name} has no heading #{anchor}"


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_start_here_is_read_in_one_sitting() -> None:
    assert len((_ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 150


def test_the_readme_names_commands_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([a-z]+):", (_ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"(?:^    |`)make ([a-z]+)", (_ROOT / document).read_text(), re.MULTILINE))
        assert named <= targets, f"{document} names {named - targets}"


def test_a_decision_record_has_its_number_alone_and_says_it() -> None:
    records = sorted((_ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        assert record.read_text().startswith(f"# {int(record.name[:4])}. "), record.name
