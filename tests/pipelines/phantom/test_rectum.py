from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from pipelines.phantom.patient import draw_patient
from pipelines.phantom.rectum import ANGLES, HEIGHTS, WALL, baseline_wall, draw_ripples, look_up, restaging_wall


@pytest.mark.parametrize("index", range(12))
def test_the_wall_holds_exactly_the_volume_that_was_drawn(index: int) -> None:
    latents = draw_patient(6, index).latents
    rng = default_rng(index)
    ripples = draw_ripples(rng)
    before = baseline_wall(rng, latents, ripples, -50.0)
    after = restaging_wall(rng, latents, ripples, -50.0, before)
    assert before.tumour_volume_cm3 == pytest.approx(latents.volume_pre, rel=0.01)
    assert after.tumour_volume_cm3 == pytest.approx(latents.volume_post, rel=0.01)


def test_tumours_are_as_long_and_thick_as_published() -> None:
    before, after = [], []
    for index in range(80):
        latents = draw_patient(7, index).latents
        rng = default_rng(index)
        ripples = draw_ripples(rng)
        first = baseline_wall(rng, latents, ripples, -50.0)
        second = restaging_wall(rng, latents, ripples, -50.0, first)
        before.append((first.shape.length, first.wall_thickness_mm))
        after.append((second.shape.length, second.wall_thickness_mm))
    (length, thickness), (length_after, thickness_after) = np.mean(before, axis=0), np.mean(after, axis=0)
    assert 42 < length < 52
    assert 14 < thickness < 21
    assert 34 < length_after < 44
    assert 8 < thickness_after < 14


def test_radii_are_ordered_and_the_wall_stays_a_wall() -> None:
    latents = draw_patient(6, 1).latents
    rng = default_rng(0)
    wall = baseline_wall(rng, latents, draw_ripples(rng), -50.0)
    assert (wall.inner <= wall.lumen + 1e-9).all()
    assert (wall.outer >= wall.lumen + WALL - 1e-9).all()
    assert (wall.inner > 0).all()


def test_look_up_returns_table_values_at_the_nodes_and_is_periodic() -> None:
    table = np.cos(ANGLES)[:, None] + 0.01 * HEIGHTS[None, :]
    angle = np.array([ANGLES[3], ANGLES[3] + 2 * np.pi, np.pi - 1e-4], np.float32)
    height = np.array([HEIGHTS[10], HEIGHTS[10], 5.0], np.float32)
    (value,) = look_up([table], angle, height)
    assert value[0] == pytest.approx(table[3, 10], abs=1e-4)
    assert value[1] == pytest.approx(table[3, 10], abs=1e-4)
    assert value[2] == pytest.approx(-1 + 0.05, abs=2e-3)
