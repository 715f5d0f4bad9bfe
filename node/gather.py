"""From stored studies to the files of an exam: what planning weighs and the worker scores is gathered the same way."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from node.clinical import values_of_study
from node.database import Database
from node.records import StoredObject
from node.store import Store
from pipelines.clinical.dated import with_record
from pipelines.clinical.phrase import written
from pipelines.contract import CaseFiles, ExamFiles, Role, SeriesRole, TimePoint
from pipelines.exam import ANNOTATION_CLASSES, OWN_MANUFACTURER, REPORT_CLASSES, assemble
from pipelines.headers.files import SeriesHeaders, read_series
from pipelines.masks.annotations import DEFAULT_ROI_PATTERN, is_meant
from pipelines.reports.clinical_variables import find_clinical_variables
from pipelines.roles import study_roles
from pipelines.roles.site_rules import SiteRule

SCORED_ROLES = (Role.T2_AXIAL, Role.DWI, Role.ADC, Role.CE_T1)


def classified(paths: Sequence[Path], rules: Sequence[SiteRule] = ()) -> tuple[tuple[SeriesHeaders, SeriesRole], ...]:
    """Every series among some files, with its role; ``rules`` are the site's own. Reads headers only."""
    return study_roles.classified(read_series(paths), rules)


def gather_case(
    database: Database,
    store: Store,
    baseline: tuple[str, ...],
    restaging: tuple[str, ...],
    rules: Sequence[SiteRule] = (),
) -> CaseFiles:
    """The files of a pair, and what is imported of its patient; either side may be empty.

    ``rules``: the site's own, for the roles of series.
    """
    with database.reading() as connection:
        before = _exam([store.objects_of(connection, (uid,)) for uid in baseline], TimePoint.BASELINE, rules)
        after = _exam([store.objects_of(connection, (uid,)) for uid in restaging], TimePoint.RESTAGING, rules)
        values = values_of_study(connection, next(iter((*restaging, *baseline)), ""))
    return with_record(CaseFiles(before, after), values)


def inputs_digest(case: CaseFiles, roi_pattern: str = DEFAULT_ROI_PATTERN) -> str:
    """SHA-256 over the *chosen inputs*: what changes a result, and nothing else. Reads headers and reports.

    Of annotations those count that a reader meant as the tumour (``roi_pattern``, as for the mask), usable or not; of
    reports the clinical variables that they give, with who said so; of imported values those that count for these
    exams, with their days, but not the file that they came with. A late localizer or presentation state, another
    organ, another program's segmentation or a report in prose leaves it as it was.
    """
    digest = hashlib.sha256()
    for exam in case.exams:
        digest.update(exam.time_point.encode())
        for role in SCORED_ROLES:
            if role in exam.chosen:
                digest.update(role.encode())
                _add(digest, exam.chosen[role].paths)
        _add(digest, [path for path in exam.annotations if is_meant(path, exam.study_uids, roi_pattern)])
        for variable in find_clinical_variables(exam)[0]:
            digest.update(repr(variable).encode())
    for item, value in case.record.values.items():
        digest.update(repr((str(item), written(value), str(case.record.dates.get(item)))).encode())
    return digest.hexdigest()


def _add(digest: hashlib._Hash, paths: Sequence[Path]) -> None:
    # A stored file's name is made of the digests of its SOP Instance UID and of its content.
    for name in sorted(path.name for path in paths):
        digest.update(name.encode())


def _exam(studies: Sequence[Sequence[StoredObject]], when: TimePoint, rules: Sequence[SiteRule]) -> ExamFiles | None:
    """One time point. The leading study's series are used; the others lend the roles that it lacks."""
    exams = [_study(objects, when, rules) for objects in studies]
    if not exams:
        return None
    leading, *others = exams
    for other in others:
        lent = {role: files for role, files in other.chosen.items() if role not in leading.chosen}
        notes = tuple(f"{role} is taken from study {other.study_uids[0]} of the same time point" for role in lent)
        leading = replace(
            leading,
            study_uids=leading.study_uids + other.study_uids,
            chosen={**leading.chosen, **lent},
            refused=leading.refused + other.refused,
            choices=leading.choices + notes,
            annotations=leading.annotations + other.annotations,
            reports=leading.reports + other.reports,
        )
    return leading


def _study(objects: Sequence[StoredObject], when: TimePoint, rules: Sequence[SiteRule]) -> ExamFiles:
    series = read_series([item.path for item in objects if item.sop_class_uid not in ANNOTATION_CLASSES])
    foreign = [item for item in objects if item.manufacturer.upper() != OWN_MANUFACTURER]
    return assemble(
        study_roles.classified(series, rules),
        when,
        annotations=tuple(item.path for item in foreign if item.sop_class_uid in ANNOTATION_CLASSES),
        reports=tuple(item.path for item in foreign if item.sop_class_uid in REPORT_CLASSES),
    )
