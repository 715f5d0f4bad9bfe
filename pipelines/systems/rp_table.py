"""The table that the final stage of system 2 reads: what networks say, measured features and blood markers by name."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Several

from pipelines.contract import ClinicalRecord, TimePoint
from pipelines.inputs.cache import Entry
from pipelines.systems.rp_models import MARKERS, logit_name
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_table import Numbers, Table, joined, known_columns

MARKER_NAMES = tuple(str(item) for item in MARKERS[""])


def table_of(
    logits: Mapping[Sequence, Numbers],
    exams: Several[Mapping[TimePoint, Entry]],
    records: Several[ClinicalRecord],
    views: bool = False,
) -> Table:
    """The table of patients whose ``logits`` (patients, rows) are known by sequence, NaN where one is missing.

    ``views``: row i of a patient has the features of its view i; otherwise every row has those of the first view.
    """
    rows = next(iter(logits.values())).shape[1]
    columns = {logit_name(sequence): said for sequence, said in logits.items()}
    return joined(columns | known_columns(exams, records, MARKER_NAMES, rows, views))
