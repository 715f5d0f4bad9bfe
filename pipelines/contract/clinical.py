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

# Codes of the private scheme, written into our reports and read in those of others: (code value, code meaning).
# A length and a distance from the anus have codes in PS3.16 and need none here.
PRIVATE_SCHEME = "99RESTAGE"
VARIABLE_CODES: dict[Variable, tuple[str, str]] = {
    Variable.WALL_THICKNESS: ("WALL_THICKNESS", "Maximum wall thickness at the tumour"),
    Variable.CRM_DISTANCE: ("CRM_DISTANCE", "Shortest distance of tumour to mesorectal fascia"),
    Variable.MRF_INVOLVEMENT: ("MRF", "Involvement of the mesorectal fascia"),
    Variable.EMVI: ("EMVI", "Extramural vascular invasion"),
    Variable.T_STAGE: ("T_STAGE", "T stage on MRI"),
    Variable.N_STAGE: ("N_STAGE", "N stage on MRI"),
}
CATEGORY_CODES: dict[tuple[Variable, str], tuple[str, str]] = {
    (Variable.MRF_INVOLVEMENT, "negative"): ("MRF_NEGATIVE", "Mesorectal fascia not involved (MRF negative)"),
    (Variable.MRF_INVOLVEMENT, "positive"): ("MRF_POSITIVE", "Mesorectal fascia involved (MRF positive)"),
    (Variable.EMVI, "negative"): ("EMVI_NEGATIVE", "No extramural vascular invasion (EMVI negative)"),
    (Variable.EMVI, "positive"): ("EMVI_POSITIVE", "Extramural vascular invasion (EMVI positive)"),
    **{
        (variable, stage): (f"{letter}_STAGE_{stage.upper()}", f"{letter} stage {stage} on MRI")
        for variable, letter in ((Variable.T_STAGE, "T"), (Variable.N_STAGE, "N"))
        for stage in CATEGORIES[variable]
    },
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
