"""The codes chapter of the conformance statement, written from the tables that the code itself uses.

``python -m dicom_templates.conformance > deploy/conformance-codes.md`` writes it again.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.sr.coding import Code as Concept

from dicom_templates import codes


def _is_standard(concept: Concept) -> bool:
    return concept.scheme_designator != codes.SCHEME


_USED: tuple[tuple[Concept, str], ...] = (
    (codes.TITLE_ONCOLOGY, "title of the report"),
    (codes.TITLE_IMAGING, "title of the report, as an option"),
    (codes.PROCEDURE, "procedure reported"),
    (codes.SUMMARY, "the result in a few sentences, before all else in the report"),
    (codes.QUALITATIVE_EVALUATIONS, "container of disagreement, refusals, warnings, what was used, limits of use"),
    (codes.COMMENT, "the sentence that opens every group and says what its numbers are"),
    (codes.ABNORMAL, "category of the tumour's segment and of the finding"),
    (codes.NEOPLASM_PRIMARY, "type of the tumour's segment"),
    (codes.ANATOMICAL_STRUCTURE, "category of the segments of other structures"),
    *((concept, "type of a structure's segment") for concept in codes.STRUCTURES.values()),
    (codes.ADENOCARCINOMA, "finding"),
    (codes.RECTUM, "anatomic region of segments, site of findings"),
    (codes.FAMILY_AI, "algorithm family of models"),
    (codes.FAMILY_MANUAL, "algorithm family where a reader drew the outline"),
    *((concept, "measurement") for concept in codes.QUANTITIES.values()),
    *((concept, "unit") for concept in codes.UNITS.values()),
    *((concept, "time point type") for concept in codes.TIME_POINT_TYPES.values()),
    *((concept, "reported by a reader") for concept in codes.VARIABLES.values() if _is_standard(concept)),
    *((concept, "quantity of a parametric map") for concept in codes.MAP_QUANTITIES.values()),
    *((concept, "model of diffusion of a map") for concept in dict.fromkeys(codes.DIFFUSION_MODELS.values())),
    (codes.REJECTED, "title of a rejection note, with which a result is withdrawn"),
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
    yield (
        "Named in the Coding Scheme Identification Sequence of every object that uses them. A code is never reused or "
        "renamed."
    )
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
