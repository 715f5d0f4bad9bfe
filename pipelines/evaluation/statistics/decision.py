"""Decision curves: what acting on a model at each threshold gains against treating everybody or nobody.

A. J. Vickers, E. B. Elkin, Medical Decision Making 26 (2006) 565–574; with censoring: A. J. Vickers et al., BMC Medical
Informatics and Decision Making 8 (2008) 53. Computed by dcurves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from dcurves import dca

from pipelines.evaluation.statistics.horizon import AtHorizon, event_share
from pipelines.evaluation.statistics.resample import once
from pipelines.evaluation.statistics.stated import Numbers, Stated

THRESHOLDS: Numbers = np.round(np.arange(0.02, 0.81, 0.02), 2)


@dataclass(frozen=True)
class DecisionCurve(Stated):
    """Net benefit per patient at k thresholds: TP/n − FP/n · p / (1 − p), the unit being one true positive.

    ``models`` by name (k,) each; ``treat_all`` (k,); treating nobody is 0. NaN where those above a threshold were all
    lost before the horizon. ``standardised``: divided by ``prevalence``, so that 1 is the most there is (K. F. Kerr et
    al., Journal of Clinical Oncology 34 (2016) 2534–2540).
    """

    thresholds: Numbers
    prevalence: float | None
    models: Mapping[str, Numbers]
    treat_all: Numbers
    standardised: Mapping[str, Numbers]
    standardised_all: Numbers
    not_estimable: str = ""

    @property
    def treat_none(self) -> Numbers:
        """(k,): nothing is gained and nothing lost."""
        return np.zeros_like(self.thresholds)


def decision_curve(
    models: Mapping[str, Numbers], outcome: AtHorizon, thresholds: Numbers = THRESHOLDS
) -> DecisionCurve:
    """Net benefit of each model's probabilities (n,) for an outcome at a horizon; ``known(event)`` for yes or no.

    All models on the same patients: give those whom all of them cover. Whoever is at the threshold is treated.
    """
    nothing = np.empty(0)
    if why := outcome.unfit(*models.values()):
        return DecisionCurve(thresholds, None, {}, nothing, {}, nothing, why)
    columns = {f"model {i}": values for i, values in enumerate(models.values())}
    # Everybody is above 0, so that no column of the table is empty altogether.
    table = _table(columns, outcome, np.concatenate([[0.0], thresholds]))
    by_column = {
        str(name): rows["net_benefit"].to_numpy(dtype=float)[1:] for name, rows in table.groupby("model", sort=False)
    }
    prevalence = float(event_share(once(outcome.had.size), outcome)[0])
    found = {name: by_column[column] for name, column in zip(models, columns, strict=True)}
    everybody = by_column["all"]
    standardised = {name: values / prevalence for name, values in found.items()}
    return DecisionCurve(thresholds, prevalence, found, everybody, standardised, everybody / prevalence)


def _table(columns: Mapping[str, Numbers], outcome: AtHorizon, thresholds: Numbers) -> pd.DataFrame:
    if outcome.certain:
        table = pd.DataFrame({**columns, "event": outcome.had})
        return dca(table, "event", list(columns), thresholds=thresholds.tolist())
    observed = outcome.observed
    table = pd.DataFrame({**columns, "event": observed.event, "months": observed.months})
    return dca(
        table,
        "event",
        list(columns),
        thresholds=thresholds.tolist(),
        time=outcome.horizon,
        time_to_outcome_col="months",
    )
