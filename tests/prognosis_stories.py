"""Hand-made findings of systems 1 and 4: a baseline alone, a pair, and a pair whose tumour nobody outlines any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipelines.contract import (
    GOOD_RESPONSE,
    METASTASIS,
    Alignment,
    Case,
    ClinicalRecord,
    Code,
    Exam,
    Findings,
    Item,
    Likelihood,
    Nomogram,
    NomogramAxis,
    Score,
    Statement,
    SurvivalCurve,
)
from pipelines.masks.tumour_bed import read_in_bed, tumour_bed
from pipelines.measure import measure
from tests.summary_stories import score

RECORD = ClinicalRecord(
    values={Item.CT_STAGE: "cT3b", Item.CEA: 7.2, Item.EMVI_BASELINE: "positive", Item.MWT_RESTAGING: 9.5},
    origins={
        Item.CT_STAGE: "clinical T stage cT3b, reported by Dr. Leser in 'MR rectum' of 2024-03-05; coded in TID 1501",
        Item.CEA: "CEA 7.2 ng/mL, imported 2026-03-02",
        Item.EMVI_BASELINE: "EMVI at baseline positive, reported by Dr. Leser in 'MR rectum' of 2024-03-05",
        Item.MWT_RESTAGING: "maximum wall thickness at restaging 9.5 mm, imported 2026-06-18",
    },
)


def prognosis_stories(baseline: Exam, restaging: Exam) -> Mapping[str, Findings]:
    """By name. The exams have tumour masks."""
    return {"baseline": baseline_alone(baseline), "pair": pair(baseline, restaging), "bed": bed(baseline, restaging)}


def baseline_alone(baseline: Exam) -> Findings:
    """Before therapy: the risk of metastasis, and why no response is predicted."""
    refused = Statement(
        Code.NO_RESTAGING, "restage-signature-svm 0.2.0", "response needs the exam after therapy as well"
    )
    case = Case(baseline, None, record=RECORD)
    return Findings(case, measure(baseline, baseline.files.time_point), (metastasis(),), refusals=(refused,))


def pair(baseline: Exam, restaging: Exam) -> Findings:
    """Both systems."""
    case = Case(baseline, restaging, record=RECORD)
    measured = tuple(one for exam in case.exams for one in measure(exam, exam.files.time_point))
    return Findings(case, measured, (response(), metastasis()))


def bed(baseline: Exam, restaging: Exam) -> Findings:
    """A complete responder: no tumour is outlined after therapy, so the response was read where it had been."""
    assert baseline.mask is not None
    how = "baseline placed on the restaging exam by a rigid transform: turned by 1.2 degrees"
    alignment = Alignment(np.eye(4), True, 3.0, how)
    after = replace(restaging, mask=None)
    after = replace(after, bed=tumour_bed(baseline, baseline.mask, after, alignment))
    case = Case(baseline, after, alignment, RECORD)
    assert after.bed is not None
    used = f"no tumour is outlined in this exam; scores read it in the {after.bed.how}. Nothing is measured in it"
    scores = tuple(read_in_bed(one, case) for one in (response(), metastasis()))
    outside = [
        Statement(Code.OUT_OF_ENVELOPE, one.model.name, "; ".join(one.envelope.reasons))
        for one in scores
        if not one.envelope.inside
    ]
    return Findings(
        case,
        measure(baseline, baseline.files.time_point),
        scores,
        refusals=(
            Statement(
                Code.NO_TUMOUR_FOUND,
                "restaging mask",
                "no reader's mask; restage-segmenter: the segmenter found no tumour of at least 0.8 cm³ on the "
                "restaging exam (largest region 0.00 cm³); outline it by hand (SEG or RTSTRUCT) if there is one",
            ),
        ),
        warnings=(Statement(Code.TUMOUR_BED_USED, "restaging tumour mask", used), *outside),
    )


def response() -> Score:
    made = score(GOOD_RESPONSE, (58, 71, 83), Likelihood.HIGH)
    return replace(made, clinical=RECORD.told((Item.MWT_RESTAGING, Item.CRM_RESTAGING)))


def metastasis() -> Score:
    """As system 4 gives it: a curve to 36 months, and the nomogram that it was read from."""
    made = score(METASTASIS, (9, 18, 31), Likelihood.LOW)
    axes = (
        NomogramAxis("DL-prob", tuple((f"{tick / 5:g}", 10.0 * tick) for tick in range(11)), "0.62", 31.0),
        NomogramAxis("cT", (("1", 0.0), ("2", 9.0), ("3", 18.0), ("4", 27.0)), "3", 18.0),
        NomogramAxis("CEA > 5 ng/mL", (("no", 0.0), ("yes", 17.0)), "yes", 17.0),
        NomogramAxis("EMVI", (("no", 0.0), ("yes", 14.0)), "yes", 14.0),
    )
    months = (6.0, 12.0, 24.0, 36.0)
    return replace(
        made,
        model=replace(made.model, name=f"{made.model.name} nomogram"),
        inputs=(("T2W probability", 0.29), ("ADC probability", 0.33), ("DL-prob", 0.62), ("tumour volume (cm³)", 18.4)),
        curve=SurvivalCurve(
            months, (0.98, 0.95, 0.88, 0.82), (0.96, 0.91, 0.80, 0.69), (0.99, 0.98, 0.94, 0.91), "the day of surgery"
        ),
        nomogram=Nomogram(axes, 80.0, ((0.05, 22.0), (0.1, 51.0), (0.2, 84.0), (0.4, 121.0), (0.6, 150.0))),
        clinical=RECORD.told((Item.CT_STAGE, Item.CEA, Item.EMVI_BASELINE)),
    )
