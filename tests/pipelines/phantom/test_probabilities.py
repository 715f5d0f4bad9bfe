"""Words, times and true probabilities: consistent with each other, on latents alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from pipelines.phantom.latents import (
    HIGHEST,
    LOWEST,
    WEIGHTS,
    Histology,
    Latents,
    draw_latents,
    good_response_probability,
    response_given_baseline,
)
from pipelines.phantom.patient import VirtualPatient, draw_patient
from pipelines.phantom.probabilities import InformationSet, Outcome, true_hazards, true_probabilities
from pipelines.phantom.survival import Hazards, draw_follow_up, draw_time
from pipelines.phantom.words import WORDS, draw_words, grade_probabilities, ordered

COARSE_AND_FINE = [
    (InformationSet.BASELINE, InformationSet.BASELINE_CLINICAL),
    (InformationSet.BASELINE, InformationSet.PAIR),
    (InformationSet.BASELINE_CLINICAL, InformationSet.PAIR_CLINICAL),
    (InformationSet.PAIR, InformationSet.PAIR_CLINICAL),
    (InformationSet.PAIR_CLINICAL, InformationSet.PATHOLOGY),
]


@pytest.fixture(scope="module")
def patients() -> list[VirtualPatient]:
    return [draw_patient(77, index) for index in range(900)]


@pytest.fixture(scope="module")
def latents() -> Latents:
    return draw_latents(default_rng(5))


def within(values: np.ndarray, expected: float, errors: float = 3.5) -> bool:
    return bool(abs(values.mean() - expected) < errors * values.std() / np.sqrt(values.size))


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize(("coarse", "fine"), COARSE_AND_FINE)
def test_knowing_more_changes_a_probability_but_never_its_average(
    patients: list[VirtualPatient], outcome: Outcome, coarse: InformationSet, fine: InformationSet
) -> None:
    if (outcome, fine) not in patients[0].probabilities:
        pytest.skip("a response is known once pathology is")
    before = np.array([p.probabilities[outcome, coarse] for p in patients])
    after = np.array([p.probabilities[outcome, fine] for p in patients])
    for third in np.array_split(np.argsort(before), 3):
        assert within(after[third] - before[third], 0.0)
    assert after.std() > before.std()


@pytest.mark.parametrize("texture", [-2.5, -1.0, 0.0, 1.5, 2.7])
def test_the_unseen_latents_are_summed_out_as_by_brute_force(latents: Latents, texture: float) -> None:
    rng, count = default_rng(8), 200_000
    # The texture's z in its place, the common factor given it, the others given the factor: a simulation of its own.
    common = 0.5 * texture + np.sqrt(0.75) * rng.standard_normal(count)
    z = np.clip(0.5 * common[:, None] + np.sqrt(0.75) * rng.standard_normal((count, 5)), LOWEST, HIGHEST)
    z[:, 3] = texture
    points = response_given_baseline(replace(latents, z=(0.0, 0.0, 0.0, texture, 0.0)))
    assert points.mean() == pytest.approx((z @ WEIGHTS).mean(), abs=0.006)
    assert points.std() == pytest.approx((z @ WEIGHTS).std(), rel=0.015)
    summed = grade_probabilities(points)[:, :2].sum(axis=1).mean()
    assert summed == pytest.approx(good_response_probability(z).mean(), abs=0.003)


def test_probabilities_given_a_pair_are_the_share_of_redrawn_patients(latents: Latents) -> None:
    rng = default_rng(3)
    found = true_probabilities(latents, 60, {})
    complete, spread, recurred = [], [], []
    for _ in range(1200):
        p = grade_probabilities(np.array(latents.response_index))
        words = draw_words(rng, latents, WORDS["trg_ajcc"][int(rng.choice(4, p=p))])
        course = draw_follow_up(rng, true_hazards(latents, 60, words), 1e6)
        complete.append(words["trg_ajcc"] == "AJCC-0" and words["ypn"] == "ypN0")
        seen = course.observed_months >= 36
        if seen:
            spread.append(course.metastasis_event and course.metastasis_months <= 36)
            recurred.append(course.dfs_event and course.dfs_months <= 36)
    assert within(np.array(complete, float), found[Outcome.COMPLETE_RESPONSE, InformationSet.PAIR])
    assert within(np.array(spread, float), found[Outcome.METASTASIS, InformationSet.PAIR])
    assert within(np.array(recurred, float), found[Outcome.RECURRENCE, InformationSet.PAIR])


def test_a_missing_word_tells_nothing_and_a_known_one_tells_something(latents: Latents) -> None:
    key = Outcome.METASTASIS, InformationSet.PAIR_CLINICAL
    unknown, normal, raised = (
        true_probabilities(latents, 60, words)[key] for words in ({}, {"cea": "normal"}, {"cea": "raised"})
    )
    assert normal < unknown < raised
    assert unknown == pytest.approx(true_probabilities(latents, 60, {})[Outcome.METASTASIS, InformationSet.PAIR])


def test_grades_are_ordered_and_good_response_keeps_its_formula(latents: Latents) -> None:
    p = grade_probabilities(np.array([-2.0, 0.0, latents.response_index]))
    assert p.sum(axis=1) == pytest.approx(1.0)
    assert p[2, :2].sum() == pytest.approx(latents.p_good_response)
    assert ordered(np.array([0.0, np.log(3)])) == pytest.approx([0.5, 0.25, 0.25])


def test_times_follow_the_hazards_they_are_drawn_from() -> None:
    times = draw_time(1 - default_rng(1).random(100_000), 0.4)
    assert (times <= 36).mean() == pytest.approx(1 - np.exp(-0.4), abs=0.006)
    assert (times <= 18).mean() == pytest.approx(1 - np.exp(-0.4 * 0.5**1.1), abs=0.006)


def test_a_course_ends_once_and_says_why() -> None:
    rng = default_rng(2)
    for _ in range(500):
        course = draw_follow_up(rng, Hazards(0.4, 0.1, 0.1), 40.0)
        assert course.metastasis_event == (course.metastasis_ended == "")
        assert course.dfs_event == (course.dfs_first != "")
        assert course.death_event == (course.death_cause != "")
        assert course.dfs_months <= course.metastasis_months <= course.death_months <= course.observed_months <= 40
        if course.metastasis_ended == "death":
            assert course.death_cause == "other cause"
        if course.metastasis_ended == "end of study":
            assert course.metastasis_months == 40.0


def test_mucinous_tumours_have_their_own_diffusion() -> None:
    usual, mucinous = (draw_latents(default_rng(4), kind) for kind in (Histology.ADENOCARCINOMA, Histology.MUCINOUS))
    assert mucinous.d_pre - usual.d_pre == pytest.approx(1.94 - 1.365)
    assert mucinous.k_pre - usual.k_pre == pytest.approx(0.66 - 0.89)
    assert (mucinous.p_good_response, mucinous.spread) == (usual.p_good_response, usual.spread)
