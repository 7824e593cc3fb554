"""What the user gives is taken or refused with the flag, the mistake and the mend."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from lowtide.cli import given
from lowtide.cli.start import seconds_of
from lowtide.errors import InvalidInput


def test_the_input_comes_from_one_place_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "input.json"
    file.write_text('{"from": "file"}')
    monkeypatch.setattr(sys, "stdin", io.StringIO("[1, 2]"))
    assert given.input_of(None, None, None) is None
    assert given.input_of('"text"', None, None) == "text"
    assert given.input_of(None, str(file), None) == {"from": "file"}
    assert given.input_of(None, None, "-") == [1, 2]
    with pytest.raises(InvalidInput, match="more than once"):
        given.input_of("1", str(file), None)


def test_input_that_is_no_json_is_refused_with_an_example() -> None:
    with pytest.raises(InvalidInput, match=r"--input: this is not JSON.*write JSON"):
        given.input_of("{name: Ada}", None, None)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"nowhere\.json: there is no such file"):
        given.input_of(None, "nowhere.json", None)


def test_a_secret_is_json_where_it_can_be_and_text_otherwise() -> None:
    assert given.pairs_of(["a=1", "b=abc=", 'c={"d": 2}'], "--secret") == {"a": 1, "b": "abc=", "c": {"d": 2}}
    with pytest.raises(InvalidInput, match="--secret a: write --secret NAME=VALUE"):
        given.pairs_of(["a"], "--secret")


def test_events_are_one_or_an_array_and_their_required_attributes_are_never_guessed(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_text('{"specversion": "1.0", "id": "1", "source": "/a", "type": "t"}')
    assert [event["id"] for event in given.events_of(str(file))] == ["1"]
    file.write_text('[{"specversion": "1.0", "source": "/a", "type": "t"}]')
    with pytest.raises(InvalidInput, match=r"events\.json\[0\]: this CloudEvent has no id"):
        given.events_of(str(file))


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("30", 30), ("1.5s", 1.5), ("500ms", 0.5), ("2m", 120), ("PT1M", 60)]
)
def test_a_duration_is_written_as_people_do(text: str, seconds: float) -> None:
    assert seconds_of(text, "--wait") == pytest.approx(seconds)


def test_a_duration_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="--wait soon"):
        seconds_of("soon", "--wait")
