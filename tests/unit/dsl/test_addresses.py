"""Where functions stand: pages of Git hosts, catalogs, relative paths."""

from __future__ import annotations

import pytest

from lowtide.dsl.outside.addresses import below, beside, function_at, raw, split_name


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (  # the standard's own example
            "https://github.com/serverlessworkflow/catalog/tree/main/functions/log/1.0.0/function.yaml",
            "https://raw.githubusercontent.com/serverlessworkflow/catalog/refs/heads/main/functions/log/1.0.0/function.yaml",
        ),
        ("https://github.com/a/b/blob/main/f.yaml", "https://raw.githubusercontent.com/a/b/refs/heads/main/f.yaml"),
        ("https://www.github.com/a/b.git", "https://raw.githubusercontent.com/a/b/HEAD"),
        ("https://github.com/a/b/tree/v1.2.0", "https://raw.githubusercontent.com/a/b/v1.2.0"),
        ("https://github.com/a/b/tree/0a1b2c3d4e/x", "https://raw.githubusercontent.com/a/b/0a1b2c3d4e/x"),
        ("https://github.com/a/b/tree/refs/tags/x/y", "https://raw.githubusercontent.com/a/b/refs/tags/x/y"),
        ("https://github.com/a/b/issues/1", "https://github.com/a/b/issues/1"),
        ("https://github.com/a", "https://github.com/a"),
        ("https://gitlab.com/g/s/p/-/tree/main/x?ref_type=heads", "https://gitlab.com/g/s/p/-/raw/main/x"),
        ("https://gitlab.com/g/p/tree/main/x", "https://gitlab.com/g/p/-/raw/main/x"),
        ("https://gitlab.com/g/s/p", "https://gitlab.com/g/s/p/-/raw/HEAD"),
        ("https://git.example.com/g/p/-/blob/main/f.yaml", "https://git.example.com/g/p/-/raw/main/f.yaml"),
        ("https://git.example.com/g/p/-/issues", "https://git.example.com/g/p/-/issues"),
        ("https://example.com/tree/main", "https://example.com/tree/main"),
    ],
)
def test_a_page_of_a_git_host_stands_for_its_raw_text(page: str, text: str) -> None:
    assert raw(page) == text


@pytest.mark.parametrize(
    ("url", "document"),
    [
        (
            "https://github.com/myorg/functions/validateEmailAddress@v1.0.0",
            "https://raw.githubusercontent.com/myorg/functions/v1.0.0/validateEmailAddress/function.yaml",
        ),
        ("https://github.com/a/b@main", "https://raw.githubusercontent.com/a/b/main/function.yaml"),
        ("https://github.com/a/b/tree/main/f", "https://raw.githubusercontent.com/a/b/refs/heads/main/f/function.yaml"),
        ("https://example.com/functions/f", "https://example.com/functions/f"),
        ("https://example.com/f.yaml?v=1", "https://example.com/f.yaml?v=1"),
    ],
)
def test_a_folder_of_a_repository_holds_a_function(url: str, document: str) -> None:
    assert function_at(url) == document


def test_the_query_of_a_catalog_stays_behind_its_path() -> None:
    assert below("https://example.com/catalog/?key=1", "a/b.yaml") == "https://example.com/catalog/a/b.yaml?key=1"


@pytest.mark.parametrize(
    ("uri", "path", "expected"),
    [
        ("https://example.com/a/b/function.yaml", "../c.yaml", "https://example.com/a/c.yaml"),
        ("catalog:functions/a/1/function.yaml", "./input.json", "catalog:functions/a/1/input.json"),
        ("catalog:functions/a/1/function.yaml", "../../../x.yaml", "catalog:x.yaml"),
        ("catalog:functions/a/1/function.yaml", "../../../../x.yaml", None),
        ("catalog:functions/a/1/function.yaml", "/etc/passwd", None),
        ("file:functions/a.yaml", "./b.yaml", "file:functions/b.yaml"),
        ("file:///srv/a.yaml", "../b.yaml", "file:///b.yaml"),
    ],
)
def test_a_path_is_relative_to_the_document_that_names_it(uri: str, path: str, expected: str | None) -> None:
    assert beside(uri, path) == expected


@pytest.mark.parametrize("text", ["../a:1.0.0@x", "a/b:1.0.0@x", "a@x", "a:1.0.0@", ":1@x", "a:../..@x"])
def test_what_is_no_name_of_a_function_is_none(text: str) -> None:
    assert split_name(text) is None


def test_a_name_has_three_parts() -> None:
    assert split_name("log:1.0.0-rc.1@company") == ("log", "1.0.0-rc.1", "company")
