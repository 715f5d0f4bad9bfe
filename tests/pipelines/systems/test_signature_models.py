from __future__ import annotations

from pipelines.contract import TimePoint
from pipelines.systems.signature_inputs import Sequence
from pipelines.systems.signature_models import CRD, FALLBACK, FDL, signature_name, signatures_of, variants

ALL = variants(("post_adc_mean",))
BY_KEY = {variant.key: variant for variant in ALL}


def test_signatures_have_the_papers_names() -> None:
    assert signature_name(TimePoint.BASELINE, Sequence.T2) == "pre_t2"
    assert signature_name(TimePoint.RESTAGING, Sequence.CE_T1) == "post_ce_t1"
    assert signatures_of((Sequence.DWI,), delta=True) == ("pre_dwi", "post_dwi", "delta_dwi")


def test_every_comparison_of_the_paper_is_there() -> None:
    for sequence in ("t2", "dwi", "ce_t1"):
        assert {f"{name}_{sequence}" for name in ("pre", "post", "pre+post", "pre+post+delta")} <= set(BY_KEY)
    pairs = {"t2+dwi", "t2+ce_t1", "dwi+ce_t1"}
    assert pairs | {f"{pair}+delta" for pair in pairs} | {"FDL+delta"} <= set(BY_KEY)
    assert len(ALL) == len(BY_KEY)


def test_fdl_sees_six_signatures_or_four_and_never_a_delta() -> None:
    assert len(BY_KEY["FDL ce_t1_t2_dwi"].columns) == 6
    assert BY_KEY["FDL t2_dwi"].columns == ("pre_t2", "post_t2", "pre_dwi", "post_dwi")


def test_without_ce_t1_no_model_of_the_node_reads_it() -> None:
    for model in FALLBACK:
        assert not any("ce_t1" in column for column in BY_KEY[f"{model} t2_dwi"].columns)
        assert Sequence.CE_T1 not in BY_KEY[f"{model} t2_dwi"].sequences


def test_the_node_tries_clinical_models_first_and_the_fuller_subset_before_the_other() -> None:
    assert FALLBACK[0] == CRD
    assert FALLBACK[-1] == FDL
    order = [variant.subset for variant in ALL if variant.model == CRD]
    assert order == ["ce_t1_t2_dwi", "t2_dwi"]


def test_clinical_columns_are_left_to_selection() -> None:
    assert BY_KEY["CR"].clinical
    assert BY_KEY["CR"].columns == ()
    assert not BY_KEY["FDL_measured t2_dwi"].clinical
