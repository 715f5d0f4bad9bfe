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
from pipelines.evaluation.reasons import why_miscalibrated, why_short
from pipelines.evaluation.statistics.set_coverage import SetCoverage
from pipelines.evaluation.statistics.stated import Estimate

LEAST_SHARE: Mapping[str, Mapping[str, float]] = {
    "signature_svm": {"FDL": 0.70, "CRD": 0.80},
    "rp_net": {"fused": 0.70, "fused_markers_measured": 0.80},
    "multi_rec_net": {"All": 0.65, "T2+DKI": 0.60},
    "dlrs_nomogram": {"DLRS": 0.68, "nomogram": 0.75, "nomogram_postoperative": 0.75},
}
LARGEST_DROP = 0.15
MOST_OUTSIDE = 0.05


@dataclass(frozen=True)
class Demand:
    """``met`` is None where it could not be judged. ``said``: what was found, in words; ``why``: of what was not
    reached, what figures say of the reason."""

    name: str
    met: bool | None
    said: str
    why: str = ""

    @property
    def missed(self) -> str:
        """What was expected and what was found instead, as one text."""
        return f"{self.name} (found {self.said}{f'; {self.why}' if self.why else ''})"

    def as_json(self) -> dict[str, object]:
        found: dict[str, object] = {"name": self.name, "met": self.met, "found": self.said}
        return found | ({"why": self.why} if self.why else {})


def demands(
    judged: Judged, models: Mapping[str, ModelFigures], sites: Mapping[str, GroupFigures]
) -> tuple[Demand, ...]:
    """All demands of the system. Of real patients only calibration is demanded: nobody knows their oracle."""
    default = models[judged.predicted.default]
    found = [_calibrated(judged, default), *_covered(default)]
    if judged.cohort.simulated:
        wanted = LEAST_SHARE.get(judged.predicted.system, {})
        found = [*(_share(judged, models, name, least) for name, least in wanted.items()), *found]
        found += [_elsewhere(name, group) for name, group in sites.items() if group.outside_training]
        found += _envelope(judged, judged.predicted)
    return tuple(found)


def _share(judged: Judged, models: Mapping[str, ModelFigures], model: str, least: float) -> Demand:
    name, found = f"{model}: at least {least:.2f} of the oracle", models.get(model)
    if found is None:
        return Demand(name, None, "the bundle has no such model")
    if found.oracle is None or found.oracle.ratio is None:
        return Demand(name, None, "not estimable")
    reached = found.oracle.ratio >= least
    return Demand(name, reached, f"{found.oracle.ratio:.3f}", "" if reached else why_short(judged, models, found))


def _covered(found: ModelFigures) -> list[Demand]:
    """Of models with prediction sets."""
    sets = found.sets
    if sets is None:
        return []
    name = f"{found.prediction.model}: {100 * sets.promised:.0f} % of its sets hold what came true"
    if sets.kept is None or sets.covered.value is None:
        return [Demand(name, None, sets.covered.not_estimable)]
    return [Demand(name, sets.kept, interval_words(sets.covered), "" if sets.kept else _uncovered(sets))]


def _uncovered(sets: SetCoverage) -> str:
    said = f"with the outcome {interval_words(sets.of_event)}, without it {interval_words(sets.of_no_event)}"
    if sets.expected is None:
        return said
    return f"{said}; averaged over all courses that these patients could have had {sets.expected:.3f}"


def interval_words(share: Estimate) -> str:
    """ "0.91 (0.88–0.93)"."""
    if share.value is None or share.lower is None or share.upper is None:
        return share.not_estimable
    return f"{share.value:.2f} ({share.lower:.2f}–{share.upper:.2f})"


def _calibrated(judged: Judged, found: ModelFigures) -> Demand:
    name = f"{found.prediction.model}: the calibration slope's 95 % interval holds 1"
    slope = found.calibration.slope
    if slope.value is None or slope.lower is None or slope.upper is None:
        return Demand(name, None, slope.not_estimable or "not estimable")
    met = slope.lower <= 1.0 <= slope.upper
    return Demand(name, met, interval_words(slope), "" if met else why_miscalibrated(judged, found))


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
