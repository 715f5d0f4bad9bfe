"""What was in training is told, and so is what was not."""

from __future__ import annotations

from dataclasses import replace

from pipelines.bundle import CALIBRATION
from pipelines.contract import ClinicalRecord, Item
from pipelines.evaluation.report.learnt import learnt_from, never_seen
from tests.pipelines.evaluation.made_predictions import judged_response
from tests.pipelines.made_up_manifest import manifest


def test_hospitals_therapies_and_histologies_are_told_with_their_patients() -> None:
    training = {"sites": ["A", "B"], "therapies": {"chemotherapy": 30, "unknown": 2}}
    assert learnt_from(manifest(training=training)) == (
        ("Hospitals learnt from", "A and B"),
        ("Therapies learnt from", "chemotherapy (30) and not recorded (2)"),
        ("Histologies learnt from", "not recorded"),
    )


def test_a_therapy_that_training_never_saw_is_counted() -> None:
    judged = judged_response(60)
    strange = ClinicalRecord({Item.THERAPY: "short-course radiotherapy"})
    patients = tuple(replace(p, record=strange) if at < 3 else p for at, p in enumerate(judged.patients))
    described = replace(
        judged.bundle.manifest, training={"therapies": {"chemotherapy": 1, "chemoradiotherapy": 1, "unknown": 4}}
    )
    changed = replace(judged, patients=patients, bundle=replace(judged.bundle, manifest=described))
    assert never_seen(changed) == "therapy short-course radiotherapy (3 patients)"
    assert never_seen(replace(changed, patients=judged.patients)) == ""
    assert never_seen(replace(changed, bundle=judged.bundle)) == ""  # its manifest lists no therapies


def test_patients_of_a_calibration_are_told_first() -> None:
    calibrated = {"cohort": "simulated cohort, 566 patients", "cohort_digest": "9" * 64}
    first, *rest = learnt_from(manifest(training={"sites": ["A"], CALIBRATION: calibrated}))
    assert first == ("Calibrated on", f"simulated cohort, 566 patients; cohort digest {'9' * 16}…")
    assert tuple(rest) == learnt_from(manifest(training={"sites": ["A"]}))
