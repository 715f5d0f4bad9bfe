"""Which models a report shows first, and which of them its pictures hold."""

from __future__ import annotations

from dataclasses import replace

from pipelines.evaluation.judged import Judged
from pipelines.evaluation.results import few, headline
from tests.pipelines.evaluation.made_predictions import judged_response, judged_survival


def with_models(judged: Judged, *names: str, default: str) -> Judged:
    first = judged.predicted.predictions[0]
    made = tuple(replace(first, model=name) for name in names)
    return replace(judged, predicted=replace(judged.predicted, predictions=made, default=default))


def test_the_models_of_the_papers_table_come_first_and_in_its_order() -> None:
    judged = with_models(judged_response(60), "T2", "DWI", "FDL", "CR", "CRD", default="CRD")
    assert headline(judged) == ["CR", "FDL", "CRD"]


def test_a_default_that_is_in_no_table_is_shown_all_the_same() -> None:
    judged = with_models(judged_response(60), "T2", "FDL", default="T2")
    assert headline(judged) == ["FDL", "T2"]
    assert few(judged) == ["FDL", "T2"]


def test_a_postoperative_nomogram_is_compared_with_what_the_clinic_knows_after_surgery() -> None:
    names = ("clinical", "clinical_postoperative", "DLRS", "nomogram", "nomogram_postoperative")
    before = with_models(judged_survival(60), *names, default="nomogram")
    after = with_models(judged_survival(60), *names, default="nomogram_postoperative")
    assert few(before) == ["clinical", "DLRS", "nomogram"]
    assert few(after) == ["clinical_postoperative", "DLRS", "nomogram_postoperative"]
