"""The models of system 3: the paper's six networks, each made a risk by a Cox model of what it says, and those with
measured features beside it; and which of them a patient's images and record allow.

Few protocols give D and K. Every model with them exists twice: for patients who have them, and for patients scored from
T2 and ADC, by the same networks, to which D and K are then missing. What the networks say without D and K is another
number than what they say with them, so that each has a Cox model of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.phantom.probabilities import InformationSet
from pipelines.systems.multi_rec_columns import YPN, Codes
from pipelines.systems.multi_rec_cut import MAPS
from pipelines.systems.networks.multi_rec_size import Variant

MEASURED = "measured"
MEASURED_SUFFIX, WITHOUT_MAPS = "_measured", " without maps"
RISK, RECURRENCE = "log_risk", "recurrence_logit"
MEASURED_BESIDE = (Variant.ALL, Variant.T2_DKI_PRECLINICAL, Variant.T2_DKI)
"""Variants that have a model with measured features; the node uses these, the first that a patient allows."""
SUBSETS: Mapping[bool, str] = {True: "T2+ADC+Dapp+Kapp", False: "T2+ADC"}
"""The sequences that a model with or without D and K reads, as reports name them."""


@dataclass(frozen=True)
class Reading:
    """What the networks of ``variant`` say of a patient; ``maps``: with D and K, if the variant reads them."""

    variant: Variant
    maps: bool

    @property
    def name(self) -> str:
        """Unique; the variant's own where there is nothing to hide from it."""
        return f"{self.variant}{'' if self.maps else WITHOUT_MAPS}"

    @property
    def needs_maps(self) -> bool:
        return self.maps and reads_maps(self.variant)


def reads_maps(variant: Variant) -> bool:
    return any(name in MAPS for name in variant.sequences)


def readings_of(variant: Variant) -> tuple[Reading, ...]:
    """With D and K and without, where the variant reads them."""
    return (Reading(variant, True), Reading(variant, False)) if reads_maps(variant) else (Reading(variant, True),)


@dataclass(frozen=True)
class MultiRecRule:
    """A final stage. ``covariates`` in their order: the log risk of the reading's networks, perhaps their logit of
    recurrence, perhaps the measured score."""

    model: str
    reading: Reading
    covariates: tuple[str, ...]

    @property
    def name(self) -> str:
        """Unique in a bundle: the model's name, and what it does without."""
        return f"{self.model}{'' if self.reading.maps else WITHOUT_MAPS}"

    @property
    def measured(self) -> bool:
        return MEASURED in self.covariates

    def allowed(self, codes: Codes, *, maps: bool) -> bool:
        """Whether it is for a patient of whom this is known, who has D and K or not; measured features apart."""
        return (maps or not self.reading.needs_maps) and needed_columns(self.reading.variant, codes)

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "variant": str(self.reading.variant),
            "maps": self.reading.maps,
            "sequences": SUBSETS[self.reading.maps] if reads_maps(self.reading.variant) else "",
            "covariates": list(self.covariates),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> MultiRecRule:
        reading = Reading(Variant(values["variant"]), bool(values["maps"]))
        return cls(str(values["model"]), reading, tuple(values["covariates"]))


def measured_name(maps: bool) -> str:
    """The measured features' own Cox model, for readings with D and K and for those without."""
    return f"features{'' if maps else WITHOUT_MAPS}"


def needed_columns(variant: Variant, codes: Codes) -> bool:
    """ypN for what is read after surgery, any pretreatment value for what is read before it."""
    if variant in (Variant.ALL, Variant.CLINICAL):
        return YPN in codes
    return not variant.columns or any(column.name in codes for column in variant.columns)


def postoperative(variant: Variant) -> bool:
    return variant in (Variant.ALL, Variant.CLINICAL)


def shown_to(variant: Variant) -> InformationSet:
    """What it sees, as the oracle of simulated patients counts it."""
    if postoperative(variant):
        return InformationSet.BASELINE_PATHOLOGY
    return InformationSet.BASELINE_CLINICAL if variant.columns else InformationSet.BASELINE


def choose(
    rules: Iterable[MultiRecRule], codes: Codes, *, maps: bool, after: bool | None = None
) -> MultiRecRule | None:
    """The first rule that the patient allows, of those of after or before surgery where ``after`` says so."""
    for rule in rules:
        wanted = after is None or postoperative(rule.reading.variant) is after
        if wanted and rule.allowed(codes, maps=maps):
            return rule
    return None


def scoring_order(rules: Sequence[MultiRecRule]) -> tuple[str, ...]:
    """Names in the order in which the node tries them: pathology, then the record before surgery, then images alone;
    each with D and K before without, and with measured features before without. Networks of T2 alone or of a table
    alone are for comparison."""
    of = {(rule.reading.variant, rule.measured, rule.reading.maps): rule.name for rule in rules}
    order = [(v, measured, maps) for v in MEASURED_BESIDE for measured in (True, False) for maps in (True, False)]
    return tuple(of[key] for key in order if key in of)
