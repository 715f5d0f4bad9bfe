"""The bootstrap draws patients, within strata, and the same ones for the same seed."""

from __future__ import annotations

import numpy as np

from pipelines.evaluation.statistics.resample import multiplicities, once


def test_every_stratum_keeps_its_size_in_every_draw() -> None:
    strata = np.array(["a"] * 7 + ["b"] * 12 + ["c"])
    counts = multiplicities(strata, 50, seed=1)
    for name, size in (("a", 7), ("b", 12), ("c", 1)):
        assert (counts[:, strata == name].sum(axis=1) == size).all()


def test_a_patient_is_left_out_as_often_as_drawing_with_replacement_leaves_out() -> None:
    counts = multiplicities(np.zeros(100), 2000)
    assert abs((counts == 0).mean() - 0.99**100) < 0.005  # (1 − 1/n)^n
    assert abs(counts.mean() - 1.0) < 1e-12


def test_the_seed_decides() -> None:
    strata = np.zeros(30)
    assert (multiplicities(strata, 9, seed=4) == multiplicities(strata, 9, seed=4)).all()
    assert (multiplicities(strata, 9, seed=4) != multiplicities(strata, 9, seed=5)).any()
    assert (once(30) == 1).all()
