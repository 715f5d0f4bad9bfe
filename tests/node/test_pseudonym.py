"""A patient's pseudonym in logs: the same at each mention, another at each installation, and no ID."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from node.__main__ import app
from node.pseudonym import Pseudonyms


def test_it_is_another_at_another_installation_and_does_not_show_the_id(tmp_path: Path) -> None:
    one, other = Pseudonyms(tmp_path / "one"), Pseudonyms(tmp_path / "other")
    assert one.of("4711") == Pseudonyms(tmp_path / "one").of("4711")
    assert len({one.of("4711"), other.of("4711"), one.of("4711", "HOSPITAL"), one.of("47", "11")}) == 4
    assert "4711" not in one.of("4711")


def test_its_key_is_its_owners_alone(tmp_path: Path) -> None:
    Pseudonyms(tmp_path / "data").of("4711")
    (key,) = (tmp_path / "data").iterdir()
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_the_command_line_tells_it_for_an_id(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    done = CliRunner().invoke(app, ["pseudonym", "4711", "--issuer", "A", "--config", str(tmp_path / "config.toml")])
    assert done.stdout.strip() == Pseudonyms(tmp_path / "data").of("4711", "A")
