"""What each system's final stage listens to: values add up to the result that the stage gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.random import default_rng

from pipelines.bundle import Bundle, load_bundle, save_bundle
from pipelines.evaluation.explained import dlrs_shapley, multi_rec_shapley, rp_shapley, signature_shapley
from pipelines.evaluation.prediction import Numbers, Predicted
from pipelines.evaluation.statistics.explain import Shapley
from pipelines.systems.cox import CoxModel
from pipelines.systems.logistic import LogisticModel
from pipelines.systems.rp_models import RpModel
from pipelines.systems.signature_bundle import read_stages, read_table
from pipelines.systems.signature_inputs import Sequence
from tests.pipelines.made_up_manifest import manifest

BUNDLES = Path(__file__).resolve().parents[3] / "pipelines" / "bundles"
COUNT = 24


def predicted(default: str, features: dict[str, Numbers]) -> Predicted:
    count = len(next(iter(features.values())))
    return Predicted("any", default, (), ("",) * count, np.zeros(count, dtype=bool), features)


def random(*names: str) -> dict[str, Numbers]:
    rng = default_rng(1)
    return {name: rng.normal(size=COUNT) for name in names}


def inputs(found: Shapley, name: str) -> Numbers:
    return np.asarray(found.inputs[:, found.names.index(name)])


def cox(names: tuple[str, ...], coefficients: tuple[float, ...], centre: tuple[float, ...]) -> CoxModel:
    nothing, size = np.zeros(1), len(names)
    return CoxModel(
        names, np.array(coefficients), np.array(centre), np.eye(size), nothing, nothing, nothing, np.zeros((1, size))
    )


def bundle_of(folder: Path, stem: str, models: dict[str, Any], network: dict[str, Any], **said: Any) -> Bundle:
    """A bundle of final stages alone; ``models``: what has arrays, by key."""
    tensors = {f"{key}.{name}": torch.tensor(array) for key, one in models.items() for name, array in one.items()}
    return save_bundle(folder / "bundle", manifest(network=network, **said), {stem: tensors})


def test_a_machine_is_explained_in_log_odds_against_the_rows_that_it_learnt_from() -> None:
    bundle = load_bundle(BUNDLES / "signature_svm")
    table = read_table(bundle)
    names = ("cea_ng_ml", "mwt_restaging_mm", *table.names)
    rows = table.values[table.complete(table.names), 0][:COUNT]
    features = {name: rows[:, table.names.index(name)] for name in names}
    found = signature_shapley(bundle, predicted("CR", features))
    assert [key.partition(" ")[0] for key in found] == ["FDL", "CR"]
    for key, one in found.items():
        machine = read_stages(bundle)[key].machine
        columns = tuple(bundle.manifest.network["variants"][key]["columns"])
        seen = np.column_stack([inputs(one, name) for name in columns])
        apart = machine.logit(seen[:, None]).mean(axis=1) - machine.logit(table.spread(columns, 64)[:, None]).mean()
        assert one.unit == "log odds" and one.values.sum(axis=1) == pytest.approx(apart, abs=1e-9)


def test_a_nomogram_is_explained_by_the_measured_features_themselves() -> None:
    bundle = load_bundle(BUNDLES / "dlrs_nomogram")
    read = tuple(bundle.manifest.network["measured"])
    features = random("dl_prob", "measured", "ct", "cea", "emvi", *read)
    ((key, found),) = dlrs_shapley(bundle, predicted("nomogram", features)).items()
    assert key == "nomogram" and found.unit == "log hazard"
    assert set(found.names) == {"dl_prob", "ct", "cea", "emvi", *read}
    assert dlrs_shapley(bundle, predicted("none of them", features)) == {}


def test_a_risk_of_networks_is_explained_with_the_maps_where_enough_patients_have_them(tmp_path: Path) -> None:
    def rule(maps: bool) -> dict[str, Any]:
        covariates = ["log_risk", "measured"]
        return {"model": "All_measured", "variant": "All", "maps": maps, "sequences": "", "covariates": covariates}

    outer = cox(("log_risk", "measured"), (0.9, 0.5), (0.1, -0.2))
    inner = {
        "features": cox(("log_volume", "kapp_median"), (0.7, -1.0), (3.0, 0.8)),
        "features without maps": cox(("log_volume",), (0.6,), (3.1,)),
    }
    network = {
        "models": {"All_measured": rule(True), "All_measured without maps": rule(False)},
        "measured": {name: list(one.names) for name, one in inner.items()},
    }
    stored = {name: one.arrays() for name, one in inner.items()}
    stored |= {name: outer.arrays() for name in network["models"]}
    bundle = bundle_of(tmp_path, "cox", stored, network)
    features = random("All log risk", "All without maps log risk", "log_volume", "kapp_median")
    ((key, found),) = multi_rec_shapley(bundle, predicted("All_measured", features)).items()
    assert key == "All_measured" and set(found.names) == {"log_risk", "log_volume", "kapp_median"}
    assert found.values[:, found.names.index("kapp_median")] == pytest.approx(
        0.5 * -1.0 * (inputs(found, "kapp_median") - 0.8)
    )
    features["kapp_median"][5:] = np.nan
    ((key, found),) = multi_rec_shapley(bundle, predicted("All_measured", features)).items()
    assert key == "All_measured without maps"
    assert np.sort(inputs(found, "log_risk")) == pytest.approx(np.sort(features["All without maps log risk"]))


def test_a_logistic_regression_is_explained_in_log_odds_against_the_training_means(tmp_path: Path) -> None:
    names = ("logit_t2", "logit_dwi")
    model = RpModel("fused", "t2_dwi", (Sequence.T2, Sequence.DWI), names)
    stage = LogisticModel(
        names, np.array([0.2, -0.1]), np.array([2.0, 0.5]), np.array([1.0, 0.4, -1.2]), np.empty((0, 3))
    )
    network = {"models": {model.key: model.as_json()}}
    bundle = bundle_of(
        tmp_path, "stages", {model.key: stage.stored()}, network, thresholds={model.key: {"youden": 0.5}}
    )
    ((key, found),) = rp_shapley(bundle, predicted("fused", random(*names))).items()
    seen = np.column_stack([inputs(found, name) for name in names])
    assert key == model.key and found.unit == "log odds"
    assert found.values.sum(axis=1) == pytest.approx(stage.logit(seen) - stage.logit(stage.centre))


def test_too_few_patients_with_all_inputs_explain_nothing(tmp_path: Path) -> None:
    bundle = load_bundle(BUNDLES / "dlrs_nomogram")
    features = random("dl_prob", "ct", "cea", "emvi", *bundle.manifest.network["measured"])
    features["cea"][10:] = np.nan
    assert dlrs_shapley(bundle, predicted("nomogram", features)) == {}
