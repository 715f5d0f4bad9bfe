from __future__ import annotations

from pipelines.phantom.probabilities import InformationSet
from pipelines.systems.multi_rec_models import (
    MEASURED,
    RISK,
    MultiRecRule,
    Reading,
    choose,
    readings_of,
    scoring_order,
    shown_to,
)
from pipelines.systems.networks.multi_rec_size import Variant


def rules() -> list[MultiRecRule]:
    """Every variant with and without D and K and, where the node uses it, the measured score."""
    found = []
    for variant in Variant:
        for reading in readings_of(variant):
            found.append(MultiRecRule(str(variant), reading, (RISK,)))
            found.append(MultiRecRule(f"{variant}_measured", reading, (RISK, MEASURED)))
    return found


def matched(known: dict[str, float], *, maps: bool, after: bool | None = None) -> str:
    by_name = {rule.name: rule for rule in rules()}
    found = choose((by_name[name] for name in scoring_order(rules())), known, maps=maps, after=after)
    assert found is not None
    return found.name


def test_pathology_then_the_record_then_images_alone() -> None:
    assert matched({"ypn_stage": 0.0, "sex": 1.0}, maps=True) == "All_measured"
    assert matched({"sex": 1.0}, maps=True) == "T2+DKI+Preclinical_measured"
    assert matched({}, maps=True) == "T2+DKI_measured"


def test_other_pathology_without_nodes_is_no_pathology() -> None:
    assert matched({"ypt_stage": 2.0, "sex": 1.0}, maps=True) == "T2+DKI+Preclinical_measured"


def test_without_d_and_k_the_model_is_that_of_patients_read_like_that() -> None:
    assert matched({"ypn_stage": 0.0}, maps=False) == "All_measured without maps"
    assert (
        matched({"ypn_stage": 0.0, "sex": 0.0}, maps=False, after=False) == "T2+DKI+Preclinical_measured without maps"
    )


def test_only_what_has_d_and_k_is_read_without_them() -> None:
    assert [reading.name for reading in readings_of(Variant.T2_DKI)] == ["T2+DKI", "T2+DKI without maps"]
    assert [reading.name for variant in (Variant.T2, Variant.CLINICAL) for reading in readings_of(variant)] == [
        "T2",
        "Clinical",
    ]
    assert not Reading(Variant.T2, True).needs_maps


def test_networks_of_one_image_or_of_a_table_alone_score_nobody_in_the_node() -> None:
    order = scoring_order(rules())
    assert len(order) == 12
    assert not [name for name in order if name.startswith(("T2_", "Clinical", "Preclinical"))]


def test_a_rule_comes_back_from_json() -> None:
    for rule in rules():
        assert MultiRecRule.from_json(rule.as_json()) == rule


def test_what_a_variant_sees_is_what_its_oracle_sees() -> None:
    assert shown_to(Variant.T2_DKI) is InformationSet.BASELINE
    assert shown_to(Variant.PRECLINICAL) is InformationSet.BASELINE_CLINICAL
    assert shown_to(Variant.ALL) is InformationSet.BASELINE_PATHOLOGY
