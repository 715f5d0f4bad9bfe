"""Coded concepts and values of readers' reports that stand for clinical variables.

Sources, beside this software's own scheme: PS3.16 (DCM; CID 230, 240, 250 and 7470), SNOMED CT and LOINC as HL7 mCODE
uses them for TNM categories, and the rectal MRI element sets of RadElement (RDES11 of Cancer Care Ontario, RDES293 of
the Society of Abdominal Radiology). Codes of pathology (of a specimen, pT, pN) are not here: an imaging report may
quote them, and they say nothing of its images.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.contract import (
    CATEGORY_CODES,
    PRIVATE_SCHEME,
    VARIABLE_CODES,
    Code,
    InputUnfit,
    TimePoint,
    Variable,
)
from pipelines.reports.content_tree import Coded, CodeKey


@dataclass(frozen=True)
class Meant:
    """The variable that a concept stands for.

    ``general``: only where the item is about the tumour in the rectum, as the concept alone does not say so.
    ``rank``: of two concepts of one variable in one report, the lower rank says it better.
    """

    variable: Variable
    general: bool = False
    rank: int = 0


CONCEPTS: dict[CodeKey, Meant] = {
    **{(code, PRIVATE_SCHEME): Meant(variable) for variable, (code, _) in VARIABLE_CODES.items()},
    ("122445", "DCM"): Meant(Variable.WALL_THICKNESS, general=True),
    ("RDE96", "RADELEMENT"): Meant(Variable.CRM_DISTANCE),
    ("RDE111", "RADELEMENT"): Meant(Variable.CRM_DISTANCE),
    ("RDE73", "RADELEMENT"): Meant(Variable.TUMOUR_LENGTH),
    ("RDE103", "RADELEMENT"): Meant(Variable.TUMOUR_LENGTH),
    ("410668003", "SCT"): Meant(Variable.TUMOUR_LENGTH, general=True, rank=1),
    ("103339001", "SCT"): Meant(Variable.TUMOUR_LENGTH, general=True, rank=2),
    ("L0JK", "IBSI"): Meant(Variable.TUMOUR_LENGTH, general=True, rank=2),
    ("112233", "DCM"): Meant(Variable.ANAL_VERGE_DISTANCE),
    ("RDE69", "RADELEMENT"): Meant(Variable.ANAL_VERGE_DISTANCE),
    ("RDE100", "RADELEMENT"): Meant(Variable.ANAL_VERGE_DISTANCE),
    ("RDE120", "RADELEMENT"): Meant(Variable.MRF_INVOLVEMENT),
    ("RDE110", "RADELEMENT"): Meant(Variable.EMVI),
    ("78873005", "SCT"): Meant(Variable.T_STAGE),
    ("399504009", "SCT"): Meant(Variable.T_STAGE),
    ("21905-5", "LN"): Meant(Variable.T_STAGE),
    ("RDE92", "RADELEMENT"): Meant(Variable.T_STAGE),
    ("RDE2032", "RADELEMENT"): Meant(Variable.T_STAGE),
    ("RID39274", "RADLEX"): Meant(Variable.T_STAGE),
    ("277206009", "SCT"): Meant(Variable.N_STAGE),
    ("399534004", "SCT"): Meant(Variable.N_STAGE),
    ("21906-3", "LN"): Meant(Variable.N_STAGE),
    ("RDE114", "RADELEMENT"): Meant(Variable.N_STAGE),
}

POSITIVE: frozenset[CodeKey] = frozenset(
    {
        ("52101004", "SCT"),  # present
        ("10828004", "SCT"),  # positive
        ("373066001", "SCT"),  # yes
        ("121053", "DCM"),  # present
        ("RID28474", "RADLEX"),  # yes
        ("RDE110.1", "RADELEMENT"),  # EMVI present
        ("RDE120.2", "RADELEMENT"),  # tumour within 1 mm of the margin
    }
)
NEGATIVE: frozenset[CodeKey] = frozenset(
    {
        ("2667000", "SCT"),  # absent
        ("272519000", "SCT"),  # absence, CID 240
        ("260385009", "SCT"),  # negative
        ("373067005", "SCT"),  # no
        ("121054", "DCM"),  # absent
        ("RDE110.0", "RADELEMENT"),  # EMVI absent
        ("RDE120.0", "RADELEMENT"),  # more than 2 mm; a threatened margin, between 1 and 2 mm, is neither
    }
)
STAGES: dict[CodeKey, str] = {
    **{
        (f"RDE2032.{index}", "RADELEMENT"): stage
        for index, stage in enumerate(("T0", "T1", "T2", "T3a", "T3b", "T3c", "T3d", "T4a", "T4b"))
    },
    ("RDE114.1", "RADELEMENT"): "N0",
    # SNOMED CT: clinical categories of AJCC.
    ("1228882005", "SCT"): "T0",
    ("1228889001", "SCT"): "T1",
    ("1228929004", "SCT"): "T2",
    ("1228938002", "SCT"): "T3",
    ("1228939005", "SCT"): "T3a",
    ("1228940007", "SCT"): "T3b",
    ("1228941006", "SCT"): "T3c",
    ("1228942004", "SCT"): "T3d",
    ("1228944003", "SCT"): "T4",
    ("1228945002", "SCT"): "T4a",
    ("1228946001", "SCT"): "T4b",
    ("1229967007", "SCT"): "N0",
    ("1229973008", "SCT"): "N1",
    ("1229975001", "SCT"): "N1a",
    ("1229976000", "SCT"): "N1b",
    ("1229977009", "SCT"): "N1c",
    ("1229978004", "SCT"): "N2",
    ("1229981009", "SCT"): "N2a",
    ("1229982002", "SCT"): "N2b",
}

RECTAL_SITES: frozenset[CodeKey] = frozenset(
    {
        ("34402009", "SCT"),  # rectum
        ("110612005", "SCT"),  # anus, rectum and sigmoid colon
        ("RID163", "RADLEX"),  # rectum
        ("C20", "I10"),  # malignant neoplasm of rectum
        ("C20.9", "ICDO3"),  # rectum
    }
)
# Findings that in an exam of the rectum are its tumour, though no site is given.
TUMOUR_FINDINGS: frozenset[CodeKey] = frozenset(
    {
        ("254582000", "SCT"),  # adenocarcinoma of rectum
        ("363351006", "SCT"),  # malignant tumour of rectum
        ("372087000", "SCT"),  # primary neoplasm
        ("86049000", "SCT"),  # primary neoplasm, as older tools write it
        ("M-80003", "SRT"),
    }
)

# PS3.16 CID 6146, as far as the types say which of our two times they are.
TIME_POINT_TYPES: dict[CodeKey, TimePoint] = {
    ("C1442488", "UMLS"): TimePoint.BASELINE,
    ("121079", "DCM"): TimePoint.BASELINE,
    ("C3539075", "UMLS"): TimePoint.BASELINE,
    ("126074", "DCM"): TimePoint.RESTAGING,
    ("262502001", "SCT"): TimePoint.RESTAGING,
    ("264908009", "SCT"): TimePoint.RESTAGING,
}

# Derivation (121401, DCM) of a measurement, PS3.16 CID 7464: a mean wall thickness is not the variable.
MAXIMUM: CodeKey = ("56851009", "SCT")
MINIMUM: CodeKey = ("255605001", "SCT")
DERIVATIONS: dict[Variable, CodeKey] = {
    Variable.WALL_THICKNESS: MAXIMUM,
    Variable.TUMOUR_LENGTH: MAXIMUM,
    Variable.CRM_DISTANCE: MINIMUM,
    Variable.ANAL_VERGE_DISTANCE: MINIMUM,
}

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0}  # UCUM, case-sensitive
LONGEST_MM = 400.0  # no rectum with its tumour is longer: a wrong unit, more likely


def category_by_code(variable: Variable, stated: Coded) -> str:
    """The category that a code stands for; empty where it is in no table."""
    for (known, name), (code, _) in CATEGORY_CODES.items():
        if known is variable and stated.key == (code, PRIVATE_SCHEME):
            return name
    if variable in (Variable.T_STAGE, Variable.N_STAGE):
        stage = STAGES.get(stated.key, "")
        return stage if stage[:1] == variable[:1].upper() else ""
    return "positive" if stated.key in POSITIVE else "negative" if stated.key in NEGATIVE else ""


def in_millimetres(number: float, unit: Coded) -> float:
    """A length in mm, to the micrometre. Raises InputUnfit for another unit, a negative or an impossible length."""
    factor = MILLIMETRES.get(unit.value) if unit.scheme == "UCUM" else None
    if factor is None:
        stated = f"{unit.value!r} of {unit.scheme or 'no scheme'}" if unit.value else "none"
        raise InputUnfit(Code.READER_REPORT_UNFIT, f"its unit is no length in UCUM ({stated})")
    length = number * factor
    if not 0 <= length <= LONGEST_MM:
        raise InputUnfit(Code.READER_REPORT_UNFIT, f"{number:g} {unit.value} cannot be")
    return round(length, 3)
