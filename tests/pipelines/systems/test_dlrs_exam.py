from __future__ import annotations

import numpy as np
import pytest

from pipelines.contract import Code, Exam, InputUnfit
from pipelines.features import measured_features
from pipelines.systems.dlrs_exam import DlrsCut, dlrs_exam, from_entry
from pipelines.systems.dlrs_inputs import Modality
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs
from tests.pipelines.made_up_metastasis import RULE


@pytest.fixture(scope="module")
def exam() -> Exam:
    return made_up_exam(radius=11.0, ce_t1=False)


def test_what_the_cut_keeps_is_the_exam(exam: Exam) -> None:
    inputs, mask = plain_inputs(exam), mask_of(exam)
    entry = DlrsCut(RULE, views=2).cut(inputs, mask, np.random.default_rng(4))
    direct, kept = dlrs_exam(inputs, mask, RULE), from_entry(entry)
    for modality in Modality:
        assert (kept.boxes[modality] == direct.boxes[modality]).all()
    assert kept.features == direct.features == measured_features(inputs, mask)
    assert kept.facts == direct.facts
    assert kept.volume_cm3 == pytest.approx(np.exp(kept.features["log_volume"]))
    other = from_entry(entry, view=1)
    assert other.features != kept.features and other.boxes[Modality.T2].shape == kept.boxes[Modality.T2].shape


def test_the_same_stream_gives_the_same_entry(exam: Exam) -> None:
    inputs, mask = plain_inputs(exam), mask_of(exam)
    first, second = (DlrsCut(RULE, 3).cut(inputs, mask, np.random.default_rng(4)) for _ in range(2))
    assert first.described == second.described
    assert all((array == second.arrays[name]).all() for name, array in first.arrays.items())


def test_every_number_of_the_rule_is_a_parameter_of_the_cut() -> None:
    assert DlrsCut(RULE, 1).parameters() != DlrsCut(RULE, 2).parameters()
    assert DlrsCut(RULE).parameters()["rule"] == RULE.as_json()


def test_a_tumour_too_small_to_measure_in_has_stacks_and_no_features(exam: Exam) -> None:
    tiny = np.zeros_like(mask_of(exam))
    tiny[5, 36, 38] = True
    found = dlrs_exam(plain_inputs(exam), tiny, RULE)
    assert found.features == {}
    assert found.boxes[Modality.T2].any()
    with pytest.raises(InputUnfit) as caught:
        dlrs_exam(plain_inputs(exam), np.zeros_like(tiny), RULE)
    assert caught.value.code is Code.NO_MASK
