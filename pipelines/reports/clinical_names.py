"""Names and values of readers' reports that have no code we know, read by their English words.

Only a name that as a whole says one thing counts: "Distance to MRF" is one, "MRF information" or "Depth of extramural
invasion" is none, and neither is anything of a specimen or of another time. Whoever uses such a value says that it was
read by name.
"""

from __future__ import annotations

import re

from pipelines.contract import TimePoint, Variable
from pipelines.reports.clinical_codes import Meant

_TUMOUR = r"(the )?((rectal|rectum) )?(tumou?r|lesion|cancer)"
_FASCIA = r"(the )?(mrf|mesorectal fascia|crm|circumferential resection margin)( mrf| crm)?"
_EMVI = r"(emvi|extra ?mural (vascular|venous|vein) (invasion|involvement)( emvi)?)"
_VERGE = r"(the )?(anal verge|anocutaneous (line|verge))"
_LARGEST = r"(maximum|maximal|max|longest|largest|greatest)"
_SHORTEST = r"(shortest|minimum|minimal|min|closest)"
_LOWER = r"(the )?(lowest|lower|distal|inferior) (extent|edge|border|margin|pole|end)"
_ON_MR = r"((y?mri?|y?c|clinical|predicted|radiological) )?"

_LENGTHS: tuple[tuple[Meant, tuple[str, ...]], ...] = (
    (
        Meant(Variable.WALL_THICKNESS),
        (
            rf"({_LARGEST} )?(rectal|rectum|{_TUMOUR}) wall thickness",
            rf"({_LARGEST} )?(rectal )?wall thickness (at|of) {_TUMOUR}",
        ),
    ),
    (Meant(Variable.WALL_THICKNESS, general=True), (rf"({_LARGEST} )?wall thickness",)),
    (
        Meant(Variable.CRM_DISTANCE),
        (
            rf"{_ON_MR}({_SHORTEST} )?distance ((of|from) )?({_TUMOUR} )?(to|from) {_FASCIA}",
            rf"{_ON_MR}{_FASCIA}( distance| clearance)?",
            rf"{_ON_MR}{_TUMOUR} to {_FASCIA}( distance)?",
        ),
    ),
    (
        Meant(Variable.TUMOUR_LENGTH),
        (
            rf"((cranio ?caudal|longitudinal) )?{_TUMOUR} (length|cranio ?caudal (length|extent|extension))",
            rf"(length|cranio ?caudal (length|extent|extension)) of {_TUMOUR}",
        ),
    ),
    (Meant(Variable.TUMOUR_LENGTH, general=True), (r"cranio ?caudal (length|extent|extension)",)),
    (
        Meant(Variable.TUMOUR_LENGTH, rank=2),
        (
            rf"{_LARGEST} (diameter|dimension) of {_TUMOUR}",
            rf"{_TUMOUR} {_LARGEST} (diameter|dimension)|{_LARGEST} {_TUMOUR} (diameter|dimension)",
        ),
    ),
    (Meant(Variable.TUMOUR_LENGTH, general=True, rank=2), (rf"{_LARGEST} (diameter|dimension)|long axis",)),
    (
        Meant(Variable.ANAL_VERGE_DISTANCE),
        (
            rf"({_TUMOUR} )?(distance|height) ((of|from) )?({_LOWER} )?((of )?{_TUMOUR} )?(to|from|above) {_VERGE}",
            rf"({_TUMOUR} )?{_VERGE} distance",
        ),
    ),
)
_CATEGORIES: tuple[tuple[Meant, tuple[str, ...]], ...] = (
    (
        Meant(Variable.MRF_INVOLVEMENT),
        (
            rf"{_ON_MR}{_FASCIA}( involvement| invasion| infiltration| status| involved)?",
            rf"{_ON_MR}(involvement|invasion|infiltration) of {_FASCIA}",
        ),
    ),
    (Meant(Variable.EMVI), (rf"{_ON_MR}{_EMVI}( status| present| presence)?",)),
    (Meant(Variable.T_STAGE), (rf"{_ON_MR}t (stage|category|staging)( on mri?)?|(y?mr|y?c) t",)),
    (Meant(Variable.N_STAGE), (rf"{_ON_MR}n (stage|category|staging)( on mri?)?|(y?mr|y?c) n",)),
)

_YES = {"positive", "present", "yes", "involved", "detected", "pos", "invaded"}
_NO = {"negative", "absent", "no", "none", "not involved", "uninvolved", "not present", "not detected", "clear", "neg"}
_STAGE = re.compile(r"(?:(?:y?mri?|y?c|y) )?([tn])(?: (?:stage|category))?(?: [tn])? ?([0-4]) ?([a-d]?)")
_BOILERPLATE = re.compile(r"american joint committee on cancer|\b(ajcc|uicc)\b|\(?qualifier value\)?| on mri?\b")
_PREFIX = re.compile(r"\b(y?mr|y?c)(?=(emvi|mrf|crm|[tn])\b|[tn] ?[0-4])")  # mrEMVI, ymrT, cT3
_EARLIER = re.compile(r"\b(baseline|pre ?(treatment|therapy|therapeutic|operative|n?crt|nat))\b")
_LATER = re.compile(r"\b(restaging|follow ?up|post ?(treatment|therapy|therapeutic|chemo\w*|radi\w*|n?crt|nat))\b")


def meant_by_name(meaning: str, *, is_length: bool) -> Meant | None:
    """The variable that the whole of a concept name says, of lengths or of categories; None where it says none."""
    words = _words(meaning)
    table = _LENGTHS if is_length else _CATEGORIES
    return next((meant for meant, names in table if any(re.fullmatch(name, words) for name in names)), None)


def category_in_words(variable: Variable, meaning: str) -> str:
    """The category that a value's words say; empty where they say none, or more than one."""
    words = _words(_BOILERPLATE.sub(" ", meaning.lower()))
    if variable in (Variable.T_STAGE, Variable.N_STAGE):
        stage = _STAGE.fullmatch(words)
        if stage is None or stage[1] != variable[:1]:
            return ""
        return f"{stage[1].upper()}{stage[2]}{stage[3]}"
    subject = _EMVI if variable is Variable.EMVI else _FASCIA
    said = " ".join(re.sub(rf"\b{_ON_MR}{subject}\b", " ", words).split())
    return "positive" if said in _YES else "negative" if said in _NO else ""


def time_point_in_words(meaning: str) -> TimePoint | None:
    """The one of the two times that a time point's words name; None where they name neither, or both."""
    words = _words(meaning)
    earlier, later = _EARLIER.search(words), _LATER.search(words)
    if bool(earlier) == bool(later):
        return None
    return TimePoint.BASELINE if earlier else TimePoint.RESTAGING


def says_rectum(meaning: str) -> bool:
    """Whether words name the rectum: rectum, rectal, mesorectal, rectosigmoid."""
    return re.search(r"rect(um|al|o)", meaning.lower()) is not None


def _words(meaning: str) -> str:
    """Lower case, signs as words, no other punctuation, single spaces."""
    text = re.sub(r"\s*\(?[+]\)?\s*$", " positive", meaning.lower())
    text = re.sub(r"(?<=[a-z])\s*(\([-−–]\)|[-−–])\s*$", " negative", text)
    return _PREFIX.sub(r"\1 ", re.sub(r"[^a-z0-9]+", " ", text).strip())
