"""What is said of a map of where networks looked: which way, how much in the tumour, and what it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dicom_templates.wording import explanation_sentence, looked_words
from pipelines.contract import Exam, Explanation, MapKind, ScalarMap, Score, TimePoint


def explained(exam: Exam, *, raised: bool = True, area: float | None = 0.17, value: float = 0.5) -> Explanation:
    heat = np.full(exam.t2.array.shape, value, dtype=np.float32)
    saliency = ScalarMap(MapKind.GRAD_CAM, exam.t2.like(heat), heat >= 0, "made up")
    return Explanation(exam.files.time_point, "T2", saliency, 0.42, raised, area)


def test_the_sentence_has_the_share_beside_that_of_the_area(make_exam: Callable[..., Exam]) -> None:
    found = explanation_sentence(explained(make_exam(TimePoint.BASELINE)))
    assert found == (
        "Grad-CAM on the baseline T2, of what raises its network's estimate: 42 % of its sum lies inside the tumour "
        "outline, which is 17 % of the area that the network was shown. The map is coarse: it shows no border of a "
        "tumour, and no finding outside of one."
    )


def test_what_lowers_is_never_called_what_raises(
    make_exam: Callable[..., Exam], make_score: Callable[..., Score]
) -> None:
    one = explained(make_exam(TimePoint.RESTAGING), raised=False, area=None)
    assert "of what lowers its network's estimate: 42 %" in explanation_sentence(one)
    assert "area" not in explanation_sentence(one)
    score = replace(make_score(), outcome="good response (AJCC TRG 0–1)")
    assert looked_words(score, one) == ("lowers good response", "in tumour 42 %")
    assert looked_words(score, explained(make_exam(TimePoint.RESTAGING))) == (
        "raises good response",
        "in tumour 42 % (17 %)",
    )


def test_an_empty_map_has_no_share(make_exam: Callable[..., Exam], make_score: Callable[..., Score]) -> None:
    empty = explained(make_exam(TimePoint.BASELINE), value=0.0)
    assert explanation_sentence(empty) == "Grad-CAM on the baseline T2: no place raises what the network says."
    assert looked_words(make_score(), empty)[1] == "no place does"
