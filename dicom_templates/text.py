"""The report as text for a terminal: sections, aligned columns, 100 characters wide. Made from the SR alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset

from dicom_templates import codes, tree
from dicom_templates.figures import NAMES, ORDER, UNIT_WORDS, UNITS
from pipelines.contract import Code

WIDTH = 100
_LABEL = 34
_COLUMN = 16
_DETAILS = (
    *(codes.LIKELIHOOD, codes.ENVELOPE, codes.TRAINING, codes.EXAMS_USED, codes.INTERVAL, codes.TIME_ZERO),
    *(codes.INPUTS, codes.CLINICAL_USED, codes.NOMOGRAM, codes.CONTRIBUTIONS, codes.EXPLANATION),
    *(codes.COHORT, codes.WEIGHTS),
)


def report_text(sr: Dataset) -> str:
    """A readable rendering of a report built by :func:`dicom_templates.report.build_report`, in its order."""
    groups = [
        group for container in tree.children(sr, codes.IMAGING_MEASUREMENTS) for group in tree.children(container)
    ]
    reported = [group for group in groups if tree.child(group, codes.REPORTED_BY.concept) is not None]
    tumours = [group for group in groups if _is_tumour(group) and group not in reported]
    predictions = [group for group in groups if not _is_tumour(group)]
    evaluations = [item for box in tree.children(sr, codes.QUALITATIVE_EVALUATIONS) for item in tree.children(box)]
    against, stated, used, limits = _sort(evaluations)
    lines = [*_header(sr), "", *_wrapped(tree.value(tree.child(sr, codes.SUMMARY)))]
    lines += _section("TUMOUR", _table(tumours))
    lines += _section("REPORTED BY READERS", _reported(reported)) if reported else []
    lines += _section("PREDICTIONS", _predictions(predictions))
    lines += _section("THE SYSTEMS DISAGREE", _bullets(against)) if against else []
    lines += _section("REFUSED, AND WARNINGS", _bullets(stated) if stated else ["None."])
    lines += _section("WHAT WAS USED", _bullets(used))
    lines += _section("LIMITS OF USE", _bullets(limits))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _header(sr: Dataset) -> Iterator[str]:
    title = tree.name(sr)
    yield "=" * WIDTH
    yield f"{title}{'RESEARCH USE ONLY':>{WIDTH - len(title)}}"
    yield "=" * WIDTH
    issuer = f" ({sr.IssuerOfPatientID})" if sr.get("IssuerOfPatientID") else ""
    yield from _field(
        "Patient", f"{sr.PatientName}, ID {sr.PatientID}{issuer}, born {_date(sr.PatientBirthDate) or '?'}"
    )
    yield from _field("Study", " ".join(f"{_date(sr.StudyDate)} {sr.get('StudyDescription', '')}".split()))
    yield from _field("Series", f"{sr.SeriesNumber} {sr.SeriesDescription}")
    yield from _field("Status", f"{sr.CompletionFlag}, {sr.PreliminaryFlag}, {sr.VerificationFlag}")
    yield from _field(
        "Written", f"{_date(sr.ContentDate)} {_time(sr.ContentTime)} by {sr.Manufacturer}, station {sr.StationName}"
    )


def _table(tumours: list[Dataset]) -> Iterator[str]:
    """A row for each number, a column for each time point, and the change; then the sentences."""
    if not tumours:
        yield "No tumour outline, so no measurement."
        return
    ordered = sorted(tumours, key=lambda group: tree.value(tree.child(group, codes.SUBJECT_TIME_POINT)))
    names = [_when(group) for group in ordered]
    yield " " * _LABEL + "".join(f"{name:>{_COLUMN}}" for name in [*names, "Change, %"])
    for quantity in ORDER:
        cells = [_number(tree.child(group, codes.QUANTITIES[quantity])) for group in ordered]
        if any(cells):
            change = _number(tree.child(ordered[-1], codes.CHANGES[quantity].concept), "+.0f")
            label = f"{NAMES[quantity]}, {UNIT_WORDS[UNITS[quantity]]}"
            yield f"{label:<{_LABEL}}" + "".join(f"{cell or '-':>{_COLUMN}}" for cell in [*cells, change])
    for group in tumours:
        yield ""
        yield from _wrapped(tree.value(tree.child(group, codes.COMMENT)))


def _reported(groups: list[Dataset]) -> Iterator[str]:
    """Who reported what of which exam."""
    for number, group in enumerate(groups):
        yield from [""] if number else []
        yield from _wrapped(tree.value(tree.child(group, codes.COMMENT)))
        yield from _bullets(tree.value(item) for item in tree.children(group, codes.REPORTED_AS.concept))


def _predictions(groups: list[Dataset]) -> Iterator[str]:
    """Each prediction: its numbers, and what it was made of; a curve has shares alone."""
    if not groups:
        yield "None. Where one was asked for, the reason is below."
    for number, group in enumerate(groups):
        yield from [""] if number else []
        version = tree.value(tree.child(group, codes.ALGORITHM_VERSION))
        yield from _wrapped(f"{tree.value(tree.child(group, codes.TRACKING_IDENTIFIER))} (version {version})")
        coverage = tree.child(group, codes.SET_COVERAGE.concept)
        numbers = [item for item in tree.children(group) if item.ValueType == "NUM" and item is not coverage]
        for value, lower, upper in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
            label = (
                "Probability" if len(numbers) == 3 and tree.child(group, codes.LIKELIHOOD.concept) else tree.name(value)
            )
            yield from _field(label, f"{_number(value)} %   limits {_number(lower)} to {_number(upper)} %")
        if coverage is not None:
            possible = tree.value(tree.child(group, codes.POSSIBLE.concept))
            yield from _field(codes.POSSIBLE.meaning, f"{possible} ({_number(coverage)} %)")
        for wanted in _DETAILS:
            for item in tree.children(group, wanted.concept):
                yield from _field(wanted.meaning, tree.value(item))


def _sort(evaluations: Iterable[Dataset]) -> tuple[list[str], list[str], list[str], list[str]]:
    """Disagreement; refusals and warnings; what was used; limits of use."""
    disagreement = tree.key(codes.STATEMENTS[Code.SYSTEMS_DISAGREE].concept)
    statements = {tree.key(code.concept) for code in codes.STATEMENTS.values()}
    against: list[str] = []
    stated: list[str] = []
    used: list[str] = []
    limits: list[str] = []
    for item in evaluations:
        where = tree.concept(item)
        kind = against if where == disagreement else stated if where in statements else used
        (limits if where == tree.key(codes.LIMITS.concept) else kind).append(tree.value(item))
    return against, stated, used, limits


def _is_tumour(group: Dataset) -> bool:
    return tree.value(tree.child(group, codes.FINDING)) == codes.ADENOCARCINOMA.meaning


def _when(group: Dataset) -> str:
    """ "Restaging" of "Restaging 2024-06-10"."""
    return tree.value(tree.child(group, codes.TIME_POINT)).split(" ")[0]


def _number(item: Dataset | None, form: str = "") -> str:
    return "" if item is None else format(tree.number(item), form) if form else tree.digits(item)


def _date(value: object) -> str:
    """A DICOM date as ISO 8601; anything else unchanged."""
    text = str(value or "")
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text


def _time(value: object) -> str:
    """Hours and minutes of a DICOM time."""
    text = str(value or "")
    return f"{text[:2]}:{text[2:4]}" if len(text) >= 4 else text


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield ""
    yield f"{title} {'-' * (WIDTH - len(title) - 1)}"
    yield from lines


def _field(label: str, value: str) -> list[str]:
    if not value:
        return []
    return textwrap.wrap(value, WIDTH, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=" " * _LABEL)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH)


def _bullets(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ")
