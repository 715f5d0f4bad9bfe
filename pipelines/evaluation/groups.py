"""The default model's figures by hospital and by group of patients: whom a good mean may hide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.cohort.cohort import CohortPatient
from pipelines.contract import Item
from pipelines.evaluation.judged import UNSTATED, Flags, Judged
from pipelines.evaluation.model_figures import ModelFigures, figures_of
from pipelines.evaluation.prediction import Prediction

AGED = 60.0  # years
EARLY_YPT = ("ypT0", "ypTis", "ypT1", "ypT2")


@dataclass(frozen=True)
class GroupFigures:
    """``outside_training``: a hospital of which the bundle saw no patient; ``drop``: by how much the figure there
    lies below that of the hospitals it learnt from (expected figures where the truth is known), else None."""

    figures: ModelFigures
    outside_training: bool = False
    drop: float | None = None


def training_sites(judged: Judged) -> tuple[str, ...]:
    """The hospitals that the bundle learnt from, as its manifest lists them; () where it does not."""
    sites = judged.bundle.manifest.training.get("sites", ())
    return tuple(str(site) for site in sites)


def by_site(judged: Judged, prediction: Prediction) -> dict[str, GroupFigures]:
    """By hospital, in the order of their names."""
    known = training_sites(judged)
    inside = np.isin(judged.sites, known)
    own = _figure(judged, prediction, inside) if known and inside.any() else None
    found = {}
    for site in sorted(set(judged.sites)):
        rows = judged.sites == site
        outside = bool(known) and site != UNSTATED and site not in known
        drop = None
        if outside and own is not None and (there := _figure(judged, prediction, rows)) is not None:
            drop = own - there
        found[str(site)] = GroupFigures(figures_of(judged, prediction, rows), outside, drop)
    return found


def _figure(judged: Judged, prediction: Prediction, among: Flags) -> float | None:
    """The expected figure where the truth is known, otherwise the one observed."""
    rows = judged.judgeable(prediction) & among
    expected = judged.expected(prediction, rows, prediction.probability[rows])
    return figures_of(judged, prediction, among).primary.value if expected is None else expected


def by_stratum(judged: Judged, prediction: Prediction) -> dict[str, GroupFigures]:
    """By sex, age, therapy, stage and what the system tells apart; of events in time also by response. Patients of whom
    it is not known are in none."""
    found = {}
    for name, rows in strata(judged).items():
        if (judged.judgeable(prediction) & rows).any():
            found[name] = GroupFigures(figures_of(judged, prediction, rows))
    return found


def strata(judged: Judged) -> dict[str, Flags]:
    """Each group by name, (n,)."""
    tests: dict[str, Callable[[CohortPatient], bool]] = {
        "women": lambda p: p.record.word(Item.SEX) == "F",
        "men": lambda p: p.record.word(Item.SEX) == "M",
        f"under {AGED:g} years": lambda p: (p.record.number(Item.AGE_YEARS) or np.nan) < AGED,
        f"{AGED:g} years and older": lambda p: (p.record.number(Item.AGE_YEARS) or np.nan) >= AGED,
    }
    found = {name: _where(judged, test) for name, test in tests.items()}
    for item, before in ((Item.THERAPY, "after "), (Item.CT_STAGE, "")):
        said = np.array([_said(patient, item) for patient in judged.patients])
        found |= {f"{before}{word}": said == word for word in sorted(set(said) - {""})}
    found |= {name: np.asarray(rows, dtype=bool) for name, rows in judged.predicted.groups.items()}
    return found | (response_strata(judged) if judged.survival else {})


def response_strata(judged: Judged) -> dict[str, Flags]:
    """Liu X. et al., section 2.6: complete response and not, and downstaged to ypT0–2 N0 and not."""
    return {
        "complete response (pCR)": _where(judged, lambda p: p.complete_response is True),
        "no complete response": _where(judged, lambda p: p.complete_response is False),
        "downstaged (ypT0–2 N0)": _where(judged, lambda p: _staged(p) and _downstaged(p)),
        "not downstaged": _where(judged, lambda p: _staged(p) and not _downstaged(p)),
    }


def _where(judged: Judged, test: Callable[[CohortPatient], bool]) -> Flags:
    return np.array([bool(test(patient)) for patient in judged.patients], dtype=bool)


def _said(patient: CohortPatient, item: Item) -> str:
    """A stage without its letter: cT3b is cT3."""
    word = patient.record.word(item)
    return word.rstrip("abcd") if item is Item.CT_STAGE else word


def _staged(patient: CohortPatient) -> bool:
    return bool(patient.record.word(Item.YPT_STAGE) and patient.record.word(Item.YPN_STAGE))


def _downstaged(patient: CohortPatient) -> bool:
    return patient.record.word(Item.YPT_STAGE) in EARLY_YPT and patient.record.word(Item.YPN_STAGE) == "ypN0"
