"""What every clinical item may say: a number in one unit and a plausible range, a word of a vocabulary, or a day.

The words are those that ``cohort.csv`` is written with. A few other spellings are read, ignoring case; nothing else is
guessed: no unit is converted, no comma turned into a point, and a grade of tumour regression needs its scheme, because
schemes run in different directions (AJCC and Mandard from best to worst, Dworak from worst to best).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pipelines.contract import Item, Value

TRG_SCHEMES: Mapping[Item, tuple[str, range]] = {
    Item.TRG_AJCC: ("AJCC", range(4)),  # 0 complete response … 3 poor (AJCC cancer staging manual, 8th edition)
    Item.TRG_MANDARD: ("Mandard", range(1, 6)),  # 1 no residual tumour … 5 no regression (Mandard et al. 1994)
    Item.TRG_DWORAK: ("Dworak", range(5)),  # 0 no regression … 4 no residual tumour (Dworak et al. 1997)
    Item.TRG_MR: ("mrTRG", range(1, 6)),  # 1 no tumour signal … 5 no fibrosis (Patel et al. 2011)
}


class ClinicalUnfit(Exception):
    """A text is no value of its item. The message is one sentence for a person."""


@dataclass(frozen=True)
class Quantity:
    """A number in ``unit``, from ``low`` to ``high``: beyond that it is a slip of the pen, or another unit."""

    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class Words:
    """One of ``allowed``; ``synonyms``: other spellings in lower case, with the word that they mean."""

    allowed: tuple[str, ...]
    synonyms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Day:
    """A calendar day, YYYY-MM-DD (ISO 8601)."""


Kind = Quantity | Words | Day


def _grades(item: Item) -> Words:
    scheme, grades = TRG_SCHEMES[item]
    spelled = {f"{scheme}{gap}{n}".lower(): f"{scheme}-{n}" for gap in ("", " ", "_") for n in grades}
    return Words(tuple(f"{scheme}-{n}" for n in grades), spelled)


def _t_stages(prefix: str) -> Words:
    tis = () if prefix == "c" else (f"{prefix}Tis",)
    numbered = ("T0", "T1", "T2", "T3", "T3a", "T3b", "T3c", "T3d", "T4", "T4a", "T4b")
    return Words((*tis, *(f"{prefix}{stage}" for stage in numbered)))


def _n_stages(prefix: str) -> Words:
    return Words(tuple(f"{prefix}{stage}" for stage in ("N0", "N1", "N1a", "N1b", "N1c", "N2", "N2a", "N2b")))


_SIGN = Words(
    ("positive", "negative"),
    {
        **dict.fromkeys(("pos", "yes", "present", "involved"), "positive"),
        **dict.fromkeys(("neg", "no", "absent", "not involved"), "negative"),
    },
)
_SEX = Words(("M", "F", "O"), {"male": "M", "female": "F", "other": "O"})
_THERAPY = Words(
    (
        "chemotherapy",
        "chemoradiotherapy",
        "short-course radiotherapy",
        "total neoadjuvant therapy",
        "immunotherapy",
        "none",
        "other",
    ),
    {
        **dict.fromkeys(("chemo", "neoadjuvant chemotherapy"), "chemotherapy"),
        **dict.fromkeys(("crt", "ncrt", "radiochemotherapy", "chemoradiation"), "chemoradiotherapy"),
        **dict.fromkeys(("scrt", "short course radiotherapy"), "short-course radiotherapy"),
        "tnt": "total neoadjuvant therapy",
    },
)
_HISTOLOGY = Words(
    ("adenocarcinoma", "mucinous adenocarcinoma", "signet-ring cell carcinoma", "other"),
    {
        **dict.fromkeys(("mucinous", "mucinous carcinoma"), "mucinous adenocarcinoma"),
        **dict.fromkeys(("signet-ring", "signet ring cell carcinoma"), "signet-ring cell carcinoma"),
    },
)
_DIFFERENTIATION = Words(
    ("well", "moderate", "poor"),
    {
        **dict.fromkeys(("well differentiated", "g1"), "well"),
        **dict.fromkeys(("moderately differentiated", "moderately", "g2"), "moderate"),
        **dict.fromkeys(("poorly differentiated", "poorly", "g3"), "poor"),
    },
)
# Up to 5, up to 10, over 10 cm from the anal verge to the tumour's lower edge.
_LOCATION = Words(("low", "middle", "high"), {"lower": "low", "mid": "middle", "upper": "high"})
_YES_NO = Words(("yes", "no"), {"1": "yes", "true": "yes", "0": "no", "false": "no"})
_THICKNESS, _LENGTH, _HEIGHT = Quantity("mm", 0.0, 100.0), Quantity("mm", 0.0, 300.0), Quantity("mm", 0.0, 250.0)

KINDS: Mapping[Item, Kind] = {
    Item.SEX: _SEX,
    Item.AGE_YEARS: Quantity("years", 10.0, 110.0),
    Item.THERAPY: _THERAPY,
    Item.THERAPY_START: Day(),
    Item.THERAPY_END: Day(),
    Item.SURGERY_DATE: Day(),
    Item.HISTOLOGY: _HISTOLOGY,
    Item.CT_STAGE: _t_stages("c"),
    Item.CN_STAGE: _n_stages("c"),
    Item.CEA: Quantity("ng/mL", 0.0, 50_000.0),
    Item.CA19_9: Quantity("U/mL", 0.0, 1_000_000.0),
    Item.LOCATION: _LOCATION,
    Item.EMVI_BASELINE: _SIGN,
    Item.EMVI_RESTAGING: _SIGN,
    Item.CRM_BASELINE: _SIGN,
    Item.CRM_RESTAGING: _SIGN,
    Item.MWT_BASELINE: _THICKNESS,
    Item.MWT_RESTAGING: _THICKNESS,
    Item.LENGTH_BASELINE: _LENGTH,
    Item.LENGTH_RESTAGING: _LENGTH,
    Item.DTAV_BASELINE: _HEIGHT,
    Item.DTAV_RESTAGING: _HEIGHT,
    Item.DIFFERENTIATION: _DIFFERENTIATION,
    Item.YPT_STAGE: _t_stages("yp"),
    Item.YPN_STAGE: _n_stages("yp"),
    **{item: _grades(item) for item in TRG_SCHEMES},
    Item.LYMPHOVASCULAR_INVASION: _SIGN,
    Item.PERINEURAL_INVASION: _SIGN,
    Item.ADJUVANT_CHEMOTHERAPY: _YES_NO,
}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,2})?")
_DAY = re.compile(r"(19|20)\d\d-\d\d-\d\d")
_NO_SCHEME = re.compile(r"(?:trg|grade|score)?[ -]?(?:\d|i{1,3}|iv|v)[ab]?", re.IGNORECASE)


def read_value(item: Item, text: str) -> Value:
    """The value that a text gives an item: a float in the item's unit, a word of its vocabulary, or a date.

    Raises
    ------
    ClinicalUnfit
        Where it gives none, with what is wanted instead. An empty text is none: what is not known is left out.
    """
    text, kind = text.strip(), KINDS[item]
    if not text:
        raise ClinicalUnfit("is empty")
    if isinstance(kind, Quantity):
        return _quantity(item, kind, text)
    if isinstance(kind, Day):
        return read_day(text)
    spellings = {word.lower(): word for word in kind.allowed} | dict(kind.synonyms)
    found = spellings.get(" ".join(text.lower().split()))
    if found is None:
        raise ClinicalUnfit(_wrong_grade(item, text) if item in TRG_SCHEMES else _wrong_word(kind, text))
    return found


def read_day(text: str) -> date:
    """The day of a text YYYY-MM-DD; ClinicalUnfit where it is none."""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:  # the 31st of June
        pass
    raise ClinicalUnfit(f"'{text}' is no day of the form YYYY-MM-DD")


def _quantity(item: Item, kind: Quantity, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ClinicalUnfit(f"'{text}' is not a plain number; write the number alone, in {kind.unit}, with a point")
    value = float(text)
    if not kind.low <= value <= kind.high:
        raise ClinicalUnfit(f"{text} {kind.unit} is outside {kind.low:g} to {kind.high:g}: is it in another unit?")
    return value


def _wrong_word(kind: Words, text: str) -> str:
    return f"'{text}' is none of {_listed(kind.allowed)}; leave it empty where it is not known"


def _wrong_grade(item: Item, text: str) -> str:
    """Why a text is no grade of the item's scheme of tumour regression."""
    scheme, grades = TRG_SCHEMES[item]
    wanted = _listed([f"{scheme}-{n}" for n in grades])
    if _NO_SCHEME.fullmatch(text):
        return f"'{text}' names no scheme; schemes run in different directions: write {wanted}"
    named = next((other for other, _ in TRG_SCHEMES.values() if text.lower().startswith(other.lower())), None)
    if named == scheme:
        return f"'{text}' is no grade of the {scheme} scheme, whose grades are {wanted}"
    if named is not None:
        return f"'{text}' is a grade of the {named} scheme, and here stand grades of {scheme}: {wanted}"
    return f"'{text}' is a grade of no scheme that is known here; schemes run in different directions: write {wanted}"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)
