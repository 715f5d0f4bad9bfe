"""The codes chapter of the conformance statement, written from the tables that the code itself uses.

``python -m dicom_templates.conformance > deploy/conformance-codes.md`` writes it again.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.sr.coding import Code as Concept

from dicom_templates import codes

_USED: tuple[tuple[Concept, str], ...] = (
    (codes.TITLE_ONCOLOGY, "title of the report"),
    (codes.TITLE_IMAGING, "title of the report, as an option"),
    (codes.PROCEDURE, "procedure reported"),
    (codes.QUALITATIVE_EVALUATIONS, "container of limits of use, refusals, warnings, series used, parameters"),
    (codes.COMMENT, "the sentence in every group that says what its numbers are"),
    (codes.ABNORMAL, "category of the segment and of the finding"),
    (codes.NEOPLASM_PRIMARY, "type of the segment"),
    (codes.ADENOCARCINOMA, "finding"),
    (codes.RECTUM, "anatomic region of the segment, site of the finding"),
    (codes.FAMILY_AI, "algorithm family of models"),
    (codes.FAMILY_MANUAL, "algorithm family where a reader drew the outline"),
    *((concept, "measurement") for concept in codes.QUANTITIES.values()),
    *((concept, "unit") for concept in codes.UNITS.values()),
    *((concept, "time point type") for concept in codes.TIME_POINT_TYPES.values()),
)


def conformance_codes() -> str:
    """The chapter, Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Codes in Restage results"
    yield ""
    yield "Written by `python -m dicom_templates.conformance`; a test holds it to the code. Do not edit."
    yield ""
    yield "## Standard codes"
    yield ""
    yield "Codes that the templates TID 1500, 1411, 1501, 1502, 1600 and 4019 fix themselves are not repeated."
    yield ""
    yield "| code | scheme | meaning | where |"
    yield "|---|---|---|---|"
    for concept, where in _USED:
        yield f"| {concept.value} | {concept.scheme_designator} | {concept.meaning} | {where} |"
    yield ""
    yield f"## Private codes: {codes.SCHEME}"
    yield ""
    yield "Named in the Coding Scheme Identification Sequence of every report. A code is never reused or renamed."
    yield ""
    yield "| code | meaning | definition |"
    yield "|---|---|---|"
    for code in codes.private_codes():
        yield f"| {code.value} | {code.meaning} | {code.definition} |"
    yield ""
    yield "## Reasons of refusal and warning"
    yield ""
    yield "The word in the node's own output, and its code in the report."
    yield ""
    yield "| word | code | meaning |"
    yield "|---|---|---|"
    for word, code in codes.STATEMENTS.items():
        yield f"| {word} | {code.value} | {code.meaning} |"


if __name__ == "__main__":
    print(conformance_codes(), end="")
