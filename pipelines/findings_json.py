"""Findings as plain JSON values: everything but the images; two runs on the same files compare equal."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pipelines.contract import (
    ClinicalRecord,
    ClinicalVariable,
    Exam,
    Explanation,
    Findings,
    Mask,
    MaskArray,
    Measurement,
    ModelIdentity,
    Nomogram,
    PredictionSet,
    ScalarMap,
    Score,
    Statement,
    Structure,
    SurvivalCurve,
)


def findings_json(findings: Findings) -> dict[str, Any]:
    """Exams, clinical record, measurements, scores, refusals, warnings and parameters.

    A mask stands as voxel count and SHA-256, a map as what it is and where it has values.

    Numbers are rounded to nine significant digits, far below any difference that means something.
    """
    case = findings.case
    return {
        "exams": [_exam(exam) for exam in case.exams],
        "record": _record(case.record),
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
        "tumour_bed": None if exam.bed is None else _mask(exam.bed),
        "structures": [_structure(one) for one in exam.structures],
        "maps": [_map(one) for one in exam.maps],
        "clinical": [_variable(one) for one in exam.clinical],
    }


def _mask(mask: Mask) -> dict[str, Any]:
    return {
        "origin": str(mask.origin),
        "how": mask.how,
        "reader": mask.reader,
        "algorithm": mask.algorithm,
        "version": mask.version,
        "source_sop_uid": mask.source_sop_uid,
        **_voxels(mask.array),
    }


def _structure(structure: Structure) -> dict[str, Any]:
    return {
        "kind": str(structure.kind),
        "origin": str(structure.origin),
        "how": structure.how,
        "algorithm": structure.algorithm,
        "version": structure.version,
        **_voxels(structure.array),
    }


def _voxels(array: MaskArray) -> dict[str, Any]:
    return {
        "shape": list(array.shape),
        "voxels": int(np.count_nonzero(array)),
        "sha256": hashlib.sha256(np.packbits(array).tobytes()).hexdigest(),
    }


def _map(one: ScalarMap) -> dict[str, Any]:
    return {
        "kind": str(one.kind),
        "how": one.how,
        "model": None if one.model is None else _model(one.model),
        "shape": list(one.volume.array.shape),
        "valid": int(np.count_nonzero(one.valid)),
    }


def _variable(one: ClinicalVariable) -> dict[str, Any]:
    return {
        "variable": str(one.variable),
        "millimetres": None if one.millimetres is None else _number(one.millimetres),
        "category": one.category,
        "origin": one.origin,
        "source_sop_uid": one.source_sop_uid,
    }


def _record(record: ClinicalRecord) -> list[dict[str, Any]]:
    """What is known of the patient beside the images: numbers in the item's unit, words, and days as ISO text."""
    return [
        {
            "item": str(item),
            "value": _number(value) if isinstance(value, float) else str(value),
            "date": record.dates[item].isoformat() if item in record.dates else None,
            "origin": record.origins.get(item, ""),
        }
        for item, value in record.values.items()
    ]


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
        "clinical": list(score.clinical),
        "time_points": [str(time_point) for time_point in score.time_points],
        "curve": None if score.curve is None else _curve(score.curve),
        "nomogram": None if score.nomogram is None else _nomogram(score.nomogram),
        "explanations": [_explanation(one) for one in score.explanations],
        "contributions": [[one.name, one.value, _number(one.amount)] for one in score.contributions],
        "contribution_unit": score.contribution_unit,
        "possible": None if score.possible is None else _possible(score.possible),
    }


def _possible(one: PredictionSet) -> dict[str, Any]:
    return {
        "coverage": _number(one.coverage),
        "event": bool(one.event),
        "no_event": bool(one.no_event),
        "refer": bool(one.refer),
    }


def _curve(curve: SurvivalCurve) -> dict[str, Any]:
    return {
        "months": [_number(one) for one in curve.months],
        "event_free": [_number(one) for one in curve.event_free],
        "lower": [_number(one) for one in curve.lower],
        "upper": [_number(one) for one in curve.upper],
        "time_zero": curve.time_zero,
    }


def _nomogram(nomogram: Nomogram) -> dict[str, Any]:
    return {
        "axes": [
            {
                "name": axis.name,
                "ticks": [[label, _number(points)] for label, points in axis.ticks],
                "value": axis.value,
                "points": _number(axis.points),
            }
            for axis in nomogram.axes
        ],
        "total": _number(nomogram.total),
        "risk": [[_number(probability), _number(points)] for probability, points in nomogram.risk],
    }


def _explanation(one: Explanation) -> dict[str, Any]:
    return {
        "time_point": str(one.time_point),
        "sequence": one.sequence,
        "map": _map(one.saliency),
        "inside_share": _number(one.inside_share),
        "raised": bool(one.raised),
        "area_share": None if one.area_share is None else _number(one.area_share),
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
