from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.bundle import CALIBRATION, Bundle, BundleError, load_bundle
from pipelines.calibration.calibrate import Calibrated, Calibration, calibrate, calibrated_models, write_calibrated
from pipelines.calibration.curve import Curve
from pipelines.cohort.cohort import Cohort
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.multi_rec_net import predict
from pipelines.evaluation.prediction import Predicted, Prediction
from pipelines.models import PACKAGED
from tests.pipelines.evaluation.made_predictions import judged_response, judged_survival
from tests.pipelines.made_up_recurrence import made_up_patients, trained_bundle

CURVE = Curve(-0.2, 0.6)
LIMITS = {"low": 0.2, "high": 0.5, "coverage": 0.9, "youden": 0.3}
OTHER = {"cohort": "200 patients", "cohort_digest": "other", "models": {}, "left": {}}


def families_of(judged: Judged, *stages: str) -> Judged:
    """The judged default model as that of a bundle with these final stages."""
    system = "multi_rec_net" if judged.survival else "rp_net"
    models = {stage: {"model": judged.predicted.default} for stage in stages} | {"none": {"model": "of nobody"}}
    manifest = replace(judged.bundle.manifest, system=system, network={"models": models})
    return replace(judged, bundle=replace(judged.bundle, manifest=manifest))


def told_twice(judged: Judged) -> Judged:
    """The default model twice as sure as it should be."""

    def surer(one: Prediction) -> Prediction:
        odds = (one.probability / (1 - one.probability)) ** 2
        return replace(one, probability=odds / (1 + odds))

    found = tuple(surer(one) for one in judged.predicted.predictions)
    return replace(judged, predicted=replace(judged.predicted, predictions=found))


def test_a_response_model_is_set_right_and_its_sets_hold_as_often_as_they_say() -> None:
    judged = families_of(told_twice(judged_response(900)), "t2", "t2_dwi")
    found, left = calibrated_models(judged)
    assert left == {"of nobody": "nobody has its inputs"}
    (one,) = found.values()
    assert one.curve.slope == pytest.approx(0.5, abs=0.12)
    probability, had = one.curve.odds(judged.default.probability), judged.responded(judged.default.outcome) == 1.0
    rows = judged.judgeable(judged.default)
    assert one.patients == rows.sum()
    assert probability[rows].mean() == pytest.approx(had[rows].mean(), abs=0.005)
    assert (probability[rows & had] >= one.thresholds["low"]).mean() == pytest.approx(0.9, abs=0.02)
    assert (probability[rows & ~had] <= one.thresholds["high"]).mean() == pytest.approx(0.9, abs=0.02)


def test_a_risk_model_is_set_right_for_the_horizon() -> None:
    judged = families_of(judged_survival(900), "with maps")
    found, _ = calibrated_models(judged)
    (one,) = found.values()
    assert one.curve.slope == pytest.approx(1.0, abs=0.25)
    assert 0.0 < one.thresholds["youden"] < 1.0 and one.thresholds["coverage"] == 0.9


def test_too_few_patients_leave_a_model_as_it_is_and_say_so() -> None:
    found, left = calibrated_models(families_of(judged_response(40), "t2"))
    assert not found
    assert all("patients are known" in reason or reason == "nobody has its inputs" for reason in left.values())


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    found = {"All_measured": Calibrated(CURVE, LIMITS, 90)}
    return write_calibrated(trained_bundle(), tmp_path_factory.mktemp("bundles") / "calibrated", found, OTHER)


def test_the_bundle_that_is_written_predicts_along_the_curve_and_nothing_else_changed(calibrated: Bundle) -> None:
    before, after = (
        {one.model: one for one in predict(bundle, made_up_patients()[:12], "cpu").predictions}
        for bundle in (trained_bundle(), calibrated)
    )
    expected = CURVE.hazard(before["All_measured"].probability)
    assert after["All_measured"].probability == pytest.approx(expected, nan_ok=True)
    assert np.nanmax(np.abs(expected - before["All_measured"].probability)) > 0.02
    assert np.array_equal(after["All"].probability, before["All"].probability, equal_nan=True)
    own = [key for key, value in calibrated.manifest.thresholds.items() if value == LIMITS]
    assert own and all(key.startswith("All_measured") for key in own)


def test_networks_are_kept_to_the_bit(calibrated: Bundle) -> None:
    before, after = (bundle.arrays("networks") for bundle in (trained_bundle(), calibrated))
    assert before.keys() == after.keys()
    changed = [key for key, value in before.items() if value.tobytes() != after[key].tobytes()]
    assert not changed
    assert all((value.shape, value.dtype) == (after[key].shape, after[key].dtype) for key, value in before.items())


def test_figures_on_the_cohort_of_the_calibration_count_as_of_its_training(calibrated: Bundle) -> None:
    assert calibrated.manifest.training[CALIBRATION] == OTHER
    assert calibrated.manifest.learnt_from == (trained_bundle().manifest.cohort_digest, "other")
    nobody = Predicted("multi_rec_net", "All", (), (), np.empty(0, bool), {})
    judged = Judged(calibrated, Cohort(Path("C"), (), "other"), (), nobody)
    assert judged.trained_on_it
    assert not replace(judged, cohort=replace(judged.cohort, digest="a third")).trained_on_it


def test_a_segmenter_has_nothing_to_calibrate(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="predicts no outcome"):
        calibrate(Calibration(PACKAGED / "segmenter", tmp_path, tmp_path / "out"))
    assert load_bundle(PACKAGED / "segmenter").manifest.system == "segmenter"
