"""Hand-made findings of several systems for one pair of exams, each a story that the summary page must tell well.

The exams are given: the tiny ones of the tests, or a phantom patient's for the documentation. Measurements are taken
in their masks; probabilities are invented, so that every story is there whatever the shipped models say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from scipy.ndimage import binary_dilation

from dicom_templates.identity import ResultIdentity
from pipelines.agreement import disagreements
from pipelines.contract import (
    COMPLETE_RESPONSE,
    GOOD_RESPONSE,
    METASTASIS,
    RECURRENCE,
    Case,
    ClinicalVariable,
    Code,
    Contribution,
    Envelope,
    Exam,
    Explanation,
    Findings,
    Likelihood,
    MapKind,
    Mask,
    MaskOrigin,
    Measurement,
    ModelIdentity,
    Nomogram,
    NomogramAxis,
    PredictionSet,
    ScalarMap,
    Score,
    Statement,
    SurvivalCurve,
    TimePoint,
    Variable,
)
from pipelines.measure import measure

REASON = (
    "The baseline exam is of another patient of the same name: its images were filed under the wrong ID and have been "
    "moved."
)
_LIMITS = (
    "Research only. Not a diagnosis and not checked on patients unless the training cohort says so. Not for mucinous "
    "or signet-ring tumours, nor for other treatments than the cohort's."
)
_USES = {
    "signature_svm": "Probability of good response to neoadjuvant therapy, from MRI before and after it.",
    "rp_net": "Probability of complete response to neoadjuvant therapy, from MRI before and after it.",
    "multi_rec_net": "Risk of recurrence or death after surgery, from MRI before therapy.",
    "dlrs_nomogram": "Risk of distant metastasis after surgery, from MRI before therapy and clinical variables.",
    "tumour_segmenter": "Tumour outline on axial T2, as a proposal.",
}
_SYSTEMS = {
    GOOD_RESPONSE: "signature_svm",
    COMPLETE_RESPONSE: "rp_net",
    RECURRENCE: "multi_rec_net",
    METASTASIS: "dlrs_nomogram",
}
_INPUTS = (
    *(("pre_t2", 0.412), ("post_t2", 0.688), ("delta_t2", -0.276)),
    *(("pre_dwi", 0.377), ("post_dwi", 0.734), ("delta_dwi", -0.357)),
    *(("adc_change", 0.31), ("volume_ratio", 0.29)),
)

_MOVED = {
    GOOD_RESPONSE: (
        ("tumour volume at restaging", "5.8 cm³", 0.61),
        ("network: DWI at restaging", "73 %", 0.48),
        ("mean ADC at restaging (b ≤ 1000)", "1081 ×10⁻⁶ mm²/s", 0.33),
        ("maximum wall thickness at restaging", "9.5 mm", -0.21),
        ("network: T2 at baseline", "41 %", 0.17),
        ("dark share of the tumour on T2 at restaging", "31 %", 0.12),
        ("CEA", "4.2 ng/mL", 0.08),
        ("EMVI at restaging", "negative", 0.05),
    ),
    COMPLETE_RESPONSE: (
        ("network: T2 of both exams", "71 %", 0.55),
        ("network: DWI of both exams", "64 %", 0.39),
        ("change of tumour volume", "−63 %", 0.24),
        ("CA 19-9", "18 U/mL", -0.09),
        ("CEA", "4.2 ng/mL", 0.07),
    ),
    METASTASIS: (
        ("networks: T2 and ADC map", "mean 62 %", 0.71),
        ("median ADC at baseline (b ≤ 1000)", "700 ×10⁻⁶ mm²/s", -0.34),
        ("clinical T stage", "cT3", 0.12),
        ("CEA", "not raised (≤ 5 ng/mL)", -0.11),
    ),
    RECURRENCE: (
        ("network: risk", "1.5 × average", 0.82),
        ("tumour volume at baseline", "15.7 cm³", 0.19),
    ),
}
_LOW = {
    "network: DWI at restaging": "19 %",
    "network: T2 of both exams": "12 %",
    "network: DWI of both exams": "15 %",
    "networks: T2 and ADC map": "mean 9 %",
    "network: risk": "0.6 × average",
}


def identity(version: int = 1) -> ResultIdentity:
    """Who made the story's result; a later version a day later."""
    return ResultIdentity(
        pair_key="stories",
        version=version,
        created=datetime(2024, 6, 11 + version, 9, 30, tzinfo=UTC),
        device_uid="2.25.314159265358979",
        station="RESTAGE",
        software_version="0.2.0",
    )


def stories(baseline: Exam, restaging: Exam) -> Mapping[str, Findings]:
    """Agreement, disagreement, referral to a reader, refusal and re-score, by name. The exams have tumour masks."""
    case = Case(_by_model(_reported(baseline, "2022-07-19")), _by_model(restaging))
    agreeing = (
        score(GOOD_RESPONSE, (66, 81, 90), Likelihood.HIGH),
        score(COMPLETE_RESPONSE, (52, 67, 79), Likelihood.HIGH),
        score(METASTASIS, (4, 9, 17), Likelihood.LOW),
        score(RECURRENCE, (7, 13, 22), Likelihood.LOW),
    )
    contradicting = (
        score(GOOD_RESPONSE, (11, 19, 31), Likelihood.LOW),
        score(COMPLETE_RESPONSE, (68, 84, 92), Likelihood.HIGH),
        score(METASTASIS, (14, 27, 41), Likelihood.MODERATE),
        score(RECURRENCE, (31, 46, 60), Likelihood.HIGH),
    )
    referring = (
        score(GOOD_RESPONSE, (38, 52, 67), Likelihood.MODERATE),
        score(COMPLETE_RESPONSE, (3, 8, 17), Likelihood.LOW),
        score(METASTASIS, (6, 13, 22), Likelihood.LOW),
        # Above the cut-off of training, and not so high that its limits rule anything out.
        replace(score(RECURRENCE, (24, 39, 56), Likelihood.HIGH), possible=possible(Likelihood.MODERATE)),
    )
    return {
        "agreement": _scored(case, agreeing),
        "disagreement": _scored(case, contradicting),
        "refer": _scored(case, referring),
        "refusal": refusal(baseline, restaging),
        "rescore": rescore(case),
    }


def refusal(baseline: Exam, restaging: Exam) -> Findings:
    """No tumour outline, and no diffusion at baseline: nothing to score, nothing to measure."""
    no_outline = "neither a reader nor a model outlined the tumour"
    return Findings(
        Case(replace(baseline, mask=None, adc=None, dwi={}), replace(restaging, mask=None)),
        refusals=(
            Statement(Code.SLICE_MISSING, "baseline DWI", "slice 11 of 24 is missing at b 800; send the series again"),
            Statement(
                Code.NO_TUMOUR_FOUND,
                "baseline tumour mask",
                "restage-tumour-segmenter found no tumour on the axial T2; outline it, send the SEG or RTSTRUCT, and "
                "the pair is scored again",
            ),
            Statement(
                Code.INPUTS_MISSING,
                "restage-signature-svm 0.2.0",
                "model t2_dwi lacks baseline exam: diffusion-weighted images",
            ),
            Statement(Code.NO_MASK, "restage-rp-net 0.2.0", no_outline),
            Statement(Code.NO_MASK, "restage-multi-rec-net 0.2.0", no_outline),
        ),
        warnings=(Statement(Code.SEVERAL_CANDIDATES, "restaging series", "axial T2: the finer one of two was used"),),
    )


def rescore(case: Case) -> Findings:
    """What version 2 says: a reader's outline took the place of the model's at restaging."""
    assert case.restaging is not None
    redrawn = Case(case.baseline, _by_reader(case.restaging))
    used = Statement(
        Code.READER_MASK_USED,
        "restaging tumour mask",
        "SEG 'GTV restaging' of Dr. Leser, 2024-06-12, took the place of the model's outline",
    )
    return Findings(
        redrawn,
        _measured(redrawn),
        (score(GOOD_RESPONSE, (29, 44, 58), Likelihood.MODERATE),),
        warnings=(used,),
    )


def model(system: str) -> ModelIdentity:
    """A phantom-trained model of a system."""
    return ModelIdentity(
        system=system,
        name=f"restage-{system.replace('_', '-')}",
        version="0.2.0",
        weights_digest=hashlib.sha256(system.encode()).hexdigest(),
        cohort="simulated cohort (restage phantom), 240 patients, 3 sites",
        cohort_digest="cc102b2f1f86" * 5,
        phantom_trained=True,
        intended_use=_USES[system],
        limits=_LIMITS,
    )


def score(outcome: str, percents: tuple[float, float, float], category: Likelihood) -> Score:
    """A score of the outcome's own system; ``percents``: lower limit, probability, upper limit."""
    lower, probability, upper = (value / 100 for value in percents)
    return Score(
        model=model(_SYSTEMS[outcome]),
        outcome=outcome,
        probability=probability,
        lower=lower,
        upper=upper,
        interval="90 % of 80 bootstrap refits of the final stage",
        category=category,
        envelope=Envelope(True),
        possible=possible(category),
        inputs=_INPUTS if outcome == GOOD_RESPONSE else (),
        contributions=_moved(outcome, 1.0 if probability > 0.4 else -1.0),
        contribution_unit="log odds" if outcome in (GOOD_RESPONSE, COMPLETE_RESPONSE) else "log hazard",
        time_points=tuple(TimePoint) if outcome in (GOOD_RESPONSE, COMPLETE_RESPONSE) else (TimePoint.BASELINE,),
    )


def _moved(outcome: str, direction: float) -> tuple[Contribution, ...]:
    """``direction``: 1 for a number above the average, −1 for one below it."""
    low = _LOW if direction < 0 else {}
    return tuple(Contribution(name, low.get(name, value), direction * by) for name, value, by in _MOVED[outcome])


def possible(category: Likelihood) -> PredictionSet:
    """What a category by conformal limits leaves possible."""
    return PredictionSet(0.9, event=category is not Likelihood.LOW, no_event=category is not Likelihood.HIGH)


def _scored(case: Case, scores: tuple[Score, Score, Score, Score]) -> Findings:
    """The scores with what each system draws: saliency for the network, a nomogram, a curve; and what contradicts."""
    good, complete, metastasis, recurrence = scores
    looked = tuple(_looked_at(exam, 6.0 + 2.0 * number) for number, exam in enumerate(case.exams))
    drawn = (
        good,
        replace(complete, explanations=looked),
        replace(metastasis, nomogram=_nomogram(metastasis.probability)),
        replace(recurrence, curve=_curve(1 - recurrence.probability)),
    )
    return Findings(case, _measured(case), drawn, warnings=disagreements(drawn))


def _curve(event_free_at_36: float) -> SurvivalCurve:
    """A curve with a constant hazard, its limits wider with time."""
    months = tuple(float(month) for month in range(0, 61, 3))
    hazard = np.array([-np.log(event_free_at_36) / 36 * month for month in months])
    spread = np.array([0.6 * np.sqrt(month / 60) for month in months])
    shares = (np.exp(-hazard * np.exp(sign * spread)) for sign in (0, 1, -1))
    return SurvivalCurve(months, *(tuple(map(float, share)) for share in shares), "the day of surgery")


def _nomogram(risk: float) -> Nomogram:
    """Three axes whose points are those of a made-up Cox regression, 0.03 log hazard per point."""
    deep = 0.4 + 2 * risk
    axes = (
        NomogramAxis("DL-prob", tuple((f"{v:g}", v * 50) for v in (0, 0.5, 1, 1.5, 2)), f"{deep:.2f}", deep * 50),
        NomogramAxis("cT", (("T2", 0.0), ("T3", 18.0), ("T4", 37.0)), "T3", 18.0),
        NomogramAxis("CEA", (("≤ 5 µg/l", 0.0), ("> 5 µg/l", 21.0)), "4.2 µg/l", 0.0),
    )
    total = sum(axis.points for axis in axes)
    offset = np.log(-np.log(1 - risk)) - 0.03 * total
    risks = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
    return Nomogram(axes, total, tuple((one, float((np.log(-np.log(1 - one)) - offset) / 0.03)) for one in risks))


def _looked_at(exam: Exam, spread_mm: float) -> Explanation:
    """A smooth map over the tumour that spills out of it."""
    assert exam.mask is not None
    centre = np.argwhere(exam.mask.array).mean(axis=0) + np.array([0.0, 2.0, 4.0])
    offsets = (np.indices(exam.t2.array.shape) - centre[:, None, None, None]).transpose(1, 2, 3, 0) * exam.t2.spacing
    heat = np.exp(-(offsets**2).sum(axis=-1) / (2 * spread_mm**2)).astype(np.float32)
    share = float(heat[exam.mask.array].sum() / heat.sum())
    how = "Grad-CAM of the last convolution, axial T2"
    saliency = ScalarMap(MapKind.GRAD_CAM, exam.t2.like(heat), np.ones(heat.shape, dtype=bool), how, model("rp_net"))
    return Explanation(exam.files.time_point, "T2", saliency, share)


def _measured(case: Case) -> tuple[Measurement, ...]:
    return tuple(one for exam in case.exams for one in measure(exam, exam.files.time_point))


def _by_model(exam: Exam) -> Exam:
    """The exam with its mask as a segmenter's."""
    assert exam.mask is not None
    made = model("tumour_segmenter")
    return replace(
        exam,
        mask=Mask(
            exam.mask.array,
            MaskOrigin.MODEL,
            "The largest region above 0.5.",
            algorithm=made.name,
            version=made.version,
            model=made,
        ),
    )


def _by_reader(exam: Exam) -> Exam:
    """The exam with a reader's mask, which takes in a rim that the model left out."""
    assert exam.mask is not None
    rim = np.zeros((1, 3, 3), dtype=bool)
    rim[0, 1, :] = rim[0, :, 1] = True
    wider = binary_dilation(exam.mask.array, rim, iterations=2)
    how = "SEG 'GTV restaging' of 2024-06-12, on the T2 grid already."
    return replace(exam, mask=Mask(wider, MaskOrigin.READER, how, reader="Dr. Leser"))


def _reported(exam: Exam, day: str) -> Exam:
    """The exam with what a reader's report says of it."""
    origin = f"Dr. Leser in 'MR rectum' of {day}; coded in TID 1501"
    variables = (
        ClinicalVariable(Variable.T_STAGE, origin, category="T3b"),
        ClinicalVariable(Variable.N_STAGE, origin, category="N1"),
        ClinicalVariable(Variable.EMVI, origin, category="positive"),
        ClinicalVariable(Variable.MRF_INVOLVEMENT, origin, category="negative"),
        ClinicalVariable(Variable.CRM_DISTANCE, origin, millimetres=3.5),
        ClinicalVariable(Variable.WALL_THICKNESS, origin, millimetres=11.0),
    )
    return replace(exam, clinical=variables)
