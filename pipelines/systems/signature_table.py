"""The table that the final stage of system 1 reads: signatures, their changes, measured and clinical values by name."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.contract import ClinicalRecord, TimePoint
from pipelines.features import pair_features
from pipelines.inputs.cache import Entry
from pipelines.systems.signature_clinical import CLINICAL, coded
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_models import MEASURED, signature_name

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """``values`` (patients, rows, names), NaN where something is not known.

    The rows of a patient are views through several masks in training, and the networks of several folds in scoring.
    """

    names: tuple[str, ...]
    values: Numbers

    def of(self, names: Several[str]) -> Numbers:
        """The named columns, (patients, rows, names)."""
        return self.values[..., [self.names.index(name) for name in names]]

    def complete(self, names: Several[str]) -> NDArray[np.bool_]:
        """(patients,): who has all of these."""
        return np.asarray(np.isfinite(self.of(names)).all(axis=(1, 2)))

    def spread(self, names: Several[str], count: int) -> Numbers:
        """At most ``count`` rows of those who have all of these, (count, names), evenly spread over the table."""
        rows = self.of(names)[self.complete(names)].reshape(-1, len(names))
        return np.asarray(rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)])


def table_of(
    signatures: Mapping[str, Numbers],
    exams: Several[Mapping[TimePoint, Entry]],
    records: Several[ClinicalRecord],
    views: bool = False,
) -> Table:
    """The table of patients whose ``signatures`` (patients, rows) are known by name.

    ``views``: row i of a patient is its view i; otherwise every row has the features of the first view. Kept in single
    precision, as a bundle keeps it, so that a machine sees the same numbers everywhere.
    """
    rows = next(iter(signatures.values())).shape[1]
    columns = dict(signatures)
    for sequence in Sequence:
        pre, post = (signature_name(time_point, sequence) for time_point in TimePoint)
        if pre in signatures and post in signatures:
            columns[f"delta_{sequence}"] = signatures[pre] - signatures[post]
    return joined(columns | known_columns(exams, records, CLINICAL, rows, views))


def known_columns(
    exams: Several[Mapping[TimePoint, Entry]],
    records: Several[ClinicalRecord],
    clinical: Several[str],
    rows: int,
    views: bool,
) -> dict[str, Numbers]:
    """``MEASURED`` and these clinical values by name, (patients, rows) each, NaN where not known."""
    measured = [[_measured(pair, row if views else 0) for row in range(rows)] for pair in exams]
    columns = {
        name: np.array([[seen.get(name, np.nan) for seen in patient] for patient in measured]) for name in MEASURED
    }
    known = [coded(record) for record in records]
    return columns | {name: np.array([[values[name]] * rows for values in known]) for name in clinical}


def joined(columns: Mapping[str, Numbers]) -> Table:
    """The table of columns (patients, rows), in single precision."""
    stacked = np.stack([columns[name] for name in columns], axis=2)
    return Table(tuple(columns), stacked.astype(np.float32).astype(np.float64))


def _measured(pair: Mapping[TimePoint, Entry], view: int) -> dict[str, float]:
    before, after = (pair[time_point].described["features"][view] for time_point in TimePoint)
    return pair_features(before, after)
