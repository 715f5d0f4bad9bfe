from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.bundle import Bundle
from pipelines.cohort.read import CohortError
from pipelines.contract import COMPLETE_RESPONSE, TimePoint
from pipelines.systems.networks.rp_net import RpNetSize
from pipelines.systems.rp_net import RpNetResponse
from pipelines.training import rp_net as module
from pipelines.training.rp_net import train_prepared, train_rp_net
from pipelines.training.rp_settings import RpSettings
from pipelines.training.settings import silent
from tests.pipelines.made_up_response import COUNT, QUICK, TOLD, made_up_cohort, made_up_patients, with_outcomes

ONE_EPOCH = replace(QUICK, recipe=replace(QUICK.recipe, epochs=1))
PAPER = replace(
    ONE_EPOCH,
    size=RpNetSize(base=2, depth=4, change_channels=2, shared=False),
    rule=replace(QUICK.rule, margin=(0, 0)),
    foreground=True,
    views=1,
    feature_weight=0.0,
    oversampling=5,
)


def trained(out: Path, settings: RpSettings = ONE_EPOCH, seed: int = TOLD.seed, **changes) -> Bundle:  # type: ignore[no-untyped-def]  # the patients
    patients = changes.pop("patients", made_up_patients())
    return train_prepared(made_up_cohort(patients), patients, out, (replace(TOLD, seed=seed), settings), silent)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return trained(tmp_path_factory.mktemp("bundles") / "plain")


def test_the_same_seed_gives_the_same_bundle_and_leaves_nothing_beside_it(plain: Bundle, tmp_path: Path) -> None:
    torch.rand(7)  # what ran before must not matter
    again = trained(tmp_path / "a")
    assert plain.weights_digest == again.weights_digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_the_manifest_says_what_was_learnt_from_whom(plain: Bundle) -> None:
    m = plain.manifest
    assert m.outcome == COMPLETE_RESPONSE
    assert m.training["therapies"] == {"chemoradiotherapy": COUNT}
    assert m.training["complete_responses"] == COUNT // 2
    assert m.training["tumour_beds"] == {"restaging": 3}
    assert m.cohort == f"simulated cohort (restage phantom), {COUNT} patients, 2 sites"
    assert {"T2", "DWI", "CE-T1", "fused t2_dwi", "fused_markers_measured ce_t1_t2_dwi"} <= set(m.metrics)
    assert set(m.thresholds["fused t2_dwi"]) == {"low", "high", "coverage", "youden"}
    assert set(m.training["own_outlines"]) == {"t2", "dwi", "ce_t1"}
    assert set(m.training["curves"]) == {f"{s} {fold}" for s in ("t2", "dwi", "ce_t1") for fold in (0, 1)}
    assert len(m.training["folds_sha256"]) == 64


def test_an_unusable_patient_is_left_out_and_named_and_other_seeds_give_other_bundles(
    plain: Bundle, tmp_path: Path
) -> None:
    patients = made_up_patients()
    gone = replace(patients[3], exams={}, refusal="restaging: NO_MASK: nothing drawn")
    bundle = trained(tmp_path / "a", seed=4, patients=(*patients[:3], gone, *patients[4:]))
    assert bundle.manifest.training["left_out"] == ["P03: restaging: NO_MASK: nothing drawn"]
    assert bundle.manifest.training["patients"] == COUNT - 1
    assert bundle.weights_digest != plain.weights_digest


def test_the_papers_way_trains_two_branches_on_the_foreground_and_its_bundle_reads_exams(tmp_path: Path) -> None:
    patients = made_up_patients(PAPER)
    bundle = trained(tmp_path / "a", PAPER, patients=patients)
    assert bundle.manifest.preprocessing["foreground"]
    system = RpNetResponse(bundle, torch.device("cpu"))
    assert system.cut.foreground
    read = system.read([one.exams for one in patients[:2]])
    assert all(np.isfinite(said.logits).all() for said in read.values())
    assert all(len(network.branches) == 2 for networks in system.networks.values() for network in networks)


def test_too_few_of_an_outcome_is_a_fault_of_the_cohort_with_its_column(tmp_path: Path) -> None:
    patients = with_outcomes(made_up_patients(), [index < 4 for index in range(COUNT)])
    with pytest.raises(CohortError, match="column 'complete_response': 4 usable patients have 1, 10 are needed"):
        trained(tmp_path / "a", patients=patients)
    assert not (tmp_path / "a").exists()


def test_a_cohort_that_does_not_suit_is_refused_before_any_exam_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = made_up_cohort(made_up_patients())
    lacking = replace(cohort.patients[0], exams={TimePoint.BASELINE: Path("nowhere")}, complete_response=None)
    monkeypatch.setattr(module, "prepare", None)  # would fail if it were called
    with pytest.raises(CohortError, match=r"row 2, column 'complete_response': is empty"):
        train_rp_net(replace(cohort, patients=(lacking, *cohort.patients[1:])), tmp_path / "a", TOLD, silent)
