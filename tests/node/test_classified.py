"""`restage classify`: a folder's series with their roles."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from node.classified import classify_folder, render_classified
from pipelines.contract import Code, Role
from pipelines.roles.site_rules import SiteRule
from tests.dicom_files import BASELINE, exam, report, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write([*exam(BASELINE), report(BASELINE)], tmp_path / "a" / "b")
    (tmp_path / "a" / "notes.txt").write_text("no DICOM")
    return tmp_path


def test_every_series_has_a_role_and_a_reason_and_the_rest_is_named(folder: Path) -> None:
    found = classify_folder(folder)
    assert {(str(role.role), role.b_values) for role in found.roles} == {
        ("t2_axial", ()),
        ("dwi", (50.0, 800.0)),
        ("other", ()),
    }
    assert len(found.roles) == 4
    assert all(role.reason for role in found.roles)
    ((skipped,),) = (found.skipped,)
    assert skipped.path.name == "notes.txt"
    assert skipped.reason


def test_the_sites_own_rules_are_heard(folder: Path) -> None:
    found = classify_folder(folder, (SiteRule(Role.OTHER, description="^t2_tse_tra$"),))
    (refused,) = [role for role in found.roles if role.code is Code.SITE_RULE]
    assert refused.description == "t2_tse_tra"


def test_the_json_has_the_published_keys(folder: Path) -> None:
    for role in json.loads(json.dumps([one.as_json() for one in classify_folder(folder).roles])):
        assert {"series_uid", "description", "modality", "role", "b_values", "confidence", "reason"} <= set(role)


def test_the_table_shows_role_b_values_and_reason(folder: Path) -> None:
    console = Console(width=200, record=True, file=StringIO())
    console.print(render_classified(classify_folder(folder)))
    text = console.export_text()
    for word in ("t2_axial", "50 800", "localizer", "t2_tse_tra"):
        assert word in text


def test_a_folder_that_is_none_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        classify_folder(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file"):
        classify_folder(tmp_path / "file")


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert classify_folder(tmp_path).roles == ()
