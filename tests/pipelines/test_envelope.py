from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pipelines.bundle import UNRECORDED
from pipelines.contract import ClinicalRecord, Envelope, Exam, Item, TimePoint
from pipelines.envelope import check_case, check_exam, check_history, exam_facts, fit_envelope, image_statistics
from pipelines.features import measured_features
from tests.pipelines.made_up_exam import made_up_exam, plain_inputs


def facts_of(exam: Exam) -> dict[str, float]:
    assert exam.mask is not None
    inputs = plain_inputs(exam)
    return exam_facts(inputs, measured_features(inputs, exam.mask.array))


@pytest.fixture(scope="module")
def cohort() -> list[dict[str, float]]:
    rng = np.random.default_rng(0)
    return [
        facts_of(made_up_exam(adc=float(rng.normal(1.0, 0.1)), radius=float(rng.normal(14, 2)), seed=seed))
        for seed in range(30)
    ]


def test_the_training_cohort_lies_inside(cohort) -> None:
    envelope = fit_envelope(cohort)
    assert [check_exam(envelope, facts, "exam") for facts in cohort] == [()] * len(cohort)


def test_an_unseen_exam_of_the_same_kind_lies_inside(cohort) -> None:
    envelope = json.loads(json.dumps(fit_envelope(cohort)))
    exams = {TimePoint.BASELINE: facts_of(made_up_exam(seed=99)), TimePoint.RESTAGING: facts_of(made_up_exam(seed=98))}
    assert check_case(envelope, exams).inside


def test_another_field_of_view_is_named_with_its_range(cohort) -> None:
    exam = made_up_exam(seed=5)
    affine = exam.t2.affine.copy()
    affine[:3, 1:3] *= 1.5
    wide = replace(exam, t2=replace(exam.t2, affine=affine))
    reasons = check_exam(fit_envelope(cohort), exam_facts(plain_inputs(wide)), "baseline exam")
    assert "baseline exam: T2 field of view 162 mm is not the 108 mm of the training cohort" in reasons
    assert "baseline exam: T2 pixel spacing 2.25 mm is not the 1.5 mm of the training cohort" in reasons


def test_other_b_values_are_named(cohort) -> None:
    reasons = check_exam(fit_envelope(cohort), facts_of(made_up_exam(b_values=(50.0, 400.0, 800.0))), "exam")
    assert "exam: highest b-value 800 s/mm² is not the 1000 s/mm² of the training cohort" in reasons


def test_an_unusual_appearance_is_named_by_what_is_most_unusual(cohort) -> None:
    facts = facts_of(made_up_exam(adc=2.6, seed=7))
    reasons = check_exam(fit_envelope(cohort), facts, "exam")
    assert len(reasons) == 1
    assert "adc mean" in reasons[0]
    assert "Mahalanobis" in reasons[0]


def test_without_a_mask_only_the_images_are_compared(cohort) -> None:
    exam = made_up_exam(seed=3)
    facts = exam_facts(plain_inputs(exam))
    assert check_exam(fit_envelope(cohort, of_mask=False), facts, "exam") == ()
    assert "cannot be compared" in check_exam(fit_envelope(cohort), facts, "exam")[0]


def test_image_statistics_do_not_depend_on_gain() -> None:
    t2 = made_up_exam().t2
    assert image_statistics("t2", t2.like(t2.array * 7)) == pytest.approx(image_statistics("t2", t2), rel=1e-4)


def test_an_empty_image_has_statistics_and_raises_nothing() -> None:
    t2 = made_up_exam().t2
    assert set(image_statistics("t2", t2.like(np.zeros_like(t2.array))).values()) == {0.0}


@pytest.mark.parametrize(
    ("known", "reasons"),
    [
        ({}, ()),
        ({Item.THERAPY: "chemotherapy", Item.HISTOLOGY: "adenocarcinoma"}, ()),
        (
            {Item.THERAPY: "total neoadjuvant therapy", Item.HISTOLOGY: "mucinous adenocarcinoma"},
            ("therapy total neoadjuvant therapy: the training cohort had chemotherapy or radiotherapy",),
        ),
    ],
)
def test_a_therapy_that_no_training_patient_had_is_outside(known: dict[Item, str], reasons: tuple[str, ...]) -> None:
    training = {
        "therapies": {"chemotherapy": 3, "radiotherapy": 1, UNRECORDED: 2},
        "histologies": {UNRECORDED: 6},
    }
    found = check_history(Envelope(inside=True, reasons=()), ClinicalRecord({**known}), training)
    assert (found.inside, found.reasons) == (not reasons, reasons)
    before = check_history(Envelope(inside=False, reasons=("odd",)), ClinicalRecord({**known}), training)
    assert before.reasons == ("odd", *reasons)
