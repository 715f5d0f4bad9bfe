"""The models of system 2: which columns each of them sees, and in which order the node tries them.

Jin et al. 2021 read each sequence by a network of its own, and fuse what these say, and blood tumour markers, by
logistic regression. ``T2``, ``DWI`` and ``CE-T1`` are one network each; ``fused`` has those of all sequences of the
case, with the features that they read in their own outlines; ``_markers`` adds CEA and CA19-9, ``_measured`` takes the
features of system 1 in place of those that networks read. A model of several sequences exists for each subset of them,
one with markers for each set of them that may be known: what is missing selects another, and is never replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.contract import Item, TimePoint
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_models import SUBSETS

Learnt = Mapping[Sequence, tuple[str, ...]]
"""Measured features by the sequence whose network reads them."""
FUSED, FUSED_MARKERS = "fused", "fused_markers"
FUSED_MEASURED, FUSED_MARKERS_MEASURED = "fused_measured", "fused_markers_measured"
FALLBACK = (FUSED_MARKERS_MEASURED, FUSED_MEASURED, FUSED)
"""What the node uses: the first of these, in its first subset, that the case has the inputs for."""
ALONE: Mapping[Sequence, str] = {Sequence.T2: "T2", Sequence.DWI: "DWI", Sequence.CE_T1: "CE-T1"}
MARKERS: Mapping[str, tuple[Item, ...]] = {
    "": (Item.CEA, Item.CA19_9),
    "cea": (Item.CEA,),
    "ca19_9": (Item.CA19_9,),
}
"""Markers that may be known, by what the key of a model with them says; each is ln(1 + x)."""


@dataclass(frozen=True)
class RpModel:
    """One final stage. ``columns``: of the table; ``markers``: those of them that are blood tumour markers."""

    model: str
    subset: str
    sequences: tuple[Sequence, ...]
    columns: tuple[str, ...]
    markers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Unique in a bundle, and what a report calls it."""
        return f"{self.model} {self.subset}".strip()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that the model sees."""
        return (*self.columns, *self.markers)

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "subset": self.subset,
            "sequences": [str(sequence) for sequence in self.sequences],
            "columns": list(self.columns),
            "markers": list(self.markers),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RpModel:
        sequences = tuple(Sequence(sequence) for sequence in values["sequences"])
        return cls(values["model"], values["subset"], sequences, tuple(values["columns"]), tuple(values["markers"]))


def logit_name(sequence: Sequence) -> str:
    """The column of what the sequence's network says: log odds of complete response."""
    return f"logit_{sequence}"


def reading_name(sequence: Sequence, when: TimePoint, feature: str) -> str:
    """The column of a measured feature as the sequence's network reads it, in standard deviations of training."""
    return f"read_{sequence}_{'pre' if when is TimePoint.BASELINE else 'post'}_{feature}"


def reading_names(learnt: Learnt) -> dict[Sequence, tuple[str, ...]]:
    """The columns of everything that each sequence's network reads, in its own order: both exams in turn."""
    return {
        sequence: tuple(reading_name(sequence, when, feature) for when in TimePoint for feature in features)
        for sequence, features in learnt.items()
    }


def models(measured: tuple[str, ...], learnt: Learnt) -> tuple[RpModel, ...]:
    """Every final stage of a bundle; ``measured``: the features of system 1 (``MEASURED``) that the cohort has;
    ``learnt``: those that each sequence's network reads."""
    return (*_fused(measured, reading_names(learnt)), *_alone())


def _alone() -> Iterator[RpModel]:
    for sequence, name in ALONE.items():
        yield RpModel(name, "", (sequence,), (logit_name(sequence),))


def _fused(measured: tuple[str, ...], readings: Mapping[Sequence, tuple[str, ...]]) -> Iterator[RpModel]:
    for plain, marked, with_measured in (
        (FUSED_MEASURED, FUSED_MARKERS_MEASURED, True),
        (FUSED, FUSED_MARKERS, False),
    ):
        for subset, sequences in SUBSETS.items():
            read = tuple(name for sequence in sequences for name in readings.get(sequence, ()))
            columns = (*map(logit_name, sequences), *(measured if with_measured else read))
            for known, items in MARKERS.items():
                yield RpModel(marked, f"{subset} {known}".strip(), sequences, columns, tuple(map(str, items)))
            yield RpModel(plain, subset, sequences, columns)
