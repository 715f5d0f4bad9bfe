"""Findings as plain JSON values: everything but the images; two runs on the same files compare equal."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pipelines.contract import Exam, Findings, Mask, Measurement, ModelIdentity, Score, Statement


def findings_json(findings: Findings) -> dict[str, Any]:
    """Exams, measurements, scores, refusals, warnings and parameters; a mask as voxel count and SHA-256.

    Numbers are rounded to nine significant digits, far below any difference that means something.
    """
    case = findings.case
    return {
        "exams": [_exam(exam) for exam in case.exams],
        "measurements": [_measurement(one) for one in findings.measurements],
        "scores": [_score(one) for one in findings.scores],
        "refusals": [_statement(one) for one in findings.refusals],
        "warnings": [_statement(one) for one in findings.warnings],
        "parameters": [list(pair) for pair in findings.parameters],
    }


def _exam(exam: Exam) -> dict[str, Any]:
    files = exam.files
    return {
        "time_point": str(files.time_point),
        "study_uids": list(files.study_uids),
        "study_date": files.study_date.isoformat(),
        "patient_id": files.patient.patient_id,
        "series": [series.role.as_json() for series in files.chosen.values()],
        "refused": [role.as_json() for role in files.refused],
        "choices": list(files.choices),
        "adc": None if exam.adc is None else {"b_values": list(exam.adc.b_values), "fit": exam.adc.fit},
        "mask": None if exam.mask is None else _mask(exam.mask),
    }


def _mask(mask: Mask) -> dict[str, Any]:
    return {
        "origin": str(mask.origin),
        "how": mask.how,
        "reader": mask.reader,
        "algorithm": mask.algorithm,
        "version": mask.version,
        "source_sop_uid": mask.source_sop_uid,
        "shape": list(mask.array.shape),
        "voxels": int(np.count_nonzero(mask.array)),
        "sha256": hashlib.sha256(np.packbits(mask.array).tobytes()).hexdigest(),
    }


def _measurement(one: Measurement) -> dict[str, Any]:
    return {
        "quantity": str(one.quantity),
        "time_point": str(one.time_point),
        "value": _number(one.value),
        "unit": one.unit,
        "origin": str(one.origin),
        "how": one.how,
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "model": _model(score.model),
        "outcome": score.outcome,
        "probability": _number(score.probability),
        "lower": _number(score.lower),
        "upper": _number(score.upper),
        "interval": score.interval,
        "category": str(score.category),
        "inside_envelope": score.envelope.inside,
        "envelope_reasons": list(score.envelope.reasons),
        "inputs": [[name, _number(value)] for name, value in score.inputs],
    }


def _model(model: ModelIdentity) -> dict[str, Any]:
    return {
        "system": model.system,
        "name": model.name,
        "version": model.version,
        "weights_digest": model.weights_digest,
        "cohort": model.cohort,
        "cohort_digest": model.cohort_digest,
        "phantom_trained": model.phantom_trained,
    }


def _statement(statement: Statement) -> dict[str, str]:
    return {"code": str(statement.code), "subject": statement.subject, "reason": statement.reason}


def _number(value: float) -> float:
    return float(f"{value:.9g}")
