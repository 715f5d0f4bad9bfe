"""A case, scored: the one function that the node's worker and ``restage score`` both call."""

from __future__ import annotations

from pipelines.agreement import disagreements
from pipelines.case import load_case
from pipelines.contract import (
    Case,
    CaseFiles,
    Code,
    Findings,
    InputUnfit,
    Measurement,
    Models,
    Score,
    ScoringSystem,
    Statement,
    TimePoint,
)
from pipelines.inputs.input_cache import PLAIN, Preparation
from pipelines.masks.annotations import DEFAULT_ROI_PATTERN
from pipelines.masks.tumour_bed import read_in_bed
from pipelines.measure import measure, unmeasured

# Everything else that is stated is a refusal (something that was asked for and not given), unless it says of itself
# that it warns: the codes of pipelines.quality do both.
WARNINGS = {
    *(Code.SEVERAL_CANDIDATES, Code.MASK_RESAMPLED, Code.READER_MASK_USED),
    *(Code.READER_REPORT_UNFIT, Code.CLINICAL_CONFLICT, Code.TUMOUR_BED_USED),
    *(Code.B_VALUES_DIFFER, Code.OUT_OF_ENVELOPE, Code.SYSTEMS_DISAGREE),
}


def score_case(
    case_files: CaseFiles,
    models: Models,
    roi_pattern: str = DEFAULT_ROI_PATTERN,
    preparation: Preparation = PLAIN,
) -> Findings:
    """Load, mask, measure, and ask each system in its order; each InputUnfit of a part becomes a refusal.

    ``preparation``: how model inputs are made, and where they are kept from one scoring to the next.

    Raises InputUnfit where no exam can be used at all (for example NO_T2_AXIAL).
    """
    case, loading = load_case(case_files, models.segmenter, roi_pattern, preparation)
    measurements, measuring = _measurements(case)
    scores, scoring = _scores(case, models)
    statements = (*loading, *measuring, *scoring)
    return Findings(
        case=case,
        measurements=measurements,
        scores=scores,
        refusals=tuple(statement for statement in statements if not _warns(statement)),
        warnings=tuple(statement for statement in statements if _warns(statement)),
        parameters=_parameters(case, models),
    )


def _warns(statement: Statement) -> bool:
    return statement.warning or statement.code in WARNINGS


def _measurements(case: Case) -> tuple[tuple[Measurement, ...], tuple[Statement, ...]]:
    measurements: list[Measurement] = []
    statements: list[Statement] = []
    for time_point, exam in ((TimePoint.BASELINE, case.baseline), (TimePoint.RESTAGING, case.restaging)):
        if exam is not None:
            measurements.extend(measure(exam, time_point))
            statements.extend(unmeasured(exam, time_point))
    return tuple(measurements), tuple(statements)


def _scores(case: Case, models: Models) -> tuple[tuple[Score, ...], tuple[Statement, ...]]:
    scores: list[Score] = []
    statements: list[Statement] = []
    for system in models.systems:
        try:
            score = read_in_bed(system.score(case), case)
        except InputUnfit as unfit:
            statements.append(Statement(unfit.code, _name(system), unfit.reason))
            continue
        scores.append(score)
        if not score.envelope.inside:
            reason = "; ".join(score.envelope.reasons) or "unlike the cohort it was trained on"
            statements.append(Statement(Code.OUT_OF_ENVELOPE, _name(system), reason))
    return tuple(scores), (*statements, *disagreements(scores))


def _name(system: ScoringSystem) -> str:
    return f"{system.model.name} {system.model.version}"


def _parameters(case: Case, models: Models) -> tuple[tuple[str, str], ...]:
    parameters = [
        (f"{time_point} {name}", value)
        for time_point, exam in ((TimePoint.BASELINE, case.baseline), (TimePoint.RESTAGING, case.restaging))
        if exam is not None
        for name, value in exam.parameters
    ]
    if case.alignment is not None:
        parameters.append(("baseline and restaging", case.alignment.how))
    if models.segmenter is not None:
        model = models.segmenter.model
        parameters.append(("segmenter", f"{model.name} {model.version} {model.weights_digest[:12]}"))
    return (*parameters, *models.parameters)
