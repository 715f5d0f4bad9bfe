from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.bundle import load_bundle
from pipelines.calibration.curve import Curve
from pipelines.calibration.stages import KINDS
from pipelines.models import PACKAGED
from pipelines.systems.cox import CoxModel
from pipelines.systems.cox_risk import HORIZON
from pipelines.systems.final_stage import Machine, fit_with_refits
from pipelines.systems.logistic import LogisticModel, fit_logistic, with_refits
from pipelines.training.dlrs_cox import Times, with_baseline

CURVE = Curve(0.4, 0.7)
NAMES = ("a", "b")
RNG = np.random.default_rng(3)
VALUES = RNG.normal(size=(80, 1, 2))
LABELS = RNG.random(80) < 1 / (1 + np.exp(-VALUES[:, 0].sum(axis=1)))


def test_a_logistic_stage_says_what_the_curve_makes_of_it_and_so_do_its_refits() -> None:
    before = with_refits(fit_logistic(NAMES, VALUES, LABELS, 1, (1.0,)), VALUES, LABELS, 1, 5)
    stored = {f"fused t2.{name}": array.copy() for name, array in before.stored().items()}
    KINDS["rp_net"].calibrated(stored, "fused t2", CURVE)
    after = LogisticModel.read(NAMES, {key.rpartition(".")[2]: array for key, array in stored.items()})
    assert after.probability(VALUES) == pytest.approx(CURVE.odds(before.probability(VALUES)))
    for found, expected in zip(after.refits, before.refits, strict=True):
        said = replace(before, coefficients=expected).probability(VALUES)
        assert replace(after, coefficients=found).probability(VALUES) == pytest.approx(CURVE.odds(said))


def test_a_machine_says_what_the_curve_makes_of_it_and_so_do_its_refits() -> None:
    stage = fit_with_refits(VALUES, LABELS, 1, 2)
    machines = (stage.machine, *stage.refits)
    stored = {
        f"CRD t2.{index}.{name}": array
        for index, one in enumerate(machines)
        for name, array in one.stored(np.arange(80)).items()
    }
    KINDS["signature_svm"].calibrated(stored, "CRD t2", CURVE)
    for index, before in enumerate(machines):
        own = {key.rpartition(".")[2]: array for key, array in stored.items() if f".{index}." in key}
        after = Machine.read(own, VALUES[:, 0])
        assert after.probability(VALUES) == pytest.approx(CURVE.odds(before.probability(VALUES)), abs=1e-6)


@pytest.mark.parametrize("system", ["multi_rec_net", "dlrs_nomogram"])
def test_a_cox_stage_says_what_the_curve_makes_of_it_at_the_horizon(system: str) -> None:
    times = Times(RNG.uniform(1, 60, 80), RNG.random(80) < 0.6)
    before = with_baseline(NAMES, np.array([0.8, -0.3]), np.diag([0.04, 0.09]), VALUES[:, 0], times)
    stored = {f"All.{name}": array.copy() for name, array in before.arrays().items()}
    KINDS[system].calibrated(stored, "All", CURVE)
    after = CoxModel.from_arrays(NAMES, {key.removeprefix("All."): array for key, array in stored.items()})
    said, found = (1.0 - one.event_free(VALUES[:, 0], (HORIZON,))[:, 0] for one in (before, after))
    assert found == pytest.approx(CURVE.hazard(said))
    free = after.event_free(VALUES[:, 0], np.arange(0.0, 61.0, 3.0))
    assert (np.diff(free, axis=1) <= 0).all() and free[0, 0] == 1.0
    lower, upper = after.limits(VALUES[:, 0], (HORIZON,))
    assert (lower[:, 0] < 1.0 - found).all() and (upper[:, 0] > 1.0 - found).all()


def test_slope_one_leaves_the_limits_of_a_cox_stage_as_they_are() -> None:
    times = Times(RNG.uniform(1, 60, 80), RNG.random(80) < 0.6)
    before = with_baseline(NAMES, np.array([0.8, -0.3]), np.diag([0.04, 0.09]), VALUES[:, 0], times)
    stored = {f"All.{name}": array.copy() for name, array in before.arrays().items()}
    KINDS["multi_rec_net"].calibrated(stored, "All", replace(CURVE, slope=1.0))
    after = CoxModel.from_arrays(NAMES, {key.removeprefix("All."): array for key, array in stored.items()})
    width = [np.log(-np.log(bound[:, 0])) for one in (before, after) for bound in one.limits(VALUES[:, 0], (HORIZON,))]
    assert width[2] - width[3] == pytest.approx(width[0] - width[1])


@pytest.mark.parametrize("system", sorted(KINDS))
def test_every_stage_and_threshold_of_a_shipped_bundle_is_of_one_family(system: str) -> None:
    bundle = load_bundle(PACKAGED / system)
    families = KINDS[system].families(bundle.manifest).values()
    stages = [stage for family in families for stage in family.stages]
    thresholds = [key for family in families for key in family.thresholds]
    described = bundle.manifest.network["variants" if system == "signature_svm" else "models"]
    assert sorted(stages) == sorted(described)
    assert sorted(thresholds) == sorted(bundle.manifest.thresholds)
