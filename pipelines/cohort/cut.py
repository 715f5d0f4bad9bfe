"""What a system reads of one exam: cut once from model inputs and the tumour's mask, and kept in the cohort's cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.random import Generator

from pipelines.cohort.cohort import CohortPatient
from pipelines.contract import MaskArray, ModelInputs, TimePoint
from pipelines.inputs.cache import Entry


class Cut(Protocol):
    """How a system cuts an exam. Two cuts with the same name and parameters give the same entry from the same exam.

    ``name``: the system's, and part of the cache's key. ``time_points``: which exams it reads.
    """

    @property
    def name(self) -> str: ...

    @property
    def time_points(self) -> frozenset[TimePoint]: ...

    def parameters(self) -> Mapping[str, Any]:
        """Every number that decides the entry, and a version that is raised with the code (JSON values)."""

    def cut(self, inputs: ModelInputs, mask: MaskArray, rng: Generator) -> Entry:
        """The entry of one exam through the mask on its T2 grid; ``rng`` is the same for the same exam.

        Raises InputUnfit where the exam lacks what the system cannot do without.
        """


@dataclass(frozen=True)
class PreparedPatient:
    """A patient with an entry per exam that the cut reads; ``refusal``: why the patient cannot be used, or ''.

    ``beds``: exams in which a reader or a segmenter found no tumour, and that were read in the tumour bed.
    """

    patient: CohortPatient
    exams: Mapping[TimePoint, Entry]
    refusal: str = ""
    beds: frozenset[TimePoint] = frozenset()
