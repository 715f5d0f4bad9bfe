"""The table that the final stage of system 2 reads: what networks say, measured features and blood markers by name."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass

from pipelines.contract import ClinicalRecord, TimePoint
from pipelines.inputs.cache import Entry
from pipelines.systems.rp_models import MARKERS, logit_name
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_table import Numbers, Table, joined, known_columns

MARKER_NAMES = tuple(str(item) for item in MARKERS[""])


@dataclass(frozen=True)
class Told:
    """What a sequence's networks say of patients, NaN of those who lack it: ``logits`` (patients, rows), and what they
    read (patients, rows, names), the ``names`` being columns of the table."""

    logits: Numbers
    readings: Numbers
    names: tuple[str, ...]


def table_of(
    told: Mapping[Sequence, Told],
    exams: Several[Mapping[TimePoint, Entry]],
    records: Several[ClinicalRecord],
    views: bool = False,
) -> Table:
    """The table of patients of whom the networks of each sequence have ``told`` this.

    ``views``: row i of a patient has the features of its view i; otherwise every row has those of the first view.
    """
    rows = next(iter(told.values())).logits.shape[1]
    columns = {logit_name(sequence): one.logits for sequence, one in told.items()}
    for one in told.values():
        columns |= {name: one.readings[..., index] for index, name in enumerate(one.names)}
    return joined(columns | known_columns(exams, records, MARKER_NAMES, rows, views))
