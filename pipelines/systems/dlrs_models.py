"""The Cox models of system 4: what each is made of, and which of them a patient's record allows.

Of the clinical items some may be unknown. Nothing is filled in: a model exists for each set of items that may be known,
fitted on the patients of whom all of it was known, and a patient is scored by the one that uses all that is known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from pipelines.contract import ClinicalRecord, Item
from pipelines.phantom.probabilities import InformationSet

T2W, ADC, DL, MEASURED = "t2w_prob", "adc_prob", "dl_prob", "measured"
FEATURES = "features"
"""The Cox model of measured features, whose log hazard is the covariate ``measured``."""
CT, CEA, EMVI, YPN = "ct", "cea", "emvi", "ypn"
BEFORE_SURGERY = (CT, CEA, EMVI)
ITEMS: Mapping[str, Item] = {
    CT: Item.CT_STAGE,
    CEA: Item.CEA,
    EMVI: Item.EMVI_BASELINE,
    YPN: Item.YPN_STAGE,
}
CEA_LIMIT = 5.0
"""µg/L (ng/mL): above it CEA is raised."""
POSTOPERATIVE = "_postoperative"
NOMOGRAM = "nomogram"
PUBLISHED_NOMOGRAM = "nomogram_published"
DLRS = "DLRS"
DLRS_MEASURED = "DLRS_measured"


@dataclass(frozen=True)
class ModelRule:
    """``covariates`` in their order; ``family``: the model whose cut-off it shares."""

    name: str
    covariates: tuple[str, ...]
    family: str

    @property
    def postoperative(self) -> bool:
        return YPN in self.covariates

    @property
    def shown(self) -> InformationSet:
        """What it sees, as the oracle of simulated patients counts it."""
        if self.postoperative:
            return InformationSet.BASELINE_PATHOLOGY
        clinical = any(covariate in ITEMS for covariate in self.covariates)
        return InformationSet.BASELINE_CLINICAL if clinical else InformationSet.BASELINE


def clinical_values(record: ClinicalRecord) -> dict[str, float]:
    """The covariates that a record knows: cT and ypN as numbers, raised CEA and EMVI as 1 or 0; no others."""
    values = {name: _stage(record.word(ITEMS[name])) for name in (CT, YPN)}
    cea = record.number(Item.CEA)
    values[CEA] = None if cea is None else float(cea > CEA_LIMIT)
    values[EMVI] = {"positive": 1.0, "negative": 0.0}.get(record.word(Item.EMVI_BASELINE))
    return {name: value for name, value in values.items() if value is not None}


def _stage(word: str) -> float | None:
    """3 of "cT3b", 1 of "ypN1"; None where no number stands in it (cTX)."""
    found = re.search(r"[TN](\d)", word)
    return None if found is None else float(found[1])


def nomogram_rules() -> tuple[ModelRule, ...]:
    """The models that a patient is scored by, the one that knows most first; without measured features last."""
    rules = []
    for after in (True, False):
        for count in range(len(BEFORE_SURGERY), -1, -1):
            rules += [_nomogram(known, after) for known in combinations(BEFORE_SURGERY, count)]
    published = [ModelRule(PUBLISHED_NOMOGRAM + POSTOPERATIVE, (DL, CT, CEA, YPN), PUBLISHED_NOMOGRAM + POSTOPERATIVE)]
    published.append(ModelRule(PUBLISHED_NOMOGRAM, (DL, CT, CEA), PUBLISHED_NOMOGRAM))
    return (*rules, *published, ModelRule(DLRS, (DL,), DLRS))


def _nomogram(known: tuple[str, ...], after: bool) -> ModelRule:
    suffix = POSTOPERATIVE if after else ""
    covariates = (DL, MEASURED, *known, *((YPN,) if after else ()))
    if not known:
        return ModelRule(f"{DLRS_MEASURED}{suffix}", covariates, f"{NOMOGRAM}{suffix}")
    words = "" if known == BEFORE_SURGERY else f"_{'_'.join(known)}"
    return ModelRule(f"{NOMOGRAM}{words}{suffix}", covariates, f"{NOMOGRAM}{suffix}")


def choose(rules: Iterable[ModelRule], known: Collection[str], postoperative: bool | None = None) -> ModelRule | None:
    """The first rule whose covariates are all known, of those with or without ypN where ``postoperative`` says so."""
    for rule in rules:
        wanted = postoperative is None or rule.postoperative is postoperative
        if wanted and all(covariate in known for covariate in rule.covariates):
            return rule
    return None


COMPARED: tuple[ModelRule, ...] = (
    ModelRule("T2W", (T2W,), "T2W"),
    ModelRule("ADC", (ADC,), "ADC"),
    ModelRule("measured", (MEASURED,), "measured"),
    ModelRule("clinical", (CT, CEA), "clinical"),
    ModelRule("clinical" + POSTOPERATIVE, (CT, CEA, YPN), "clinical" + POSTOPERATIVE),
)
"""Models for comparison alone, as the paper tabulates them."""
