"""The clinical variables of an exam from its readers' reports: the newest report wins, a contradiction gives none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipelines.contract import ClinicalVariable, Code, ExamFiles, InputUnfit, Statement, Variable
from pipelines.reports.reader_report import ReaderReport, Reported, read_reader_report


def find_clinical_variables(exam: ExamFiles) -> tuple[tuple[ClinicalVariable, ...], tuple[Statement, ...]]:
    """At most one value per variable, in the order of :class:`Variable`, and what could not be used.

    Of several reports the newest says it; of equally new ones, a verified before a complete before a partial or
    preliminary one. An older report that says otherwise is named in the origin.

    Statements: READER_REPORT_UNFIT for each report with something that cannot be used, CLINICAL_CONFLICT where
    equally good items contradict each other: that variable then has no value.
    """
    subject = f"{exam.time_point} reader's report"
    reports, statements = _reports(exam, subject)
    variables = []
    for variable in Variable:
        ranked = [(report, _of(report, variable)) for report in reports if _of(report, variable)]
        if not ranked:
            continue
        best = [pair for pair in ranked if _age(pair[0]) == _age(ranked[0][0])]
        try:
            chosen = _agreed([one for _, values in best for one in values], [report.name for report, _ in best])
        except InputUnfit as conflict:
            statements.append(Statement(conflict.code, f"{exam.time_point} {variable}", conflict.reason))
            continue
        older = [pair for pair in ranked if _age(pair[0]) != _age(ranked[0][0])]
        variables.append(_with_dissent(chosen, older))
    return tuple(variables), tuple(statements)


def _reports(exam: ExamFiles, subject: str) -> tuple[list[ReaderReport], list[Statement]]:
    """Newest first."""
    reports: list[ReaderReport] = []
    statements: list[Statement] = []
    for path in sorted(exam.reports):
        try:
            report = read_reader_report(path, exam.study_uids, exam.time_point)
        except InputUnfit as unfit:
            statements.append(Statement(unfit.code, subject, unfit.reason))
            continue
        if report is not None:
            reports.append(report)
    for report in reports:
        if report.unfit:
            reason = f"{report.name}: {'; '.join(report.unfit)}"
            statements.append(Statement(Code.READER_REPORT_UNFIT, subject, reason))
    reports.sort(key=lambda report: (*_age(report), report.name), reverse=True)
    return reports, sorted(statements, key=lambda statement: statement.reason)


def _age(report: ReaderReport) -> tuple[str, int]:
    return report.when, report.standing


def _of(report: ReaderReport, variable: Variable) -> list[Reported]:
    """The values that the report gives a variable, those of its best concept only."""
    values = [one for one in report.values if one.said.variable is variable]
    best = min((one.said.rank for one in values), default=0)
    return [one for one in values if one.said.rank == best]


def _agreed(values: Sequence[Reported], names: Sequence[str]) -> Reported:
    """The one value that all of them give; T3b refines T3. Raises InputUnfit (CLINICAL_CONFLICT)."""
    finest = max(values, key=lambda one: (len(one.said.category), one.variable.source_sop_uid, one.variable.origin))
    if all(_agree(one, finest) for one in values):
        return finest
    said = sorted({one.said.value for one in values})
    where = " and ".join(sorted(set(names)))
    raise InputUnfit(Code.CLINICAL_CONFLICT, f"{where}: {' and '.join(said)} contradict each other; neither is used")


def _agree(one: Reported, finest: Reported) -> bool:
    coarse, fine = one.said, finest.said
    if coarse.millimetres is not None:
        return coarse.millimetres == fine.millimetres
    is_stage = fine.variable in (Variable.T_STAGE, Variable.N_STAGE)
    return coarse.category == fine.category or (is_stage and fine.category.startswith(coarse.category))


def _with_dissent(chosen: Reported, older: Sequence[tuple[ReaderReport, list[Reported]]]) -> ClinicalVariable:
    said = [
        f"{report.name} said {one.said.value}"
        for report, values in older
        for one in values
        if one.said.value != chosen.said.value
    ]
    if not said:
        return chosen.variable
    return replace(chosen.variable, origin=f"{chosen.variable.origin}; newer than {', '.join(dict.fromkeys(said))}")
