"""Log files of children."""

from __future__ import annotations

from pathlib import Path

from lowtide.local.logs import LogFile


def test_the_tail_is_what_was_written_since_a_moment(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    assert log.tail() == ()
    log.path.write_text("old\n")
    since = log.size()
    with log.open() as file:
        file.write(b"one\n\ntwo\n")
    assert log.tail(since) == ("one", "two")
    assert log.tail(since, lines=1) == ("two",)
    assert log.tail() == ("old", "one", "two")


def test_following_gives_each_whole_line_once(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    with log.open() as file:
        file.write(b"one\ntw")
    assert log.follow() == ["one"]
    assert log.follow() == []
    with log.open() as file:
        file.write(b"o\n")
    assert log.follow() == ["two"]


def test_a_log_stays_bounded_while_it_is_written(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", limit=100)
    with log.open() as file:
        file.write(b"x" * 200)
        file.flush()
        log.bound()
        assert log.size() == 0
        assert (tmp_path / "a.log.1").stat().st_size == 200
        file.write(b"next\n")
    assert log.path.read_bytes() == b"next\n"
    assert log.follow() == ["next"]
