from __future__ import annotations

import pytest

from pipelines.phantom.probabilities import InformationSet
from pipelines.systems.dlrs_models import COMPARED, choose, clinical_values, nomogram_rules
from tests.pipelines.made_up_metastasis import record

IMAGES = {"dl_prob", "t2w_prob", "adc_prob", "measured"}


def test_a_record_gives_stages_as_numbers_and_flags_as_one_or_zero() -> None:
    known = clinical_values(record("cT3b", 5.1, "positive", "ypN1a"))
    assert known == {"ct": 3.0, "cea": 1.0, "emvi": 1.0, "ypn": 1.0}
    assert clinical_values(record("cT4", 5.0, "negative", "ypN0")) == {"ct": 4.0, "cea": 0.0, "emvi": 0.0, "ypn": 0.0}


def test_what_is_not_known_is_absent() -> None:
    assert clinical_values(record("", None, "", "")) == {}
    assert clinical_values(record("cTX", None, "", "")) == {}


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({"ct", "cea", "emvi", "ypn"}, "nomogram_postoperative"),
        ({"ct", "cea", "emvi"}, "nomogram"),
        ({"ct", "emvi"}, "nomogram_ct_emvi"),
        ({"cea", "ypn"}, "nomogram_cea_postoperative"),
        (set(), "DLRS_measured"),
    ],
)
def test_the_model_that_uses_all_that_is_known_is_chosen(known: set[str], name: str) -> None:
    rule = choose(nomogram_rules(), IMAGES | known)
    assert rule is not None
    assert rule.name == name
    assert set(rule.covariates) == {"dl_prob", "measured"} | known


def test_without_measured_features_the_papers_own_models_remain() -> None:
    images = IMAGES - {"measured"}
    names = [choose(nomogram_rules(), images | known) for known in ({"ct", "cea", "ypn"}, {"ct", "cea"}, {"ct"})]
    assert [rule and rule.name for rule in names] == ["nomogram_published_postoperative", "nomogram_published", "DLRS"]


def test_with_or_without_pathology_can_be_asked_for() -> None:
    everything = IMAGES | {"ct", "cea", "emvi", "ypn"}
    before, after = (choose(nomogram_rules(), everything, one) for one in (False, True))
    assert before is not None and after is not None
    assert (before.name, after.name) == ("nomogram", "nomogram_postoperative")
    assert choose(nomogram_rules(), everything - {"ypn"}, True) is None


def test_each_model_is_measured_by_the_oracle_that_sees_what_it_sees() -> None:
    shown = {rule.name: rule.shown for rule in (*nomogram_rules(), *COMPARED)}
    for name in ("T2W", "ADC", "DLRS", "measured", "DLRS_measured"):
        assert shown[name] is InformationSet.BASELINE
    for name in ("nomogram", "nomogram_published", "clinical"):
        assert shown[name] is InformationSet.BASELINE_CLINICAL
        assert shown[f"{name}_postoperative"] is InformationSet.BASELINE_PATHOLOGY
