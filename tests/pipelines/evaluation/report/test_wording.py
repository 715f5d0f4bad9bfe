"""How numbers are written."""

from __future__ import annotations

from dataclasses import replace

from pipelines.evaluation.report.wording import counted, interval, listed, number, p_value, percent, told, turned
from pipelines.evaluation.statistics.stated import Estimate
from tests.pipelines.evaluation.made_predictions import judged_recurrence


def test_figures_have_two_digits_and_a_true_minus() -> None:
    assert number(0.8449) == "0.84"
    assert number(-0.126) == "−0.13"
    assert number(None) == number(float("nan")) == "–"
    assert percent(0.9595) == "96 %"
    assert percent(None) == "–"


def test_an_interval_with_a_negative_end_has_a_word_between() -> None:
    assert interval(Estimate(0.836, 0.798, 0.867)) == "0.84 (0.80–0.87)"
    assert interval(Estimate(-0.03, -0.06, 0.004)) == "−0.03 (−0.06 to 0.00)"
    assert interval(Estimate(0.7)) == "0.70"
    assert interval(Estimate(None, not_estimable="too few")) == "–"


def test_a_difference_turned_round_keeps_its_interval() -> None:
    found = turned(Estimate(-0.03, -0.06, 0.01, 0.2))
    assert (found.value, found.lower, found.upper, found.p_value) == (0.03, -0.01, 0.06, 0.2)


def test_small_p_values_are_bounded() -> None:
    assert p_value(0.0004) == "< 0.001"
    assert p_value(0.0266) == "0.027"
    assert p_value(None) == "–"


def test_lists_and_counts_read_as_words() -> None:
    assert listed(["A", "B", "C"]) == "A, B and C"
    assert listed(["A"]) == "A"
    assert listed([]) == ""
    assert [counted(1, "patient"), counted(2, "patient")] == ["1 patient", "2 patients"]


def test_what_a_model_reads_is_told_with_what_else_there_is_to_say() -> None:
    one = judged_recurrence(60).of("Clinical")
    assert told(replace(one, images=False)) == "Clinical sees clinical variables and ypN alone"
    assert told(replace(one, images=False, about="for comparison")).endswith("alone (for comparison)")
    assert told(replace(one, about="Clinical: all that is known")) == "Clinical: all that is known"
