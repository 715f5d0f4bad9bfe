"""A segmenter has a model card and a checklist too, and they say what a segmenter can say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.bundle import Bundle
from pipelines.cohort.cohort import Cohort
from pipelines.evaluation.report.segmenter_card import given_words, segmenter_card, segmenter_checklist
from pipelines.evaluation.segmenter import Outlined, by_site
from tests.pipelines.made_up_manifest import manifest
from tests.pipelines.made_up_segmenting import segmenter_cohort

BUNDLE = Bundle(
    Path("nowhere"),
    manifest(system="segmenter", training={"sites": ["A", "B"]}, cohort_digest="3" * 64),
    "2" * 64,
)


def metrics(**sites: int) -> dict[str, Any]:
    """As a segmenter's ``metrics.json`` has them."""
    outlined = {
        when: by_site([Outlined(f"P{i}", "AB"[i % 2], when, dice, True, 9.0, 10.0, 2.0) for i in range(6)])
        for when, dice in zip(("baseline", "restaging"), (0.9, 0.5), strict=True)
    }
    return {
        "bundle": {"phantom_trained": True},
        "cohort": {"simulated": True, "trained_on": False, "sites": sites or {"A": 4, "B": 3}, "excluded": 1},
        "before": outlined["baseline"],
        "after": outlined["restaging"],
        "left_out": {"no T2": 1},
        "demands": [{"name": "Dice before therapy at least 0.85", "met": True, "found": "0.90 (0.90–0.90)"}],
    }


def test_the_card_tells_whom_it_learnt_from_whom_it_was_given_and_what_it_reached() -> None:
    card = segmenter_card(BUNDLE, segmenter_cohort(), metrics())
    assert "- Hospitals learnt from: A and B" in card
    assert "- Histologies learnt from: not recorded" in card
    assert "Given 7 simulated patients (4 of hospital A and 3 of hospital B), judged on 6 exams before therapy" in card
    assert "| before therapy | all | 6 | 0.90 (0.90–0.90) |" in card
    assert "| after therapy | B | 3 | 0.50 (0.50–0.50) |" in card
    assert "(reached)" in card and "- no T2: 1" in card


def test_the_checklist_says_that_it_was_made_for_models_that_predict() -> None:
    said = segmenter_checklist(BUNDLE, Cohort(Path("nowhere"), (), "1" * 64), metrics())
    assert "CLAIM" in said
    assert "Evaluation on new patients of the training hospitals (A and B): internal, not external." in said
    assert "mean Dice before therapy 0.90 (0.90–0.90), after therapy 0.50 (0.50–0.50)" in said
    rows = [line for line in said.splitlines() if line.startswith("|")]
    assert all(line.replace("\\|", "").count("|") == 4 for line in rows)


def test_an_unstated_hospital_and_no_exams_read_as_words() -> None:
    found = metrics(**{"A": 1, "not stated": 2}) | {"after": {}}
    assert given_words(found) == (
        "Given 3 simulated patients (1 of hospital A and 2 of a hospital that is not stated), "
        "judged on 6 exams before therapy and 0 exams after therapy"
    )
    assert "after therapy –" in segmenter_checklist(BUNDLE, segmenter_cohort(), found)
