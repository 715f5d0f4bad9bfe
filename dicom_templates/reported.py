"""What a reader reported of an exam, in words: staging in the order of a structured report of restaging."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dicom_templates import codes, wording
from dicom_templates.errors import TemplateError
from dicom_templates.figures import plain
from pipelines.contract import ClinicalVariable, Exam, Variable

#: Tumour, then wall (T), then fascia, veins and nodes.
ORDER: Final = (
    *(Variable.TUMOUR_LENGTH, Variable.ANAL_VERGE_DISTANCE, Variable.WALL_THICKNESS, Variable.T_STAGE),
    *(Variable.CRM_DISTANCE, Variable.MRF_INVOLVEMENT, Variable.EMVI, Variable.N_STAGE),
)
_LENGTHS: Final = {
    Variable.TUMOUR_LENGTH: "tumour length",
    Variable.ANAL_VERGE_DISTANCE: "distance from the anal verge",
    Variable.WALL_THICKNESS: "maximum wall thickness",
    Variable.CRM_DISTANCE: "shortest distance to the mesorectal fascia",
}


@dataclass(frozen=True)
class Reported:
    """What one reader's object reports of one exam, in reading order; each variable once.

    ``by``: who reported it, where and when, which is what their origins share: all before the first semicolon.
    """

    by: str
    source_sop_uid: str
    variables: tuple[ClinicalVariable, ...]


def reported_of(exam: Exam) -> tuple[Reported, ...]:
    """The reported variables of an exam, by who reported them. Raises TemplateError where one says a thing twice."""
    sources = dict.fromkeys(_source(one) for one in exam.clinical)
    return tuple(Reported(*source, tuple(_in_order(exam, source))) for source in sources)


def how_reported(one: ClinicalVariable) -> str:
    """What an origin says of this variable alone: how it was coded, or which older report says otherwise."""
    return one.origin.partition(";")[2].strip()


def variable_words(one: ClinicalVariable) -> str:
    """One reported value in words: "shortest distance to the mesorectal fascia 3 mm"."""
    if one.millimetres is not None:
        return f"{_LENGTHS[one.variable]} {plain(one.millimetres)} mm"
    meaning = codes.VARIABLE_CATEGORIES[one.variable, one.category].meaning
    return meaning if meaning[1:2] == " " else f"{meaning[0].lower()}{meaning[1:]}"  # "T stage" keeps its capital


def reported_sentences(exam: Exam, said: Reported) -> str:
    """All that one reader's object reports of one exam."""
    values = "; ".join(variable_words(one) for one in said.variables)
    return (
        f"{wording.exam_words(exam)}, as reported: {values}. Source: {wording.sentence(said.by)} Copied, not measured "
        "by this software."
    )


def _source(one: ClinicalVariable) -> tuple[str, str]:
    return one.origin.partition(";")[0].strip(), one.source_sop_uid


def _in_order(exam: Exam, source: tuple[str, str]) -> Iterator[ClinicalVariable]:
    mine = [one for one in exam.clinical if _source(one) == source]
    for variable in ORDER:
        found = [one for one in mine if one.variable is variable]
        if len(found) > 1:
            raise TemplateError(f"{source[0]} reports the {variable} of the {exam.files.time_point} exam twice")
        yield from found
