from __future__ import annotations

from pipelines.systems.rp_models import FALLBACK, RpModel, models
from pipelines.systems.signature_inputs import Sequence

MEASURED = ("post_adc_mean", "change_log_volume")
MODELS = models(MEASURED, {})
BY_KEY = {model.key: model for model in MODELS}


def test_keys_tell_models_apart_and_survive_json() -> None:
    assert len(BY_KEY) == len(MODELS)
    assert tuple(RpModel.from_json(model.as_json()) for model in MODELS) == MODELS


def test_every_network_stands_alone_and_all_are_fused_with_and_without_what_else_is_known() -> None:
    assert {model.model for model in MODELS} == {
        *("T2", "DWI", "CE-T1", "fused", "fused_markers"),
        *("fused_measured", "fused_markers_measured"),
    }
    assert BY_KEY["CE-T1"].names == ("logit_ce_t1",)
    assert BY_KEY["fused t2_dwi"].names == ("logit_t2", "logit_dwi")
    assert set(BY_KEY["fused ce_t1_t2_dwi"].sequences) == set(Sequence)
    assert BY_KEY["fused_measured t2_dwi"].names == ("logit_t2", "logit_dwi", *MEASURED)
    both = BY_KEY["fused_markers_measured t2_dwi"]
    assert both.names == ("logit_t2", "logit_dwi", *MEASURED, "cea_ng_ml", "ca19_9_u_ml")
    assert BY_KEY["fused_markers t2_dwi cea"].markers == ("cea_ng_ml",)


def test_the_node_prefers_more_sequences_then_more_markers_and_never_drops_what_is_measured_for_a_marker() -> None:
    order = [model.key for name in FALLBACK for model in MODELS if model.model == name]
    assert order == [
        "fused_markers_measured ce_t1_t2_dwi",
        "fused_markers_measured ce_t1_t2_dwi cea",
        "fused_markers_measured ce_t1_t2_dwi ca19_9",
        "fused_markers_measured t2_dwi",
        "fused_markers_measured t2_dwi cea",
        "fused_markers_measured t2_dwi ca19_9",
        "fused_measured ce_t1_t2_dwi",
        "fused_measured t2_dwi",
        "fused ce_t1_t2_dwi",
        "fused t2_dwi",
    ]


def test_a_fused_model_sees_what_its_networks_read_and_one_with_measured_features_sees_those_instead() -> None:
    learnt = {Sequence.T2: ("log_volume",), Sequence.DWI: ("adc_mean", "dwi_ratio")}
    found = {model.key: model.names for model in models(MEASURED, learnt)}
    read = ("read_t2_pre_log_volume", "read_t2_post_log_volume")
    assert found["fused t2_dwi"][:4] == ("logit_t2", "logit_dwi", *read)
    assert found["fused t2_dwi"][4:] == tuple(
        f"read_dwi_{when}_{name}" for when in ("pre", "post") for name in ("adc_mean", "dwi_ratio")
    )
    assert found["fused ce_t1_t2_dwi"][-2:] == found["fused t2_dwi"][-2:]  # nothing is read of the third
    assert found["fused_measured t2_dwi"] == ("logit_t2", "logit_dwi", *MEASURED)
    assert found["T2"] == ("logit_t2",)
