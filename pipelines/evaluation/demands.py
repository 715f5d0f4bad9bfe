"""What a system is expected to reach on simulated patients that it never saw, and whether it does.

The shares of the oracle were set before the systems were trained, from a feasibility study with small networks. A
demand that is not met stands at the top of the report: nothing is tuned on the patients that it is judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.groups import GroupFigures, training_sites
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.model_figures import ModelFigures
from pipelines.evaluation.prediction import Predicted

LEAST_SHARE: Mapping[str, Mapping[str, float]] = {
    "signature_svm": {"FDL": 0.70, "CRD": 0.80},
    "dlrs_nomogram": {"DLRS": 0.68, "nomogram": 0.75, "nomogram_postoperative": 0.75},
}
LARGEST_DROP = 0.15
MOST_OUTSIDE = 0.05


@dataclass(frozen=True)
class Demand:
    """``met`` is None where it could not be judged. ``said``: what was found, in words."""

    name: str
    met: bool | None
    said: str

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "met": self.met, "found": self.said}


def demands(
    judged: Judged, models: Mapping[str, ModelFigures], sites: Mapping[str, GroupFigures]
) -> tuple[Demand, ...]:
    """All demands of the system. Of real patients only calibration is demanded: nobody knows their oracle."""
    found = [_calibrated(models[judged.predicted.default])]
    if judged.cohort.simulated:
        wanted = LEAST_SHARE.get(judged.predicted.system, {})
        found = [*(_share(models[name], least) for name, least in wanted.items() if name in models), *found]
        found += [_elsewhere(name, group) for name, group in sites.items() if group.outside_training]
        found += _envelope(judged, judged.predicted)
    return tuple(found)


def _share(found: ModelFigures, least: float) -> Demand:
    name = f"{found.prediction.model}: at least {least:.2f} of the oracle"
    if found.oracle is None or found.oracle.ratio is None:
        return Demand(name, None, "not estimable")
    return Demand(name, found.oracle.ratio >= least, f"{found.oracle.ratio:.3f}")


def _calibrated(found: ModelFigures) -> Demand:
    name = f"{found.prediction.model}: the calibration slope's 95 % interval holds 1"
    slope = found.calibration.slope
    if slope.value is None or slope.lower is None or slope.upper is None:
        return Demand(name, None, slope.not_estimable or "not estimable")
    said = f"{slope.value:.2f} ({slope.lower:.2f}–{slope.upper:.2f})"
    return Demand(name, slope.lower <= 1.0 <= slope.upper, said)


def _elsewhere(site: str, group: GroupFigures) -> Demand:
    name = f"hospital {site}, which training never saw: at most {LARGEST_DROP:.2f} lower than where it learnt"
    if group.drop is None:
        return Demand(name, None, "not estimable")
    words = f"{abs(group.drop):.3f} {'lower' if group.drop >= 0 else 'higher'}"
    return Demand(name, group.drop <= LARGEST_DROP, words)


def _envelope(judged: Judged, predicted: Predicted) -> list[Demand]:
    known = training_sites(judged)
    own = np.isin(judged.sites, known) & judged.default.covered
    if not known or not own.any():
        return []
    share = float(predicted.outside[own].mean())
    name = f"outside the training envelope: at most {100 * MOST_OUTSIDE:.0f} % of the patients of its own hospitals"
    return [Demand(name, share <= MOST_OUTSIDE, f"{100 * share:.1f} %")]
