"""Who is judged, by what, and by which truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.evaluation.judged import Judged, together
from pipelines.phantom.probabilities import InformationSet, Outcome
from tests.pipelines.evaluation.made_predictions import judged_response, judged_survival, made_cohort


def test_patients_whom_their_owner_excludes_are_in_no_array() -> None:
    judged = judged_response(60)
    everybody, _ = made_cohort(60)
    kept = [patient.patient_id for patient in everybody if not patient.excluded]
    assert len(kept) < len(everybody)
    assert [patient.patient_id for patient in judged.patients] == kept
    assert len(judged.excluded) == len(everybody) - len(kept)
    assert judged.responded(Outcome.GOOD_RESPONSE).size == len(kept)


def test_the_truth_is_that_of_the_same_patient() -> None:
    judged = judged_response(60)
    everybody, truth = made_cohort(60)
    own = dict(
        zip(
            (p.patient_id for p in everybody),
            truth.probability(Outcome.GOOD_RESPONSE, InformationSet.PAIR),
            strict=True,
        )
    )
    true = judged.true(judged.of("FDL"))
    assert true is not None
    assert true.tolist() == [own[patient.patient_id] for patient in judged.patients]


def test_real_patients_have_no_truth() -> None:
    judged = judged_survival(60)
    real = Judged(judged.bundle, replace(judged.cohort, truth=None), judged.patients, judged.predicted)
    assert real.true(real.default) is None
    assert real.events(Outcome.METASTASIS) is None
    assert not real.cohort.simulated


def test_a_censored_patient_is_no_event_and_one_without_follow_up_is_not_judged() -> None:
    judged = judged_survival(60)
    first = replace(judged.patients[0], metastasis=None)
    changed = replace(judged, patients=(first, *judged.patients[1:]))
    months, event = changed.followed(Outcome.METASTASIS)
    assert np.isnan(months[0]) and not event[0]
    assert not changed.judgeable(changed.default)[0]
    for patient, seen in zip(judged.patients, judged.followed(Outcome.METASTASIS)[1], strict=True):
        assert patient.metastasis is not None and patient.metastasis.event == seen


def test_models_are_compared_on_the_patients_that_both_cover() -> None:
    judged = judged_response(60)
    default = judged.default
    lacking = default.probability.copy()
    lacking[:5] = np.nan
    rows = together(judged, (default, replace(default, probability=lacking)))
    assert not rows[:5].any()
    assert rows[5:].tolist() == judged.judgeable(default)[5:].tolist()


def test_the_training_cohort_is_known_by_its_digest() -> None:
    judged = judged_response(60)
    assert not judged.trained_on_it
    assert replace(judged, cohort=replace(judged.cohort, digest="0" * 64)).trained_on_it
