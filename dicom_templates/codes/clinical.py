"""What a reader reported of an exam: the codes of :class:`pipelines.contract.Variable` and of its categories.

PS3.16 has a length and a distance from the anus; fascia, extramural veins, wall thickness of the bowel and the
imaging T and N categories are not in it. The meanings of the categories name what they are about: "negative" alone
would mislead in a viewer that prints values without their names. Values and meanings stand in the contract, because
the readers' reports that use them are read there.
"""

from __future__ import annotations

from typing import Final

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as Concept

from dicom_templates.codes.private import PrivateCode
from pipelines.contract import CATEGORY_CODES, VARIABLE_CODES, Variable

_DEFINITIONS: Final = {
    Variable.WALL_THICKNESS: "Of the rectal wall with the tumour in it.",
    Variable.CRM_DISTANCE: "The predicted circumferential resection margin.",
    Variable.MRF_INVOLVEMENT: "Tumour at the mesorectal fascia, commonly within 1 mm of it.",
    Variable.EMVI: "On MR images (mrEMVI).",
    Variable.T_STAGE: "TNM T category on MR images; after therapy it is the y category.",
    Variable.N_STAGE: "TNM N category on MR images; after therapy it is the y category.",
}
_CATEGORY_DEFINITIONS: Final = {
    Variable.MRF_INVOLVEMENT: "As the reader reported it.",
    Variable.EMVI: "As the reader reported it.",
    Variable.T_STAGE: "As reported, in the reader's own edition of TNM; a to d of T3 by depth of extramural spread.",
    Variable.N_STAGE: "As reported, in the reader's own edition of TNM.",
}
PRIVATE_VARIABLES: Final[dict[Variable, PrivateCode]] = {
    variable: PrivateCode(*code, f"{_DEFINITIONS[variable]} As a reader reported it, not measured by this software.")
    for variable, code in VARIABLE_CODES.items()
}
VARIABLES: Final[dict[Variable, Concept]] = {
    Variable.TUMOUR_LENGTH: codes.SCT.Length,
    Variable.ANAL_VERGE_DISTANCE: codes.DCM.DistanceFromAnus,
    **{variable: code.concept for variable, code in PRIVATE_VARIABLES.items()},
}
VARIABLE_CATEGORIES: Final[dict[tuple[Variable, str], PrivateCode]] = {
    key: PrivateCode(*code, _CATEGORY_DEFINITIONS[key[0]]) for key, code in CATEGORY_CODES.items()
}
