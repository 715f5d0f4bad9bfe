"""What a model of a bundle says of the patients of a cohort: what every figure is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.phantom.probabilities import InformationSet, Outcome

Numbers = NDArray[np.float64]
NODE = "node"
"""The name of what the node shows where no single model of the bundle is that: of each patient the model it uses."""


@dataclass(frozen=True)
class Prediction:
    """One model's predictions on a cohort of n patients; NaN where the model has not the inputs that it needs.

    ``probability`` (n,): of the outcome (of an event by 36 months). ``outcome`` and ``shown`` say which oracle it is
    measured by: what is predicted, from which information. ``threshold``: fixed on training data; one, or (n,) where
    patients are judged by models with thresholds of their own. ``event_free`` (n, months): the predicted event-free
    share at ``months``, for survival outcomes. ``categories`` (n,): what the node calls each patient, '' where it says
    nothing; None where that was not asked. ``about``: what the model is, where name and information do not tell.
    """

    model: str
    outcome: Outcome
    shown: InformationSet
    probability: Numbers
    threshold: float | Numbers
    months: Numbers | None = None
    event_free: Numbers | None = None
    categories: NDArray[np.str_] | None = None
    about: str = ""

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(n,): whom the model has the inputs for."""
        return np.isfinite(self.probability)

    @property
    def thresholds(self) -> Numbers:
        """(n,): the threshold of each patient."""
        return np.asarray(np.broadcast_to(np.asarray(self.threshold, dtype=np.float64), self.probability.shape))

    @property
    def cuts(self) -> tuple[float, ...]:
        """The different thresholds that patients are judged by, rising; one where the model has one for all."""
        if isinstance(self.threshold, float):
            return (self.threshold,)
        return tuple(float(cut) for cut in np.unique(self.thresholds[self.covered]))


@dataclass(frozen=True)
class Predicted:
    """All that a bundle says of a cohort. ``default``: the name of the model that the node uses first.

    ``refused`` (n,): per patient why nothing was predicted, or ''. ``outside`` (n,): whether the patient lies outside
    the training envelope (reported; the evaluation leaves nobody out for it). ``features``: named (n,) columns of what
    the final stage saw, for tables and explanations. ``used`` (n,): the model that the node scores each patient by, ''
    where none; () where the default's own family covers all. ``why_default``: in words, where it is not the usual one.
    """

    system: str
    default: str
    predictions: tuple[Prediction, ...]
    refused: tuple[str, ...]
    outside: NDArray[np.bool_]
    features: dict[str, Numbers]
    used: tuple[str, ...] = ()
    why_default: str = ""
