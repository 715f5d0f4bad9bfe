"""Which models a report shows first, and which of them its pictures hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.evaluation.compared import decisions
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.results import few, headline
from tests.pipelines.evaluation.made_predictions import (
    judged_complete_response,
    judged_recurrence,
    judged_response,
    judged_survival,
)


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


def test_a_reference_that_covers_nobody_does_not_take_the_defaults_decision_curve_away() -> None:
    judged = judged_survival(100)
    clinical, default = judged.of("clinical"), judged.default
    absent = replace(clinical, probability=np.full_like(clinical.probability, np.nan))
    found = decisions(judged, (absent, judged.of("DLRS"), default))
    assert found.without == ("clinical",)
    assert list(found.curve.models) == ["DLRS", "nomogram"]
    assert not found.curve.not_estimable
    assert found.patients == int(judged.judgeable(default).sum())
    everybody = decisions(judged, (clinical, default))
    assert everybody.without == () and list(everybody.curve.models) == ["clinical", "nomogram"]


def test_a_reference_that_covers_few_is_dropped_rather_than_judging_the_others_on_those_few() -> None:
    judged = judged_response(120)
    few_covered = judged.of("CR").probability.copy()
    few_covered[np.flatnonzero(np.isfinite(few_covered))[40:]] = np.nan
    found = decisions(judged, (replace(judged.of("CR"), probability=few_covered), judged.default))
    assert found.without == ("CR",)


def test_too_few_responses_are_told_without_months() -> None:
    judged = judged_response(120)
    nobody = replace(judged.default, probability=np.full_like(judged.default.probability, np.nan))
    changed = replace(judged, predicted=replace(judged.predicted, predictions=(nobody,)))
    reason = decisions(changed, (nobody,)).curve.not_estimable
    assert reason == "0 patients had the outcome and 0 had not; at least 5 of each are needed"


def test_every_variant_has_its_row_and_the_pictures_hold_a_few() -> None:
    judged = judged_recurrence(60)
    assert headline(judged) == [one.model for one in judged.predicted.models]
    assert few(judged) == ["Clinical", "T2+DKI", "All", "All_measured"]
    before = replace(judged, predicted=replace(judged.predicted, default="T2+DKI+Preclinical_measured"))
    assert few(before) == ["Preclinical", "T2+DKI", "T2+DKI+Preclinical", "T2+DKI+Preclinical_measured"]
    assert few(judged_complete_response(60)) == ["T2", "fused", "fused_markers_measured"]
