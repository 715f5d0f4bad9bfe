"""The verb `evaluate`: what it hands on, and what it says where nothing can be judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from node.__main__ import app
from pipelines.bundle import save_bundle
from pipelines.evaluation import evaluate as module
from pipelines.evaluation.evaluate import Evaluation
from pipelines.progress import Progress
from tests.pipelines.made_up_manifest import manifest

runner = CliRunner()


def test_it_hands_on_every_option_and_says_where_the_report_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Evaluation] = []

    def judged(wanted: Evaluation, progress: Progress) -> str:
        told.append(wanted)
        return "CRD: AUC 0.84"

    monkeypatch.setattr(module, "evaluate", judged)
    options = ["--device", "cpu", "--workers", "2", "--masks", "segmenter"]
    done = runner.invoke(app, ["evaluate", "B", "--cohort", "C", "--out", "R", *options])
    assert done.exit_code == 0
    assert told == [Evaluation(Path("B"), Path("C"), Path("R"), "cpu", 2, "segmenter")]
    assert "CRD: AUC 0.84" in done.stdout
    assert "R/report.html" in done.stdout


def test_what_cannot_be_judged_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    save_bundle(tmp_path / "bundle", manifest(system="radiomics"), {})
    where = ["--cohort", str(tmp_path), "--out", str(tmp_path / "report"), "--device", "cpu"]
    for bundle, said in (("nothing", "does not exist"), ("bundle", "which nothing here judges")):
        done = runner.invoke(app, ["evaluate", str(tmp_path / bundle), *where])
        assert done.exit_code == 3
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    done = runner.invoke(app, ["evaluate", "B", "--cohort", "C", "--out", str(tmp_path), "--device", "cpu"])
    assert done.exit_code == 3
    assert "not a report" in done.stderr
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
