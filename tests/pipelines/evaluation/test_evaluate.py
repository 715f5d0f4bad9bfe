"""A report is written whole or not at all, over nothing but an earlier one."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from pipelines.bundle import BundleError, save_bundle
from pipelines.cohort.read import CohortError
from pipelines.evaluation import evaluate as module
from pipelines.evaluation.evaluate import Evaluation, ReportHeld, evaluate, write_report
from pipelines.evaluation.results import Explained, Results, compute
from tests.pipelines.evaluation.made_predictions import judged_response
from tests.pipelines.made_up_manifest import manifest

FILES = {"metrics.json", "predictions.csv", "report.html", "report.pdf", "model_card.md", "tripod_ai.md"}


@lru_cache(maxsize=1)
def results() -> Results:
    judged = judged_response(120)
    few = replace(judged.predicted, predictions=judged.predicted.predictions[-2:])
    return compute(replace(judged, predicted=few), Explained())


def test_everything_is_in_the_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    line = write_report(results(), tmp_path / "report")
    out = tmp_path / "report"
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    assert {path.name for path in out.iterdir()} == FILES | {"figures", "tables"}
    assert line.startswith("CRD: AUC 0.")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == len(list((out / "figures").iterdir()))
    assert 'src="figures' not in page
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF")
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    judged = results().judged
    assert [row["patient_id"] for row in rows] == [patient.patient_id for patient in judged.patients]
    assert [bool(row["refused"]) for row in rows] == [row["CRD"] == "" for row in rows]
    assert float(rows[0]["CRD"]) == pytest.approx(judged.default.probability[0], rel=1e-5)


def test_the_first_words_say_that_nobody_in_it_exists_and_what_was_not_reached(tmp_path: Path) -> None:
    found = results()
    unmet = replace(found, demands=(replace(found.demands[0], met=False), *found.demands[1:]))
    own = replace(unmet, judged=replace(found.judged, cohort=replace(found.judged.cohort, digest="0" * 64)))
    write_report(own, tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    body = page[page.index("<body>") :]
    assert body.index("Trained on simulated patients") < body.index("<h1>")
    assert "These are the patients it learnt from" in body
    assert f"Not reached: {found.demands[0].name}" in body
    card = (tmp_path / "report" / "model_card.md").read_text(encoding="utf-8")
    assert card.index("Trained on simulated patients") < card.index("## Model")
    assert "not reached" in card


def test_an_earlier_report_is_replaced_and_anything_else_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "report"
    write_report(results(), out)
    (out / "model_card.md").write_text("old", encoding="utf-8")
    write_report(results(), out)
    assert (out / "model_card.md").read_text(encoding="utf-8") != "old"
    held = tmp_path / "mine"
    held.mkdir()
    (held / "metrics.json").write_text(json.dumps({"system": "another program's"}), encoding="utf-8")
    with pytest.raises(ReportHeld, match="is not empty and not a report"):
        write_report(results(), held)
    assert [path.name for path in held.iterdir()] == ["metrics.json"]


def test_what_cannot_be_finished_leaves_the_earlier_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "report"
    write_report(results(), out)
    before = (out / "metrics.json").read_bytes()

    def full(found: Results) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "model_card", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(results(), out)
    assert (out / "metrics.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_bundle_that_nothing_judges_is_named(tmp_path: Path) -> None:
    save_bundle(tmp_path / "bundle", manifest(system="radiomics"), {})
    with pytest.raises(BundleError, match="'radiomics', which nothing here judges"):
        evaluate(Evaluation(tmp_path / "bundle", tmp_path, tmp_path / "report", "cpu"))


def test_a_cohort_that_cannot_be_used_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    save_bundle(tmp_path / "bundle", manifest(system="signature_svm"), {})
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "cohort.csv").write_text("patient_id,site\nP1,A\n", encoding="utf-8")
    with pytest.raises(CohortError, match="baseline"):
        evaluate(Evaluation(tmp_path / "bundle", tmp_path / "cohort", tmp_path / "report", "cpu"))
    assert not (tmp_path / "report").exists()


def test_masks_are_the_readers_or_the_segmenters(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="masks 'guessed'"):
        evaluate(Evaluation(tmp_path, tmp_path, tmp_path / "report", masks="guessed"))
