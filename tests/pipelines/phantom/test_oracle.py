"""Averages over redrawn outcomes, compared with outcomes that were really redrawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lifelines.utils import concordance_index
from numpy.random import default_rng
from sklearn.metrics import roc_auc_score

from pipelines.phantom.oracle import (
    CohortTruth,
    EventTruth,
    adc_alone,
    expected_auc,
    expected_concordance,
    oracle,
    read_truth,
    redraw,
    truth_of,
)
from pipelines.phantom.patient import draw_patient
from pipelines.phantom.probabilities import Outcome


@pytest.fixture(scope="module")
def truth() -> CohortTruth:
    return truth_of([draw_patient(12, index) for index in range(600)])


def test_the_expected_auc_is_the_mean_over_redrawn_labels() -> None:
    rng = default_rng(0)
    p, score = rng.uniform(0.05, 0.9, 300), rng.integers(0, 6, 300).astype(float)
    drawn = [roc_auc_score(rng.random(300) < p, score + p) for _ in range(200)]
    assert expected_auc(p, score + p) == pytest.approx(np.mean(drawn), abs=0.006)
    assert expected_auc(p, np.zeros(300)) == pytest.approx(0.5)


def test_the_expected_concordance_is_the_mean_over_redrawn_times() -> None:
    rng = default_rng(1)
    truth = EventTruth(rng.lognormal(-1, 1, 150), rng.uniform(0.0, 0.3, 150), rng.uniform(10, 70, 150))
    risk = np.round(np.log(truth.hazard) + rng.standard_normal(150), 1)
    drawn = []
    for _ in range(60):
        months, event = redraw(truth, rng)
        drawn.append(concordance_index(months, -risk, event))
    assert expected_concordance(truth, risk) == pytest.approx(np.mean(drawn), abs=3 * np.std(drawn) / np.sqrt(60))


def test_the_oracle_of_both_exams_is_neither_too_noisy_nor_too_easy(truth: CohortTruth) -> None:
    table = oracle(truth)
    for outcome in Outcome:
        assert 0.75 <= table[outcome]["pair"]["auc"] <= 0.90, outcome
    assert 0.82 < table[Outcome.GOOD_RESPONSE]["pair"]["auc"] < 0.88
    assert 0.65 <= adc_alone(truth) <= 0.755


def test_each_information_set_is_worth_more_than_the_one_inside_it(truth: CohortTruth) -> None:
    for outcome, sets in oracle(truth).items():
        assert sets["baseline"]["auc"] < sets["pair"]["auc"] < sets["pair_clinical"]["auc"], outcome
        assert sets["baseline"]["auc"] < sets["baseline_clinical"]["auc"], outcome
        if "pathology" in sets:
            assert sets["pair_clinical"]["auc"] < sets["pathology"]["auc"]
            assert sets["pair_clinical"]["c_index"] < sets["pathology"]["c_index"]


def test_a_response_has_no_time(truth: CohortTruth) -> None:
    assert truth.events(Outcome.GOOD_RESPONSE) is None
    assert "c_index" not in oracle(truth)[Outcome.GOOD_RESPONSE]["pair"]


def test_a_cohort_of_real_patients_has_no_oracle(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text("patient_id,good_response\nP1,1\n")
    with pytest.raises(ValueError, match="lacks the true probabilities"):
        read_truth(tmp_path)
