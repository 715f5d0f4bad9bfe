"""The report as text for a terminal: sections, aligned columns, 100 characters wide. Made from the SR alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset

from dicom_templates import codes, tree
from dicom_templates.figures import NAMES, UNIT_WORDS, UNITS
from pipelines.contract import Quantity

WIDTH = 100
_LABEL = 34
_COLUMN = 16


def report_text(sr: Dataset) -> str:
    """A readable rendering of a report built by :func:`dicom_templates.report.build_report`."""
    groups = [
        group for container in tree.children(sr, codes.IMAGING_MEASUREMENTS) for group in tree.children(container)
    ]
    tumours = [group for group in groups if _is_tumour(group)]
    predictions = [group for group in groups if not _is_tumour(group)]
    evaluations = [item for box in tree.children(sr, codes.QUALITATIVE_EVALUATIONS) for item in tree.children(box)]
    limits, stated, rest = _sort(evaluations)
    lines = [*_header(sr), *_section("LIMITS OF USE", _bullets(limits))]
    lines += _section("TUMOUR", _table(tumours))
    lines += _section("PREDICTIONS", _predictions(predictions))
    lines += _section("REFUSED, AND WARNINGS", _bullets(stated) if stated else ["None."])
    lines += _section("WHAT WAS USED", _bullets(rest))
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
    names = [tree.value(tree.child(group, codes.TIME_POINT)).split(" ")[0] for group in ordered]
    yield " " * _LABEL + "".join(f"{name:>{_COLUMN}}" for name in [*names, "Change, %"])
    for quantity in Quantity:
        cells = [_number(tree.child(group, codes.QUANTITIES[quantity])) for group in ordered]
        if any(cells):
            change = _number(tree.child(ordered[-1], codes.CHANGES[quantity].concept), "+.1f")
            label = f"{NAMES[quantity]}, {UNIT_WORDS[UNITS[quantity]]}"
            yield f"{label:<{_LABEL}}" + "".join(f"{cell or '-':>{_COLUMN}}" for cell in [*cells, change])
    yield ""
    for group in ordered:
        yield from _wrapped(tree.value(tree.child(group, codes.COMMENT)))


def _predictions(groups: list[Dataset]) -> Iterator[str]:
    if not groups:
        yield "None. Where one was asked for, the reason is below."
    for group in groups:
        numbers = [item for item in tree.children(group) if item.ValueType == "NUM"]
        probability, lower, upper = (_number(item) for item in numbers[:3])
        yield from _field(tree.name(numbers[0]), f"{probability} %   limits {lower} to {upper} %")
        for wanted in (codes.LIKELIHOOD, codes.ENVELOPE, codes.TRAINING, codes.INTERVAL, codes.COHORT, codes.WEIGHTS):
            yield from _field(wanted.meaning, tree.value(tree.child(group, wanted.concept)))
        yield from _field("Inputs", tree.value(tree.child(group, codes.INPUTS.concept)))
        yield ""
        yield from _wrapped(tree.value(tree.child(group, codes.COMMENT)))


def _sort(evaluations: Iterable[Dataset]) -> tuple[list[str], list[str], list[str]]:
    """Limits of use; refusals and warnings; the rest."""
    statements = {tree.key(code.concept) for code in codes.STATEMENTS.values()}
    limits: list[str] = []
    stated: list[str] = []
    rest: list[str] = []
    for item in evaluations:
        where = tree.concept(item)
        kind = limits if where == tree.key(codes.LIMITS.concept) else stated if where in statements else rest
        kind.append(tree.value(item))
    return limits, stated, rest


def _is_tumour(group: Dataset) -> bool:
    return tree.value(tree.child(group, codes.FINDING)) == codes.ADENOCARCINOMA.meaning


def _number(item: Dataset | None, form: str = "g") -> str:
    return "" if item is None else format(tree.number(item), form)


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
