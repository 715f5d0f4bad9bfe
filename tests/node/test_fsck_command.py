"""`restage fsck`, as IT runs it: words, plain data, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from node.__main__ import app
from node.app import opened
from node.config import load_config
from tests.dicom_files import BASELINE, encoded, t2_axial
from tests.node.conftest import kept


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node that holds one object."""
    path = tmp_path / "config.toml"
    path.write_text("")
    content = encoded(t2_axial(BASELINE)[0])
    with opened(load_config(path)) as (_, store):
        store.prepare()
        kept(store, content)
    return path


def run(config: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["fsck", "--config", str(config), *options])
    return done.exit_code, done.stdout


def test_a_whole_store_ends_with_0(config: Path) -> None:
    code, said = run(config)
    assert (code, "indexed (objects: 1, results: 0)" in said) == (0, True)
    code, said = run(config, "--json")
    assert code == 0 and json.loads(said) == []


def test_a_folder_without_anything_is_not_called_whole(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    code, said = run(path)
    assert code == 0 and "nothing has been stored" in said


def test_a_fault_ends_with_1_also_where_it_cannot_be_repaired(config: Path) -> None:
    (path,) = (config.parent / "data" / "objects").glob("*/*.dcm")
    path.write_bytes(b"")
    code, said = run(config)
    assert code == 1
    assert "truncated" in said and path.name in said
    code, said = run(config, "--repair", "--json")
    assert code == 1
    assert [one["fault"] for one in json.loads(said)] == ["truncated"]
    assert "missing" in run(config)[1]
