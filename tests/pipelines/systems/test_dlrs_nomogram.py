from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dicom_templates.survival import event_free
from pipelines.bundle import Bundle
from pipelines.contract import (
    METASTASIS,
    Case,
    ClinicalRecord,
    Code,
    Envelope,
    Exam,
    InputUnfit,
    Item,
    Likelihood,
    Mask,
    MaskOrigin,
    TimePoint,
)
from pipelines.systems.conformal import prediction_set
from pipelines.systems.dlrs_exam import DlrsExam, dlrs_exam
from pipelines.systems.dlrs_inputs import Modality
from pipelines.systems.dlrs_nomogram import HORIZON, DlrsNomogram, category, event_probability
from pipelines.training.dlrs_nomogram import train_prepared
from pipelines.training.settings import silent
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs
from tests.pipelines.made_up_metastasis import (
    QUICK,
    QUICK_DLRS,
    RULE,
    made_up_cohort,
    made_up_patients,
    ready,
    record,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    patients = made_up_patients()
    out = tmp_path_factory.mktemp("bundles") / "dlrs_nomogram"
    return train_prepared(made_up_cohort(patients), patients, out, (QUICK, QUICK_DLRS), silent)


@pytest.fixture(scope="module")
def system(bundle: Bundle) -> DlrsNomogram:
    return DlrsNomogram(bundle, torch.device("cpu"))


@pytest.fixture(scope="module")
def exam() -> Exam:
    return ready(made_up_exam(adc=0.94, radius=12.0, seed=501, ce_t1=False))


def refusal(system: DlrsNomogram, case: Case) -> InputUnfit:
    with pytest.raises(InputUnfit) as caught:
        system.score(case)
    return caught.value


def test_a_baseline_alone_gets_a_prognosis_with_curve_and_nomogram(
    system: DlrsNomogram, bundle: Bundle, exam: Exam
) -> None:
    score = system.score(Case(exam, None, record=record(ypn="")))
    assert score.outcome == METASTASIS
    assert score.time_points == (TimePoint.BASELINE,)
    assert 0.0 < score.lower < score.probability < score.upper < 1.0
    assert score.model.name == "restage-dlrs-nomogram nomogram"
    assert score.model.weights_digest == bundle.weights_digest
    assert score.envelope.inside, score.envelope.reasons
    assert score.possible == prediction_set(score.probability, bundle.manifest.thresholds["nomogram"])
    assert score.curve is not None and "surgery" in score.curve.time_zero and "censored" in score.curve.time_zero
    assert [one.horizon.months for one in event_free(score)][:2] == [12, 24]
    assert score.nomogram is not None
    assert [axis.name for axis in score.nomogram.axes] == ["DL-prob", "measured score", "cT stage", "CEA", "EMVI"]


def test_pathology_selects_the_postoperative_model(system: DlrsNomogram, exam: Exam) -> None:
    names = [system.score(Case(exam, None, record=record(ypn=ypn))).model.name for ypn in ("", "ypN1")]
    assert names == ["restage-dlrs-nomogram nomogram", "restage-dlrs-nomogram nomogram_postoperative"]


def test_positive_nodes_and_a_larger_tumour_raise_the_risk(system: DlrsNomogram, exam: Exam) -> None:
    risks = [system.score(Case(exam, None, record=record(ypn=f"ypN{n}"))).probability for n in (0, 1, 2)]
    assert risks == sorted(risks) and risks[2] > risks[0] + 0.1
    small = ready(made_up_exam(adc=0.9, radius=10.0, seed=502, ce_t1=False))
    assert system.score(Case(small, None, record=record())).probability < risks[0]


def test_nothing_is_filled_in_for_what_the_record_lacks(system: DlrsNomogram, exam: Exam) -> None:
    score = system.score(Case(exam, None, record=record(cea=None, emvi="", ypn="")))
    assert score.model.name.endswith(" nomogram_ct")
    assert "cea" not in dict(score.inputs)
    assert system.score(Case(exam, None)).model.name.endswith(" DLRS_measured")


def test_dl_prob_is_the_sum_of_both_modalities_and_the_volume_stands_beside_it(
    system: DlrsNomogram, exam: Exam
) -> None:
    inputs = dict(system.score(Case(exam, None)).inputs)
    assert inputs["DL-prob"] == pytest.approx(inputs["T2-prob"] + inputs["ADC-prob"])
    assert 0.0 < inputs["T2-prob"] < 1.0
    expected = mask_of(exam).sum() * exam.t2.voxel_mm3 / 1000.0
    assert inputs["tumour volume (cm³)"] == pytest.approx(expected)


def test_the_score_is_what_the_stored_cox_model_says_of_its_inputs(system: DlrsNomogram, exam: Exam) -> None:
    score = system.score(Case(exam, None, record=record()))
    model = system.cox["nomogram_postoperative"]
    inputs = dict(score.inputs)
    shown = {"dl_prob": "DL-prob", "measured": "measured score (log hazard)"}
    row = np.array([[inputs[shown.get(name, name)] for name in model.names]])
    assert 1.0 - model.event_free(row, (HORIZON,))[0, 0] == pytest.approx(score.probability)


def test_what_cannot_be_scored_is_refused_with_its_reason(system: DlrsNomogram, exam: Exam) -> None:
    restaging = ready(made_up_exam(TimePoint.RESTAGING, ce_t1=False))
    assert refusal(system, Case(None, restaging)).code is Code.NO_BASELINE
    assert refusal(system, Case(replace(exam, mask=None), None)).code is Code.NO_MASK
    empty = Mask(np.zeros_like(mask_of(exam)), MaskOrigin.READER, "nothing")
    assert refusal(system, Case(replace(exam, mask=empty), None)).code is Code.NO_MASK
    bare = ready(replace(exam, dwi={}, inputs=None))
    assert refusal(system, Case(bare, None)).code is Code.NO_DIFFUSION
    other = ClinicalRecord({Item.HISTOLOGY: "squamous cell carcinoma"})
    assert refusal(system, Case(exam, None, record=other)).code is Code.OUTSIDE_INTENDED_USE


def test_a_tumour_too_small_to_measure_in_is_scored_by_the_papers_models(system: DlrsNomogram, exam: Exam) -> None:
    tiny = np.zeros_like(mask_of(exam))
    tiny[5, 36, 38] = True
    case = Case(replace(exam, mask=Mask(tiny, MaskOrigin.READER, "one voxel")), None, record=record(ypn=""))
    score = system.score(case)
    assert score.model.name.endswith(" nomogram_published")
    assert score.category is Likelihood.UNCERTAIN
    assert score.possible is not None and score.possible.refer


def test_a_batch_of_one_gives_what_a_batch_of_eight_gives(system: DlrsNomogram, exam: Exam) -> None:
    one = dlrs_exam(plain_inputs(exam), mask_of(exam), RULE)
    rng = np.random.default_rng(0)
    eight = [
        DlrsExam(
            {m: (box + 0.1 * rng.standard_normal(box.shape)).astype(np.float16) for m, box in one.boxes.items()},
            one.features,
            one.volume_cm3,
            one.facts,
            0,
        )
        for _ in range(8)
    ]
    for modality in Modality:
        together = system.probabilities(eight, modality)
        alone = np.concatenate([system.probabilities([each], modality) for each in eight], axis=1)
        assert together.shape == (QUICK_DLRS.folds, 8)
        assert alone == pytest.approx(together, abs=1e-6)


def test_a_network_output_is_a_log_hazard_with_its_baseline_or_a_logit() -> None:
    output = np.array([-0.5, 0.0, 1.0])
    assert event_probability(output, 0.2) == pytest.approx(1.0 - np.exp(-0.2 * np.exp(output)))
    assert event_probability(output, None) == pytest.approx(torch.sigmoid(torch.tensor(output)).numpy())


def test_the_category_follows_the_cut_off_and_the_envelope() -> None:
    inside = Envelope(inside=True)
    assert category(0.3, 0.3, inside) is Likelihood.HIGH
    assert category(0.29, 0.3, inside) is Likelihood.LOW
    assert category(0.9, 0.3, Envelope(False, ("other scanner",))) is Likelihood.UNCERTAIN


def test_what_moved_the_risk_is_told_in_words_with_the_measured_features_one_by_one(
    system: DlrsNomogram, exam: Exam
) -> None:
    score = system.score(Case(exam, None, record=record(ypn="ypN1")))
    assert score.contribution_unit == "log hazard"
    told = {one.name: one.value for one in score.contributions}
    assert told["pathological N stage"] == "ypN1"
    assert {"tumour volume at baseline", "clinical T stage", "CEA"} <= told.keys()
    assert not any("measured" in name or "_" in name for name in told)
    model = system.cox[score.model.name.rpartition(" ")[2]]
    means = dict(zip(model.names, model.centre, strict=True)) | {"measured": 0.0}
    inputs = dict(score.inputs)
    shown = {"dl_prob": "DL-prob", "measured": "measured score (log hazard)"}
    row = np.array([[inputs[shown.get(name, name)] for name in model.names]])
    apart = model.log_hazard(row)[0] - model.log_hazard(np.array([[means[name] for name in model.names]]))[0]
    assert sum(one.amount for one in score.contributions) == pytest.approx(apart)


def test_both_modalities_say_where_their_networks_looked(system: DlrsNomogram, exam: Exam) -> None:
    score = system.score(Case(exam, None, record=record()))
    assert [one.sequence for one in score.explanations] == ["T2", "ADC"]
    for one in score.explanations:
        assert one.time_point is TimePoint.BASELINE
        assert 0.0 <= one.inside_share <= 1.0
        assert one.saliency.valid.any(axis=(1, 2)).sum() > 1
