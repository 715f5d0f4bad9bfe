"""One content item of a reader's report: whether it says a clinical variable of this exam's tumour, and its value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from pipelines.contract import CATEGORIES, Code, InputUnfit, TimePoint, Variable
from pipelines.headers.attributes import item, number
from pipelines.masks.annotations import NODES
from pipelines.reports.clinical_codes import (
    CONCEPTS,
    DERIVATIONS,
    RECTAL_SITES,
    TIME_POINT_TYPES,
    TUMOUR_FINDINGS,
    Meant,
    category_by_code,
    in_millimetres,
)
from pipelines.reports.clinical_names import category_in_words, meant_by_name, says_rectum, time_point_in_words
from pipelines.reports.content_tree import Coded, ContentItem, Context, coded

_ANYTHING = re.compile(r"(primary |malignant |target )?(tumou?r|neoplasm|lesion|mass|finding|measurement|annotation)s?")
_REGION = re.compile(r"pelvis|pelvic region|abdomen|unspecified", re.IGNORECASE)  # where the rectum is, among others


@dataclass(frozen=True)
class About:
    """The exam that is asked about. ``study_of``: Study Instance UID by SOP Instance UID, of the report's evidence."""

    time_point: TimePoint
    study_uids: frozenset[str]
    study_of: Mapping[str, str]


@dataclass(frozen=True)
class Said:
    """What one item says: ``millimetres`` or ``category``; ``how`` it was coded; ``rank`` as in :class:`Meant`."""

    variable: Variable
    how: str
    rank: int
    millimetres: float | None = None
    category: str = ""

    @property
    def value(self) -> str:
        """The value in words."""
        return self.category or f"{self.millimetres:g} mm"


class _Matter(Enum):
    """What the groups around an item are about."""

    TUMOUR = auto()
    NODE = auto()
    ELSEWHERE = auto()
    OPEN = auto()


def said_by(content: ContentItem, about: About) -> Said | None:
    """The clinical variable that an item says of this exam's tumour; None where it says none.

    Raises InputUnfit (READER_REPORT_UNFIT) naming the item where it is about one, and its value cannot be used.
    """
    named = _meant(content)
    if named is None:
        return None
    meant, how = named
    if not _fits(meant, _matter(content.context)) or _is_of_another_time(content.context, about):
        return None
    if content.derivation not in (None, DERIVATIONS.get(meant.variable)):
        return None
    try:
        if meant.variable in CATEGORIES:
            return Said(meant.variable, how, meant.rank, category=_category(meant.variable, content))
        return Said(meant.variable, how, meant.rank, millimetres=_millimetres(content))
    except InputUnfit as unfit:
        raise InputUnfit(unfit.code, f"{content}: {unfit.reason}") from unfit


def _meant(content: ContentItem) -> tuple[Meant, str] | None:
    """What an item's name stands for, and how that was found. A length is a NUM item, a category a CODE item."""
    if content.value_type not in {"NUM", "CODE"}:
        return None
    is_length = content.value_type == "NUM"
    by = f", by {content.context.algorithm}" if content.context.algorithm else ""
    meant = CONCEPTS.get(content.name.key)
    if meant is not None:
        fits = (meant.variable in CATEGORIES) != is_length
        return (meant, f"coded {content.name}{by}") if fits else None
    meant = meant_by_name(content.name.meaning, is_length=is_length)
    return None if meant is None else (meant, f"read by name from {content.name}{by}")


def _matter(context: Context) -> _Matter:
    """The innermost site and finding decide."""
    site = context.sites[0] if context.sites else None
    finding = context.findings[0] if context.findings else None
    if any(NODES.search(one.meaning) for one in (site, finding) if one is not None):
        return _Matter.NODE
    if site is not None and not _REGION.search(site.meaning):
        in_rectum = site.key in RECTAL_SITES or says_rectum(site.meaning)
        return _Matter.TUMOUR if in_rectum else _Matter.ELSEWHERE
    if finding is None or _ANYTHING.fullmatch(finding.meaning.strip().lower()):
        return _Matter.OPEN
    is_tumour = finding.key in TUMOUR_FINDINGS or says_rectum(finding.meaning)
    return _Matter.TUMOUR if is_tumour else _Matter.ELSEWHERE


def _fits(meant: Meant, matter: _Matter) -> bool:
    if meant.general:
        return matter is _Matter.TUMOUR
    if meant.variable is Variable.T_STAGE:
        return matter in (_Matter.TUMOUR, _Matter.OPEN)
    if meant.variable is Variable.N_STAGE:
        return matter is not _Matter.ELSEWHERE
    # What remains names the rectum or its surroundings by itself; of a lymph node it is another matter.
    return matter is not _Matter.NODE


def _is_of_another_time(context: Context, about: About) -> bool:
    """Whether the groups name the other time point, or refer to images of other studies only (a comparison)."""
    named = {TIME_POINT_TYPES.get(one.key) or time_point_in_words(one.meaning) for one in context.time_points}
    if named - {None} and about.time_point not in named:
        return True
    studies = {about.study_of[uid] for uid in context.images if uid in about.study_of}
    return bool(studies) and not studies & about.study_uids


def _millimetres(content: ContentItem) -> float:
    """Measured Value Sequence, PS3.3 C.18.1."""
    measured = item(content.dataset, "MeasuredValueSequence")
    if measured is None:
        why = coded(content.dataset, "NumericValueQualifierCodeSequence").meaning
        raise InputUnfit(Code.READER_REPORT_UNFIT, f"it has no value{f' ({why})' if why else ''}")
    value = number(measured, "NumericValue")
    if value is None:
        raise InputUnfit(Code.READER_REPORT_UNFIT, "its value is not a number")
    return in_millimetres(value, coded(measured, "MeasurementUnitsCodeSequence"))


def _category(variable: Variable, content: ContentItem) -> str:
    stated = coded(content.dataset, "ConceptCodeSequence")
    by_code, by_words = category_by_code(variable, stated), category_in_words(variable, stated.meaning)
    if by_code and by_words and by_code != by_words:
        raise InputUnfit(Code.READER_REPORT_UNFIT, f"its code {stated.value} says {by_code}, its words {by_words}")
    found = by_code or by_words
    if found not in CATEGORIES[variable]:
        raise InputUnfit(Code.READER_REPORT_UNFIT, f"{_stated(stated)} is none of {', '.join(CATEGORIES[variable])}")
    return found


def _stated(stated: Coded) -> str:
    return repr(stated.meaning or stated.value) if stated.meaning or stated.value else "an empty value"
