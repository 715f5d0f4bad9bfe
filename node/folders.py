"""`restage score` and `restage classify`: the node's own scoring and classification, from folders, without a PACS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from matplotlib.image import imsave
from pydicom.uid import generate_uid

from dicom_templates.encode import write_part10
from dicom_templates.identity import ResultIdentity
from dicom_templates.kinds import Item, Kind, Result, named
from dicom_templates.profile import DEFAULT_ITEMS, Rendering
from dicom_templates.results import build_results
from dicom_templates.text import report_text
from node.clinical_file import read_table
from pipelines.clinical.dated import DatedValue, with_record
from pipelines.contract import CaseFiles, Code, Findings, InputUnfit, Models, Patient, TimePoint
from pipelines.exam import exam_files, patient_conflict
from pipelines.findings_json import findings_json
from pipelines.roles.site_rules import SiteRule
from pipelines.score import score_case


@dataclass(frozen=True)
class FolderScore:
    """What scoring two folders gave: the findings as plain data, and the report as text."""

    findings: dict[str, Any]
    report: str


@dataclass(frozen=True)
class Wanted:
    """Where the results go, and which objects are made."""

    out: Path
    items: frozenset[Item] = DEFAULT_ITEMS


@dataclass(frozen=True)
class Reading:
    """What a site says of its images: the names of tumour outlines, and its own rules for the roles of series.

    ``clinical``: a table of clinical values, of which the patient's are used.
    """

    roi_pattern: str
    rules: tuple[SiteRule, ...] = ()
    clinical: Path | None = None


def score_folders(
    baseline: Path | None, restaging: Path | None, wanted: Wanted, models: Models, reading: Reading
) -> FolderScore:
    """Score the exams in two folders; write the objects, ``findings.json``, ``report.txt`` and ``summary.png``.

    Raises InputUnfit where the folders are not the two exams of one patient in that order, or cannot be read.
    """
    case = CaseFiles(
        baseline=None if baseline is None else exam_files(baseline, TimePoint.BASELINE, reading.rules),
        restaging=None if restaging is None else exam_files(restaging, TimePoint.RESTAGING, reading.rules),
    )
    _refuse_two_patients(case)
    if reading.clinical is not None:
        case = with_record(case, _values_of(case.patient, reading.clinical))
    findings = score_case(case, models, reading.roi_pattern)
    results = build_results(findings, _identity(case, wanted), wanted.items)
    return _write(findings, results, wanted.out)


def _refuse_two_patients(case: CaseFiles) -> None:
    before, after = case.baseline, case.restaging
    if before is None or after is None:
        return
    if conflict := patient_conflict(before.patient, after.patient):
        raise InputUnfit(Code.PATIENTS_DIFFER, f"the folders are of two patients: {conflict}")
    if after.study_date <= before.study_date:
        reason = f"the restaging exam ({after.study_date}) is not after the baseline ({before.study_date})"
        raise InputUnfit(Code.INPUTS_MISSING, reason)


def _values_of(patient: Patient, table: Path) -> tuple[DatedValue, ...]:
    """The patient's values in a table; raises InputUnfit where it cannot be used, or has none of this patient."""
    found = [
        one.dated
        for one in read_table(table, datetime.now(UTC).date())
        if one.patient_id == patient.patient_id and one.issuer in ("", patient.issuer)
    ]
    if not found:
        reason = f"{table.name} has no value of patient {patient.patient_id!r}, whose exams these are"
        raise InputUnfit(Code.CLINICAL_UNFIT, reason)
    return tuple(found)


def _identity(case: CaseFiles, wanted: Wanted) -> ResultIdentity:
    return ResultIdentity(
        pair_key="|".join([case.patient.issuer, case.patient.patient_id, *(exam.study_uids[0] for exam in case.exams)]),
        version=1,
        created=datetime.now(UTC),
        device_uid=str(generate_uid(prefix=None)),
        station="RESTAGE",
        software_version=version("restage"),
        rendering=Rendering(with_segmentations=Item.SEG in wanted.items),
    )


def _write(findings: Findings, results: tuple[Result, ...], out: Path) -> FolderScore:
    out.mkdir(parents=True, exist_ok=True)
    plain = findings_json(findings)
    (out / "findings.json").write_text(json.dumps(plain, indent=1, sort_keys=True), encoding="utf-8")
    report = ""
    for name, result in named(results):
        write_part10(result.dataset, out / f"{name}.dcm")
        if result.kind is Kind.REPORT:
            report = report_text(result.dataset)
            (out / "report.txt").write_text(report, encoding="utf-8")
        if result.kind is Kind.SUMMARY:
            imsave(out / "summary.png", result.dataset.pixel_array)
        if result.kind is Kind.PDF:
            (out / "summary.pdf").write_bytes(result.dataset.EncapsulatedDocument)
    return FolderScore(plain, report)
