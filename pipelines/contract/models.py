"""Which model made a number, and whether the case looks like what it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class ModelIdentity:
    """Which model made a number: shown with every score."""

    system: str
    name: str
    version: str
    weights_digest: str
    cohort: str
    cohort_digest: str
    phantom_trained: bool
    intended_use: str
    limits: str


@dataclass(frozen=True)
class Envelope:
    """Whether a case looks like the cohort a model was trained on; ``reasons`` names every departure."""

    inside: bool
    reasons: tuple[str, ...] = ()


class Likelihood(StrEnum):
    """Category of a probability; thresholds are fixed on training data and stored in the bundle."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    UNCERTAIN = "uncertain"
