"""What a model of a bundle says of the patients of a cohort: what every figure is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.phantom.probabilities import InformationSet, Outcome

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """One model's predictions on a cohort of n patients; NaN where the model has not the inputs that it needs.

    ``probability`` (n,): of the outcome (of an event by 36 months). ``outcome`` and ``shown`` say which oracle it is
    measured by: what is predicted, from which information. ``threshold``: fixed on training data.
    ``event_free`` (n, months): the predicted event-free share at ``months``, for survival outcomes.
    """

    model: str
    outcome: Outcome
    shown: InformationSet
    probability: Numbers
    threshold: float
    months: Numbers | None = None
    event_free: Numbers | None = None

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(n,): whom the model has the inputs for."""
        return np.isfinite(self.probability)


@dataclass(frozen=True)
class Predicted:
    """All that a bundle says of a cohort. ``default``: the name of the model that the node uses first.

    ``refused`` (n,): per patient why nothing was predicted, or ''. ``outside`` (n,): whether the patient lies outside
    the training envelope (reported; the evaluation leaves nobody out for it). ``features``: named (n,) columns of what
    the final stage saw, for tables and explanations.
    """

    system: str
    default: str
    predictions: tuple[Prediction, ...]
    refused: tuple[str, ...]
    outside: NDArray[np.bool_]
    features: dict[str, Numbers]
