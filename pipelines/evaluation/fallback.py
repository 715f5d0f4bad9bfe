"""What systems with several models for one outcome say of a cohort: each model alone, and what the node shows.

A model exists for each subset of inputs that it was trained for. A patient is scored by the first of them that has all
its inputs, and judged by that one's threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import Envelope
from pipelines.evaluation.prediction import NODE, Prediction
from pipelines.evaluation.stated_sets import stated_sets
from pipelines.phantom.probabilities import InformationSet, Outcome
from pipelines.systems.signature_svm import Assessed, category


@dataclass(frozen=True)
class Candidate:
    """One subset's ``model`` on all n patients of a cohort. ``clinical``: whether it reads the record."""

    model: str
    clinical: bool
    thresholds: Mapping[str, float]
    assessed: Assessed

    @property
    def rows(self) -> NDArray[np.intp]:
        """Whom it has all inputs of."""
        return np.flatnonzero(np.isfinite(self.assessed.probability))


@dataclass(frozen=True)
class Candidates:
    """All of a bundle, in its order. ``fallback``: models in the order in which the node tries them; ``envelopes`` by
    row of the ``count`` patients, of those who were not refused."""

    outcome: Outcome
    all: tuple[Candidate, ...]
    fallback: tuple[str, ...]
    envelopes: Mapping[int, Envelope]
    count: int

    @property
    def names(self) -> tuple[str, ...]:
        """The bundle's models."""
        return tuple(dict.fromkeys(one.model for one in self.all))

    @property
    def held(self) -> list[str]:
        """The models that the node may use, of those there are."""
        return [name for name in self.fallback if name in self.names]

    def of(self, models: Sequence[str]) -> list[Candidate]:
        """Of these models, in the order in which the node tries them."""
        return [one for model in models for one in self.all if one.model == model]

    @property
    def used(self) -> tuple[str, ...]:
        """(n,): the model that the node scores each patient by, '' where none."""
        chosen = np.full(self.count, "", dtype=object)
        for one in reversed(self.of(self.held)):
            chosen[one.rows] = one.model
        return tuple(chosen.tolist())

    def default(self) -> tuple[str, str]:
        """The model that the node uses first, or the next of them where that one covers nobody; and why, in words."""
        usual = self.held[0] if self.held else self.fallback[0]
        for name in self.held:
            if any(one.rows.size for one in self.of((name,))):
                words = f"{usual} covers nobody here, so the report is about {name}, which the node uses in its place."
                return name, "" if name == usual else words
        return usual, ""

    def prediction(self, name: str) -> Prediction:
        """A model by the first of its subsets that a patient has, and that subset's threshold."""
        clinical = any(one.clinical for one in self.of((name,)))
        return self._by_first(name, self.of((name,)), InformationSet.PAIR_CLINICAL if clinical else InformationSet.PAIR)

    def node(self) -> Prediction:
        """What the node shows: of each patient the first of ``fallback`` that has all inputs."""
        words = f"{NODE}: of each patient the first of {', '.join(self.held)} that has its inputs, as the node shows it"
        return replace(self._by_first(NODE, self.of(self.held), InformationSet.PAIR_CLINICAL), about=words)

    def _by_first(self, name: str, tried: Sequence[Candidate], shown: InformationSet) -> Prediction:
        probability, threshold = np.full((2, self.count), np.nan)
        categories = np.full(self.count, "", dtype="<U16")
        thresholds: list[Mapping[str, float] | None] = [None] * self.count
        for one in reversed(tried):  # the first is written last, over the others
            for row in one.rows:
                limits = (float(one.assessed.lower[row]), float(one.assessed.upper[row]))
                probability[row], threshold[row] = one.assessed.probability[row], one.thresholds["youden"]
                thresholds[row] = one.thresholds
                categories[row] = category(float(probability[row]), limits, one.thresholds, self.envelopes[int(row)])
        return Prediction(
            model=name,
            outcome=self.outcome,
            shown=shown,
            probability=probability,
            threshold=float(tried[0].thresholds["youden"]) if len(tried) == 1 else threshold,
            categories=categories if name == NODE else None,
            sets=stated_sets(probability, thresholds),
        )


def spread(assessed: Assessed, rows: NDArray[np.intp], count: int) -> Assessed:
    """What is known of the patients in ``rows``, for all ``count`` of a cohort."""
    values = np.full((3, count), np.nan)
    values[:, rows] = assessed.probability, assessed.lower, assessed.upper
    return Assessed(*values)
