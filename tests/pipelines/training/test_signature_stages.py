from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from pipelines.phantom.probabilities import InformationSet
from pipelines.systems.final_stage import Grid
from pipelines.systems.signature_clinical import CLINICAL
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_models import MEASURED, Variant, signatures_of, variants
from pipelines.systems.signature_table import Table
from pipelines.training import signature_stages
from pipelines.training.signature_stages import Learning, columns_of, fit_stages, youden

COUNT, VIEWS = 120, 2
NAMES = (*signatures_of(tuple(Sequence), delta=True), *MEASURED, *CLINICAL)
FDL = Variant("FDL", "t2_dwi", (Sequence.T2, Sequence.DWI), signatures_of((Sequence.T2, Sequence.DWI)))
CRD = Variant("CRD", "t2_dwi", FDL.sequences, (*FDL.columns, "post_adc_mean"), clinical=True)
CR = Variant("CR", "", (), (), clinical=True)


def learning(seed: int = 0) -> Learning:
    """The signature of DWI after therapy, the ADC after therapy and the wall thickness tell; one in ten lacks CE-T1."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(COUNT, 1, len(NAMES))) + 0.1 * rng.normal(size=(COUNT, VIEWS, len(NAMES)))
    signal = sum(values[:, 0, NAMES.index(name)] for name in ("post_dwi", "post_adc_mean", "mwt_restaging_mm"))
    labels = np.asarray(signal + rng.normal(0, 0.8, COUNT) > 0)
    values[:12, :, [i for i, name in enumerate(NAMES) if name.endswith("ce_t1")]] = np.nan
    values[:20, :, NAMES.index("mwt_restaging_mm")] = np.nan
    folds = np.arange(COUNT) % 3
    true = {shown: np.where(labels, 0.8, 0.2) for shown in (InformationSet.PAIR, InformationSet.PAIR_CLINICAL)}
    return Learning(Table(NAMES, values), labels, folds, 1, 2, true, Grid((3.0,), (0.1,)))


@pytest.fixture(scope="module")
def given() -> Learning:
    return learning()


def test_each_model_is_fitted_on_the_patients_who_have_its_inputs(given: Learning) -> None:
    found = fit_stages(given, variants(MEASURED))
    assert "mwt_restaging_mm" in found.selection.names
    assert found.metrics["FDL ce_t1_t2_dwi"]["patients"] == COUNT - 12
    assert found.metrics["FDL t2_dwi"]["patients"] == COUNT
    assert set(found.stages) == {variant.key for variant in variants(MEASURED)}
    _, origin = found.stages["FDL ce_t1_t2_dwi"]
    assert origin.min() == 12 * VIEWS


def test_figures_are_out_of_fold_and_find_what_is_planted(given: Learning) -> None:
    metrics = fit_stages(given, (FDL, CRD, CR)).metrics
    assert 0.6 < metrics["FDL t2_dwi"]["auc"] < metrics["CRD t2_dwi"]["auc"]
    assert metrics["CRD t2_dwi"]["expected_auc"] > 0.5
    assert "disturbed_masks" in metrics["FDL t2_dwi"]


def test_clinical_selection_is_made_anew_in_every_fold(given: Learning, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []

    def recorded(table: Table, labels: NDArray[np.bool_], rows: NDArray[np.intp]):  # type: ignore[no-untyped-def]
        seen.append(set(rows.tolist()))
        return original(table, labels, rows)

    original = signature_stages.select
    monkeypatch.setattr(signature_stages, "select", recorded)
    fit_stages(given, (CR,))
    held_out = [set(range(COUNT)) - rows for rows in seen]
    assert sorted(map(len, held_out)) == [0, 40, 40, 40]
    assert all(len({given.folds[row] for row in rows}) == 1 for rows in held_out if rows)


def test_no_machine_sees_the_patients_it_is_judged_by(given: Learning, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[bytes]] = []

    def recorded(features, labels, seed, grid):  # type: ignore[no-untyped-def]
        seen.append({row.tobytes() for row in features})
        return original(features, labels, seed, grid)

    original = signature_stages.fit_stage
    monkeypatch.setattr(signature_stages, "fit_stage", recorded)
    fit_stages(given, (FDL,))
    rows = given.table.of(FDL.columns)
    assert len(seen) == 3
    for fold, used in enumerate(seen):
        assert used.isdisjoint({row.tobytes() for row in rows[given.folds == fold]})


def test_shuffled_outcomes_give_half() -> None:
    found = []
    for seed in range(5):
        one = learning(seed)
        shuffled = np.random.default_rng(seed).permutation(one.labels)
        metrics = fit_stages(replace(one, labels=shuffled, truth={}), (CRD,)).metrics
        found.append(metrics["CRD t2_dwi"]["auc"])
    assert abs(float(np.mean(found)) - 0.5) < 0.08


def test_a_model_without_any_column_is_left_out(given: Learning) -> None:
    noise = replace(given, labels=np.random.default_rng(3).permutation(given.labels))
    found = fit_stages(noise, (FDL, CR))
    assert found.selection.names == columns_of(CR, found.selection)
    assert ("CR" in found.stages) == bool(found.selection.names)


def test_a_sequence_that_the_table_lacks_costs_its_own_models_alone(given: Learning) -> None:
    names = tuple(name for name in NAMES if not name.endswith("ce_t1"))
    lacking = replace(given, table=Table(names, given.table.of(names)))
    found = fit_stages(lacking, (*variants(()), CRD))
    assert set(found.stages) == {v.key for v in (*variants(()), CRD) if Sequence.CE_T1 not in v.sequences}
    assert found.metrics["FDL t2_dwi"] == fit_stages(given, (FDL,)).metrics["FDL t2_dwi"]


def test_a_fold_in_which_nobody_has_a_rare_item_holds_nobody_out(given: Learning) -> None:
    values = given.table.values.copy()
    values[np.flatnonzero(given.folds == 1), :, NAMES.index("post_dwi")] = np.nan
    found = fit_stages(replace(given, table=Table(NAMES, values)), (FDL,))
    assert found.metrics["FDL t2_dwi"]["patients"] == np.sum(given.folds != 1)


def test_the_threshold_is_youdens() -> None:
    labels = np.array([False, False, False, True, True, True])
    probability = np.array([0.1, 0.2, 0.6, 0.5, 0.7, 0.9])
    # At 0.5: sensitivity 1, specificity 2/3; at 0.7: 2/3 and 1; the first of equals is the higher one.
    assert youden(labels, probability) in (0.5, 0.7)
    assert youden(labels, np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])) == 0.4
    assert roc_auc_score(labels, probability) < 1.0
