"""What a model of a bundle says of the patients of a cohort: what every figure is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.phantom.probabilities import InformationSet, Outcome

Numbers = NDArray[np.float64]
NODE = "node"
"""The name of what the node shows where no single model of the bundle is that: of each patient the model it uses."""
WITHOUT = " without "
"""Between the name of a model and what was hidden from it: "All without maps" is judged beside "All", on the patients
who have what was hidden, and is no model of the bundle."""
OWN_DICE = "own_dice_"
"""How the columns of ``Predicted.features`` begin that hold the Dice of a network's own mask with the given one;
``own_dice_baseline``, ``own_dice_restaging``, and with a network's name between where there are several."""


@dataclass(frozen=True)
class Sets:
    """Prediction sets of n patients, (n,) each: whether a set holds the outcome, and whether it holds its absence.

    Both: the patient is referred to a person. ``coverage``: the promised share of sets that hold what comes true.
    Rows of patients without a prediction are not read.
    """

    coverage: float
    event: NDArray[np.bool_]
    no_event: NDArray[np.bool_]


@dataclass(frozen=True)
class Prediction:
    """One model's predictions on a cohort of n patients; NaN where the model has not the inputs that it needs.

    ``probability`` (n,): of the outcome (of an event by 36 months). ``outcome`` and ``shown`` say which oracle it is
    measured by: what is predicted, from which information. ``threshold``: fixed on training data; one, or (n,) where
    patients are judged by models with thresholds of their own. ``event_free`` (n, months): the predicted event-free
    share at ``months``, for survival outcomes. ``categories`` (n,): what the node calls each patient, '' where it says
    nothing; None where that was not asked. ``about``: what the model is, where name and information do not tell; with
    the name before a colon it stands for both. ``sets``: its prediction sets, where it has limits for them.
    ``images``: False of a model that reads the record alone, though its oracle is shown the exams as well.
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
    sets: Sets | None = None
    images: bool = True

    @property
    def whole(self) -> str:
        """The model that this one is; another name than its own where inputs were hidden from it."""
        return self.model.partition(WITHOUT)[0]

    @property
    def hidden(self) -> str:
        """The inputs that were hidden from the model to see what they are worth, in words; '' of a model as it is."""
        return self.model.partition(WITHOUT)[2]

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
    ``predictions``: of the models, and of models from which inputs were hidden (``Prediction.hidden``; NaN where the
    patient has not what is hidden). ``groups``: further groups of patients by name, (n,) each, by which the default
    model is judged as by sex and age: by the sequences that there are, for example.
    """

    system: str
    default: str
    predictions: tuple[Prediction, ...]
    refused: tuple[str, ...]
    outside: NDArray[np.bool_]
    features: dict[str, Numbers]
    used: tuple[str, ...] = ()
    why_default: str = ""
    groups: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    @property
    def models(self) -> tuple[Prediction, ...]:
        """The predictions of the bundle's models, nothing hidden from them."""
        return tuple(prediction for prediction in self.predictions if not prediction.hidden)

    @property
    def degraded(self) -> tuple[Prediction, ...]:
        """The predictions of models from which inputs were hidden, where the whole model is there too."""
        known = {prediction.model for prediction in self.models}
        return tuple(prediction for prediction in self.predictions if prediction.hidden and prediction.whole in known)
