"""What the pipeline found: measurements, scores, and all of one case together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pipelines.contract.exams import Case, Exam
from pipelines.contract.images import Mask, MaskOrigin, ScalarMap
from pipelines.contract.models import Envelope, Likelihood, ModelIdentity
from pipelines.contract.statements import Statement
from pipelines.contract.time_point import TimePoint


class Quantity(StrEnum):
    VOLUME = "volume"
    LONGEST_DIAMETER = "longest_diameter"
    ADC_MEAN = "adc_mean"


@dataclass(frozen=True)
class Measurement:
    """One number in a mask. ``unit`` is UCUM: cm3, mm, 10-6.mm2/s. ``how`` gives the b-set and fit of an ADC."""

    quantity: Quantity
    time_point: TimePoint
    value: float
    unit: str
    origin: MaskOrigin
    how: str = ""


# Outcomes. Each one's definition is published with its code in the conformance statement.
GOOD_RESPONSE = "good response (AJCC TRG 0–1)"
COMPLETE_RESPONSE = "complete response (ypT0 ypN0)"
METASTASIS = "distant metastasis within 36 months"
RECURRENCE = "recurrence or death within 36 months"


@dataclass(frozen=True)
class SurvivalCurve:
    """The patient's predicted event-free share over time, with pointwise limits; the times are those of the model.

    ``months``, ``event_free``, ``lower`` and ``upper`` have one length; shares are 0 to 1 and do not rise.
    ``time_zero`` says in words what month 0 is.
    """

    months: tuple[float, ...]
    event_free: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    time_zero: str


@dataclass(frozen=True)
class NomogramAxis:
    """One line of a nomogram: ``ticks`` are (label, points), ``value`` the patient's as text, at ``points``."""

    name: str
    ticks: tuple[tuple[str, float], ...]
    value: str
    points: float


@dataclass(frozen=True)
class Nomogram:
    """A drawn regression: the points of each axis add up to ``total``; ``risk`` holds (probability, total points)."""

    axes: tuple[NomogramAxis, ...]
    total: float
    risk: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Explanation:
    """Where a network looked: a Grad-CAM map of one exam, and the share of its sum that lies inside the tumour.

    ``raised``: whether it shows what raised what the network says, or (of a patient whom it gives less than it usually
    gives) what lowered it; a map of zeros says that no place did. ``area_share``: of the places that the network was
    shown, how many lie in the tumour, which is what an even map would have inside; None where that was not computed.
    """

    time_point: TimePoint
    sequence: str
    saliency: ScalarMap
    inside_share: float
    raised: bool = True
    area_share: float | None = None


@dataclass(frozen=True)
class Contribution:
    """What one input of a final stage adds to a patient's result: name and value as a person reads them.

    ``amount``: in the score's ``contribution_unit``; above 0 it raises the probability of the outcome.
    """

    name: str
    value: str
    amount: float


@dataclass(frozen=True)
class PredictionSet:
    """Which outcomes remain possible for one patient; ``coverage``: the share of sets that hold the true one.

    Never empty: a probability rules out at most one of the two.
    """

    coverage: float
    event: bool
    no_event: bool

    def __post_init__(self) -> None:
        if not (self.event or self.no_event):
            raise ValueError("a prediction set holds at least one outcome")

    @property
    def refer(self) -> bool:
        """Both remain possible: the model leaves the decision to a reader."""
        return self.event and self.no_event


@dataclass(frozen=True)
class Score:
    """One predicted probability of one outcome by one model, with limits, category and the envelope check.

    ``inputs``: (name, value) pairs the final stage saw, for the report and for a reader's questions. ``time_points``:
    the exams it used. ``curve``, ``nomogram`` and ``explanations``: where the system makes them. ``clinical``: the
    clinical values it used, in words with where each comes from. ``possible``: the outcomes that its training cohort
    does not rule out at a stated coverage; None of a model without limits. ``contributions``: of every input of the
    final stage, the largest first (exact Shapley values); they add up to what sets the patient apart from the mean of
    the training patients, in ``contribution_unit``: "log odds" or "log hazard".
    """

    model: ModelIdentity
    outcome: str
    probability: float
    lower: float
    upper: float
    interval: str
    category: Likelihood
    envelope: Envelope
    inputs: tuple[tuple[str, float], ...] = ()
    time_points: tuple[TimePoint, ...] = (TimePoint.BASELINE, TimePoint.RESTAGING)
    curve: SurvivalCurve | None = None
    nomogram: Nomogram | None = None
    explanations: tuple[Explanation, ...] = ()
    clinical: tuple[str, ...] = ()
    possible: PredictionSet | None = None
    contributions: tuple[Contribution, ...] = ()
    contribution_unit: str = ""


@dataclass(frozen=True)
class Findings:
    """All that the pipeline found in one case. ``case`` keeps the images for the summary page and the SEG."""

    case: Case
    measurements: tuple[Measurement, ...] = ()
    scores: tuple[Score, ...] = ()
    refusals: tuple[Statement, ...] = ()
    warnings: tuple[Statement, ...] = ()
    parameters: tuple[tuple[str, str], ...] = field(default=())


class Segmenter(Protocol):
    """Finds the tumour on the axial T2 of an exam; raises InputUnfit where it cannot."""

    @property
    def model(self) -> ModelIdentity: ...

    def segment(self, exam: Exam) -> Mask: ...


class ScoringSystem(Protocol):
    """One of the four systems; raises InputUnfit naming what is missing."""

    @property
    def model(self) -> ModelIdentity: ...

    def score(self, case: Case) -> Score: ...


@dataclass(frozen=True)
class Models:
    """What scores a case. Empty: measurements in readers' masks only.

    ``parameters``: (name, value) of how each model's inputs are cut and scaled, for the report.
    """

    segmenter: Segmenter | None = None
    systems: Sequence[ScoringSystem] = ()
    parameters: tuple[tuple[str, str], ...] = ()
