from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.systems.networks.multi_rec_net import Variant
from pipelines.training import multi_rec_stages
from pipelines.training.dlrs_cox import Times
from pipelines.training.multi_rec_networks import Said, TrainedNetworks
from pipelines.training.multi_rec_settings import MultiRecSettings
from pipelines.training.multi_rec_stages import Learning, MultiRecStage, fit_stage, likelihood
from tests.pipelines.made_up_times import made_up_times

COUNT = 240
RNG = np.random.default_rng(0)
IMAGE, RECORD = RNG.standard_normal(COUNT), RNG.standard_normal(COUNT)
TIMES = made_up_times(0.8 * IMAGE + 0.6 * RECORD, seed=4)
FOLDS = np.arange(COUNT) % 3
HAS_MAPS = np.arange(COUNT) % 2 == 0
SETTINGS = MultiRecSettings(variants=(Variant.T2_DKI, Variant.ALL), folds=3)
IMAGES_ALONE = replace(SETTINGS, variants=(Variant.T2_DKI,))
READINGS = ("T2+DKI", "T2+DKI without maps", "All", "All without maps")


def networks(risk: np.ndarray = IMAGE, recurrence: np.ndarray | None = None) -> TrainedNetworks:
    other = RNG.standard_normal(COUNT) if recurrence is None else recurrence
    said = dict.fromkeys(READINGS, Said(risk, other))
    return TrainedNetworks({}, said, {}, (), {}, HAS_MAPS, {})


def learning(times: Times = TIMES, known: bool = True) -> Learning:
    measured = tuple(
        ({"log_volume": one, "adc_median": 1.0, "t2_dark_share": 0.1 * two},) if known else ({},)
        for one, two in zip(RECORD, RNG.standard_normal(COUNT), strict=True)
    )
    codes = tuple({"ypn_stage": 0.0} if row % 4 else {"sex": 1.0} for row in range(COUNT))
    return Learning(times, FOLDS, codes, measured)


@pytest.fixture(scope="module")
def stage() -> MultiRecStage:
    return fit_stage(networks(), learning(), SETTINGS)


def test_what_the_networks_say_is_made_a_risk_and_the_measured_score_adds_to_it(stage: MultiRecStage) -> None:
    assert stage.models["T2+DKI without maps"].coefficients[0] == pytest.approx(0.8, abs=0.25)
    alone, beside = (stage.metrics[name]["c_index"] for name in ("T2+DKI without maps", "T2+DKI_measured without maps"))
    assert beside > alone + 0.01 and alone > 0.65
    assert stage.scoring[:2] == ("All_measured", "All_measured without maps")


def test_every_stage_learns_from_those_who_have_its_inputs(stage: MultiRecStage) -> None:
    metrics = stage.metrics
    assert metrics["T2+DKI without maps"]["patients"] == COUNT
    assert metrics["T2+DKI"]["patients"] == HAS_MAPS.sum()
    ypn = np.arange(COUNT) % 4 != 0
    assert metrics["All without maps"]["patients"] == ypn.sum()
    assert metrics["All"]["patients"] == (ypn & HAS_MAPS).sum()


def test_the_logit_of_recurrence_is_read_where_it_ranks_unseen_patients_better() -> None:
    useful = fit_stage(networks(recurrence=RECORD), learning(known=False), IMAGES_ALONE)
    assert useful.rules["T2+DKI without maps"].covariates == ("log_risk", "recurrence_logit")
    useless = fit_stage(networks(recurrence=np.zeros(COUNT)), learning(known=False), IMAGES_ALONE)
    assert useless.rules["T2+DKI without maps"].covariates == ("log_risk",)


@pytest.mark.parametrize("factor", [-1.0, 0.001])
def test_networks_that_found_the_opposite_or_nothing_have_no_model(factor: float) -> None:
    said = networks(factor * IMAGE, -np.abs(factor) * IMAGE)
    stage = fit_stage(said, learning(known=False), IMAGES_ALONE)
    assert stage.scoring == () and not stage.models


def test_where_nothing_could_be_measured_no_model_has_it() -> None:
    stage = fit_stage(networks(), learning(known=False), IMAGES_ALONE)
    assert set(stage.models) == set(stage.rules) == {"T2+DKI", "T2+DKI without maps"}


def test_a_patient_censored_before_three_years_has_no_say_in_cut_off_and_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    censored = ~TIMES.event & (TIMES.months < 36)
    assert censored.sum() > 20
    found = []
    for said_of_them in (0.0, 1.0):

        def told(names, values, times, folds, penalty, certain=said_of_them):  # type: ignore[no-untyped-def]
            """Probabilities from the log risk, but one and the same of everybody who was censored early."""
            early = ~times.event & (times.months < 36)
            return values[:, 0], np.where(early, certain, 1.0 / (1.0 + np.exp(-values[:, 0])))

        monkeypatch.setattr(multi_rec_stages, "out_of_fold", told)
        found.append(fit_stage(networks(), learning(known=False), IMAGES_ALONE).thresholds["T2+DKI without maps"])
    assert found[0] == found[1]


def test_limits_are_stated_for_every_model_at_one_coverage(stage: MultiRecStage) -> None:
    for limits in stage.thresholds.values():
        assert limits["coverage"] == 0.9 and 0.0 < limits["low"] <= limits["high"] < 1.0


def test_the_likelihood_is_coxs_of_unseen_patients() -> None:
    times = Times(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
    log_hazard = np.array([0.5, -1.0, 0.2])
    first = np.log(np.exp(log_hazard).sum()) - 0.5
    assert likelihood(log_hazard, times) == pytest.approx(-first / 2)  # the last is alone at risk: 0
