"""Each outcome in its own words: no responder where recurrence is predicted, no competing death where death counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipelines.evaluation.judged import Judged
from pipelines.evaluation.report.build import build
from pipelines.evaluation.report.checklist import checklist
from pipelines.evaluation.report.content import Table
from pipelines.evaluation.report.model_card import model_card
from pipelines.evaluation.report.wording import DEATH, years
from pipelines.evaluation.results import Explained, Results, compute
from pipelines.evaluation.survival_figures import SurvivalFigures
from pipelines.evaluation.tables import write_predictions
from pipelines.phantom.probabilities import Outcome
from tests.pipelines.evaluation.made_predictions import judged_complete_response, judged_recurrence
from tests.pipelines.evaluation.report.test_build import text


@dataclass(frozen=True)
class Written:
    """``said``: all words of report, model card and checklist; ``rows``: of all its tables, columns first."""

    results: Results
    said: str
    rows: list[tuple[str, ...]]


def written(judged: Judged, folder: Path, *names: str) -> Written:
    """A report that holds these of a system's models."""
    kept = tuple(one for one in judged.predicted.predictions if one.model in names)
    results = compute(replace(judged, predicted=replace(judged.predicted, predictions=kept)), Explained())
    report = build(results, folder)
    tables = [block for block in report.blocks() if isinstance(block, Table)]
    said = text(report) + model_card(results) + checklist(results)
    return Written(results, said, [row for one in tables for row in (one.columns, *one.rows)])


@pytest.fixture(scope="module")
def recurrence(tmp_path_factory: pytest.TempPathFactory) -> Written:
    names = ("All", "All_measured", "All without kurtosis maps")
    return written(judged_recurrence(80), tmp_path_factory.mktemp("figures"), *names)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Written:
    names = ("fused", "fused_markers_measured")
    return written(judged_complete_response(160), tmp_path_factory.mktemp("figures"), *names)


def test_complete_response_is_never_called_good_and_recurrence_never_a_response(
    recurrence: Written, complete: Written
) -> None:
    assert "good response" not in complete.said and "responders" not in complete.said
    assert "RP-Net: complete response (ypT0 ypN0)" in complete.said and "with complete response" in complete.said
    assert "MultiRecNet: recurrence or death" in recurrence.said and "good response" not in recurrence.said
    assert "metastas" not in recurrence.said and "with the response" not in recurrence.said


def test_a_death_is_the_event_itself_where_the_outcome_holds_it(recurrence: Written) -> None:
    assert "death of any cause counts as the event" in recurrence.said and "competing" not in recurrence.said
    assert "counts a death before as free" not in recurrence.said and "another cause first" not in recurrence.said
    assert "counts as the event" not in DEATH[Outcome.METASTASIS]


def test_roc_curves_are_of_the_years_of_each_paper(recurrence: Written) -> None:
    assert years(Outcome.RECURRENCE) == ["1 year", "3 years", "5 years"]
    assert years(Outcome.METASTASIS) == ["1 year", "2 years", "3 years"]
    assert any({"AUC 1 year", "3 years", "5 years"} <= set(row) for row in recurrence.rows)
    assert "AUC at 1, 3 and 5 years" in recurrence.said
    found = recurrence.results.default
    assert isinstance(found, SurvivalFigures) and [at.month for at in found.rocs] == [12.0, 36.0, 60.0]


def test_missing_inputs_own_masks_and_sets_have_their_rows(recurrence: Written, complete: Written) -> None:
    (cost,) = (row for row in recurrence.rows if row[0] == "All without kurtosis maps")
    assert cost[1] == str(len(recurrence.results.judged.patients))
    masks = [row for row in complete.rows if row[0] in ("before therapy", "after therapy")]
    assert [row[0] for row in masks] == ["before therapy", "after therapy"] and masks[0][-1] == "0.91"
    assert "90 % of the sets hold what comes true" in recurrence.said
    assert "by 36 months, of patients whose state is known" in recurrence.said


def test_columns_of_predictions_are_named_after_the_outcome(tmp_path: Path) -> None:
    for judged, name in ((judged_complete_response(160), "complete_response"), (judged_recurrence(80), "months")):
        write_predictions(judged, tmp_path / "predictions.csv")
        header = (tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
        assert name in header and "good_response" not in header
        assert f"true_{judged.default.outcome}_{judged.default.shown}" in header
