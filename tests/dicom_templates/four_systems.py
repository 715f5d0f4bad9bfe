"""Findings of all four systems, made by hand: response, metastasis with its curve and nomogram, recurrence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.agreement import disagreements
from pipelines.contract import (
    COMPLETE_RESPONSE,
    GOOD_RESPONSE,
    METASTASIS,
    RECURRENCE,
    Case,
    ClinicalVariable,
    Envelope,
    Exam,
    Explanation,
    Findings,
    Likelihood,
    MapKind,
    ModelIdentity,
    Nomogram,
    NomogramAxis,
    PredictionSet,
    ScalarMap,
    Score,
    SurvivalCurve,
    TimePoint,
    Variable,
)

RESTAGING_REPORT = "Leser^Lotte in 'MR rectum' of 2024-06-11, verified by Leser^Lotte"
BASELINE_REPORT = "Muster^Max in 'MR rectum' of 2024-03-05; coded in TID 1501"

EXPECTED = PredictionSet(0.9, event=True, no_event=False)
EXCLUDED = PredictionSet(0.9, event=False, no_event=True)
REFER = PredictionSet(0.9, event=True, no_event=True)


def with_four_systems(pair: Findings, model: ModelIdentity) -> Findings:
    """The pair with readers' reports and a score of every system; they agree."""
    baseline, restaging = pair.case.baseline, pair.case.restaging
    assert baseline is not None and restaging is not None
    case = Case(replace(baseline, clinical=_staged_before()), replace(restaging, clinical=_staged_after()))
    return replace(pair, case=case, scores=(*_prognosis(model, baseline), *_response(model, restaging)))


def with_disagreement(pair: Findings, model: ModelIdentity) -> Findings:
    """A network sees a complete response where the signature sees no good one."""
    findings = with_four_systems(pair, model)
    good, complete = _response(model, _restaging(findings))
    poor = replace(good, probability=0.162, lower=0.071, upper=0.248, category=Likelihood.LOW, possible=EXCLUDED)
    sure = replace(complete, probability=0.834, lower=0.722, upper=0.911, category=Likelihood.HIGH, possible=EXPECTED)
    scores = (poor, sure)
    return replace(findings, scores=scores, warnings=disagreements(scores))


def _restaging(findings: Findings) -> Exam:
    exam = findings.case.restaging
    assert exam is not None
    return exam


def _response(model: ModelIdentity, exam: Exam) -> tuple[Score, ...]:
    """Signature and network: both times, both in favour."""
    good = Score(
        model=model,
        outcome=GOOD_RESPONSE,
        probability=0.734,
        lower=0.612,
        upper=0.829,
        interval="95 % of 200 bootstrap resamples of the training cohort",
        category=Likelihood.HIGH,
        envelope=Envelope(True),
        inputs=(("post_DWI", 0.71), ("pre_T2", 0.33)),
        explanations=(Explanation(TimePoint.RESTAGING, "DWI", _saliency(exam), 0.643),),
        possible=EXPECTED,
    )
    complete = replace(
        good,
        model=replace(model, system="rp_net", name="rp_net_t2_dwi", version="1.1"),
        outcome=COMPLETE_RESPONSE,
        probability=0.412,
        lower=0.287,
        upper=0.556,
        interval="95 % of an ensemble of five networks",
        category=Likelihood.MODERATE,
        inputs=(),
        explanations=(),
        possible=REFER,
    )
    return good, complete


def _prognosis(model: ModelIdentity, exam: Exam) -> tuple[Score, ...]:
    """Nomogram and multitask network: the baseline alone, one with a curve to 48 months, one to 60."""
    metastasis = Score(
        model=replace(model, system="dlrs_nomogram", name="dlrs_nomogram_preoperative", version="1.0"),
        outcome=METASTASIS,
        probability=0.213,
        lower=0.121,
        upper=0.334,
        interval="95 % of 200 bootstrap resamples of the training cohort",
        category=Likelihood.MODERATE,
        envelope=Envelope(True),
        inputs=(("DL-prob", 0.83), ("cT", 3.0), ("CEA above 5", 1.0)),
        time_points=(TimePoint.BASELINE,),
        curve=SurvivalCurve(
            months=(6.0, 12.0, 18.0, 24.0, 36.0, 48.0),
            event_free=(0.981, 0.942, 0.905, 0.868, 0.787, 0.741),
            lower=(0.957, 0.901, 0.852, 0.794, 0.666, 0.601),
            upper=(0.994, 0.969, 0.944, 0.921, 0.879, 0.851),
            time_zero="the day of surgery",
        ),
        nomogram=_nomogram(),
        possible=REFER,
    )
    recurrence = replace(
        metastasis,
        model=replace(model, system="multi_rec_net", name="multi_rec_net_t2_adc", version="0.9"),
        outcome=RECURRENCE,
        probability=0.352,
        lower=0.201,
        upper=0.493,
        category=Likelihood.UNCERTAIN,
        envelope=Envelope(False, ("no b-value above 1000 s/mm², so no kurtosis",)),
        inputs=(),
        curve=SurvivalCurve(
            months=(12.0, 24.0, 36.0, 60.0),
            event_free=(0.903, 0.764, 0.648, 0.552),
            lower=(0.811, 0.640, 0.507, 0.401),
            upper=(0.962, 0.861, 0.799, 0.703),
            time_zero="the day of surgery",
        ),
        nomogram=None,
        explanations=(Explanation(TimePoint.BASELINE, "T2", _saliency(exam), 0.381),),
    )
    return metastasis, recurrence


def _nomogram() -> Nomogram:
    return Nomogram(
        axes=(
            NomogramAxis("DL-prob", tuple((f"{tick / 5:g}", 10.0 * tick) for tick in range(11)), "0.83", 41.5),
            NomogramAxis("cT", (("T2", 0.0), ("T3", 12.0), ("T4", 24.0)), "T3", 12.0),
            NomogramAxis("CEA", (("≤ 5 µg/L", 0.0), ("> 5 µg/L", 17.0)), "> 5 µg/L", 17.0),
        ),
        total=70.5,
        risk=((0.05, 30.0), (0.1, 48.0), (0.2, 68.0), (0.4, 96.0), (0.6, 118.0)),
    )


def _saliency(exam: Exam) -> ScalarMap:
    """A blob around the tumour of the exam."""
    assert exam.mask is not None
    centre = np.argwhere(exam.mask.array).mean(axis=0)
    index = np.indices(exam.t2.array.shape)
    offsets = (index - centre[:, None, None, None]) * np.array(exam.t2.spacing)[:, None, None, None]
    distance = (offsets**2).sum(axis=0)
    array = np.exp(-distance / (2 * 9.0**2)).astype(np.float32)
    return ScalarMap(MapKind.GRAD_CAM, exam.t2.like(array), np.ones(array.shape, dtype=bool), "last convolution")


def _staged_before() -> tuple[ClinicalVariable, ...]:
    return _reported(BASELINE_REPORT, "1.2.826.0.1.999.1.9", t="T3c", n="N2a", fascia=0.8, mrf="positive")


def _staged_after() -> tuple[ClinicalVariable, ...]:
    return _reported(RESTAGING_REPORT, "1.2.826.0.1.999.2.9", t="T2", n="N0", fascia=4.0, mrf="negative")


def _reported(origin: str, uid: str, *, t: str, n: str, fascia: float, mrf: str) -> tuple[ClinicalVariable, ...]:
    """In no particular order."""
    return (
        ClinicalVariable(Variable.N_STAGE, origin, category=n, source_sop_uid=uid),
        ClinicalVariable(Variable.CRM_DISTANCE, origin, millimetres=fascia, source_sop_uid=uid),
        ClinicalVariable(Variable.MRF_INVOLVEMENT, origin, category=mrf, source_sop_uid=uid),
        ClinicalVariable(Variable.EMVI, origin, category=mrf, source_sop_uid=uid),
        ClinicalVariable(Variable.T_STAGE, origin, category=t, source_sop_uid=uid),
        ClinicalVariable(Variable.ANAL_VERGE_DISTANCE, origin, millimetres=62.0, source_sop_uid=uid),
        ClinicalVariable(Variable.TUMOUR_LENGTH, origin, millimetres=38.5, source_sop_uid=uid),
        ClinicalVariable(Variable.WALL_THICKNESS, origin, millimetres=14.0, source_sop_uid=uid),
    )
