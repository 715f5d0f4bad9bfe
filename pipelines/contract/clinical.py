"""Clinical variables: what a person reported of an exam, typed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Variable(StrEnum):
    """What a variable says. Values of the enumerated ones are in :data:`CATEGORIES`, the others are in mm."""

    WALL_THICKNESS = "wall_thickness"
    CRM_DISTANCE = "crm_distance"
    TUMOUR_LENGTH = "tumour_length"
    ANAL_VERGE_DISTANCE = "anal_verge_distance"
    MRF_INVOLVEMENT = "mrf_involvement"
    EMVI = "emvi"
    T_STAGE = "t_stage"
    N_STAGE = "n_stage"


CATEGORIES: dict[Variable, tuple[str, ...]] = {
    Variable.MRF_INVOLVEMENT: ("negative", "positive"),
    Variable.EMVI: ("negative", "positive"),
    Variable.T_STAGE: ("T0", "T1", "T2", "T3", "T3a", "T3b", "T3c", "T3d", "T4", "T4a", "T4b"),
    Variable.N_STAGE: ("N0", "N1", "N1a", "N1b", "N1c", "N2", "N2a", "N2b"),
}


@dataclass(frozen=True)
class ClinicalVariable:
    """One reported value: ``millimetres`` for a length, ``category`` for an enumeration, never both.

    ``origin`` says in words who reported it, where and when; ``source_sop_uid`` names the object.
    """

    variable: Variable
    origin: str
    millimetres: float | None = None
    category: str = ""
    source_sop_uid: str = ""

    def __post_init__(self) -> None:
        allowed = CATEGORIES.get(self.variable)
        if (allowed is None) != (self.millimetres is not None) or (allowed is not None) != bool(self.category):
            raise ValueError(f"{self.variable} is {'a length' if allowed is None else 'one of ' + ', '.join(allowed)}")
        if allowed is not None and self.category not in allowed:
            raise ValueError(f"{self.variable} is one of {', '.join(allowed)}, not {self.category!r}")
