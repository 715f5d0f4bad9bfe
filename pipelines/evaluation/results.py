"""Everything that an evaluation computes, before it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.contract import Nomogram
from pipelines.evaluation.compared import (
    Added,
    Decisions,
    RiskGroups,
    added,
    decisions,
    differences,
    impact_of,
    risk_groups,
)
from pipelines.evaluation.degraded import Degraded, degraded
from pipelines.evaluation.demands import Demand, demands
from pipelines.evaluation.groups import GroupFigures, by_site, by_stratum, response_strata
from pipelines.evaluation.judged import Judged
from pipelines.evaluation.model_figures import ModelFigures, figures_of
from pipelines.evaluation.own_masks import OwnMasks, own_masks
from pipelines.evaluation.prediction import NODE
from pipelines.evaluation.saliency import Looked
from pipelines.evaluation.statistics.binary import Comparison
from pipelines.evaluation.statistics.explain import Shapley
from pipelines.evaluation.statistics.impact import Impact
from pipelines.phantom.probabilities import AFTER_SURGERY
from pipelines.progress import Progress, silent

# The models that a paper's own tables compare; a bundle may hold many more. A reference model comes first.
HEADLINE: Mapping[str, tuple[str, ...]] = {
    "signature_svm": ("CR", "FDL", "FDL_measured", "CRD_published", "CRD", NODE),
    "rp_net": (
        *("T2", "DWI", "CE-T1", "fused", "fused_markers", "fused_measured", "fused_markers_measured"),
        NODE,
    ),
    "multi_rec_net": (
        *("Clinical", "Preclinical", "T2", "T2+DKI", "T2+DKI_measured", "T2+DKI+Preclinical"),
        *("T2+DKI+Preclinical_measured", "All", "All_measured", NODE),
    ),
    "dlrs_nomogram": ("clinical", "clinical_postoperative", "T2W", "ADC", "DLRS", "nomogram", "nomogram_postoperative"),
}
# What carries the name of a system's paper, beside the model that the others are compared with: the one that only knows
# the clinic, of RP-Net, which has none, that of a single sequence.
FEW: Mapping[str, tuple[str, ...]] = {
    "signature_svm": ("CR", "FDL", "CRD"),
    "rp_net": ("T2", "fused", "fused_markers_measured"),
    "multi_rec_net": ("Preclinical", "T2+DKI", "T2+DKI+Preclinical"),
    "dlrs_nomogram": ("clinical", "DLRS", "nomogram"),
}
# Where the default knows the pathology: what the clinic knows after surgery, and what has other names then.
FEW_AFTER_SURGERY: Mapping[str, tuple[str, ...]] = {
    "multi_rec_net": ("Clinical", "T2+DKI", "All"),
    "dlrs_nomogram": ("clinical_postoperative", "DLRS", "nomogram_postoperative"),
}
MOST_WITHOUT = 5


@dataclass(frozen=True)
class Survived:
    """What only an event in time has. ``groups``: of the headline's models that cover anybody; ``strata``: of the
    default one; ``nobody``: the strata that hold no patient whom it is judged by."""

    added: tuple[Added, ...]
    groups: tuple[RiskGroups, ...]
    strata: tuple[RiskGroups, ...]
    nobody: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explained:
    """``shapley`` by model; ``example``: the nomogram that the default model is, with one patient's points, and that
    patient's probability; ``saliency``: whether the maps of its networks can be believed. Empty where a system has
    none."""

    shapley: Mapping[str, Shapley] = field(default_factory=dict)
    example: tuple[Nomogram, float] | None = None
    saliency: tuple[Looked, ...] = ()


@dataclass(frozen=True)
class Results:
    """``models`` by name in the bundle's order; ``sites`` and ``strata``: the default model's figures by group.
    ``degraded``: models without some of their inputs, by name; ``own_masks``: of networks that draw masks."""

    judged: Judged
    models: Mapping[str, ModelFigures]
    sites: Mapping[str, GroupFigures]
    strata: Mapping[str, GroupFigures]
    demands: tuple[Demand, ...]
    comparisons: tuple[Comparison, ...]
    decision: Decisions
    impact: Impact
    survived: Survived | None
    explained: Explained
    degraded: Mapping[str, Degraded] = field(default_factory=dict)
    own_masks: Mapping[str, OwnMasks] = field(default_factory=dict)

    @property
    def default(self) -> ModelFigures:
        return self.models[self.judged.predicted.default]

    @property
    def headline(self) -> tuple[ModelFigures, ...]:
        """The models of the paper's tables that there are, and the default one."""
        return tuple(self.models[name] for name in headline(self.judged))

    @property
    def few(self) -> tuple[ModelFigures, ...]:
        """Those of them that one picture can hold."""
        return tuple(self.models[name] for name in few(self.judged))

    @property
    def unmet(self) -> tuple[Demand, ...]:
        return tuple(demand for demand in self.demands if demand.met is False)


def headline(judged: Judged) -> list[str]:
    """Names, the default model's last where the system has no table of its own."""
    names = [prediction.model for prediction in judged.predicted.models]
    chosen = [name for name in HEADLINE.get(judged.predicted.system, ()) if name in names] or names[:MOST_WITHOUT]
    return chosen if judged.predicted.default in chosen else [*chosen, judged.predicted.default]


def few(judged: Judged) -> list[str]:
    """Names for pictures with curves: of a system's table those that are compared with the default."""
    wanted, default = _wanted_few(judged), judged.predicted.default
    if not wanted:
        return headline(judged)
    return [*dict.fromkeys([*(name for name in wanted if judged.has(name)), default])]


def _wanted_few(judged: Judged) -> tuple[str, ...]:
    """Names, before surgery those that stand in for models after it that the bundle lacks."""
    system, default = judged.predicted.system, judged.predicted.default
    before, after = FEW.get(system, ()), FEW_AFTER_SURGERY.get(system, ())
    if default in before or not (default in after or judged.default.shown in AFTER_SURGERY) or not after:
        return before
    return tuple(name if judged.has(name) else other for name, other in zip(after, before, strict=True))


def compute(judged: Judged, explained: Explained, progress: Progress = silent) -> Results:
    """All figures."""
    predictions = judged.predicted.models
    steps = len(predictions) + 3
    models = {}
    for done, prediction in enumerate(predictions):
        progress("figures", done, steps)
        models[prediction.model] = figures_of(judged, prediction)
    sites = by_site(judged, judged.default)
    progress("figures", steps - 2, steps)
    strata = by_stratum(judged, judged.default)
    progress("figures", steps - 1, steps)
    chosen = [judged.of(name) for name in headline(judged)]
    results = Results(
        judged,
        models,
        sites,
        strata,
        demands(judged, models, sites),
        # What the node uses is one of the others in every patient, and nothing to be tested against them.
        differences(judged, [p for p in (chosen if judged.survival else predictions) if p.model != NODE]),
        decisions(judged, [judged.of(name) for name in few(judged)]),
        impact_of(judged, judged.default),
        _survived(judged) if judged.survival else None,
        explained,
        degraded(judged),
        own_masks(judged),
    )
    progress("figures", steps, steps)
    return results


def _survived(judged: Judged) -> Survived:
    default = judged.default
    first, *others = [judged.of(name) for name in few(judged)]
    judgeable, strata = judged.judgeable(default), response_strata(judged)
    held = {name: rows for name, rows in strata.items() if (rows & judgeable).any()}
    return Survived(
        tuple(added(judged, first, other) for other in others),
        tuple(risk_groups(judged, other) for other in others if judged.judgeable(other).any()),
        tuple(risk_groups(judged, default, name, rows) for name, rows in held.items()),
        tuple(name for name in strata if name not in held),
    )
