from __future__ import annotations

import numpy as np

from pipelines.cohort.views import views_of

SPACING = (4.0, 1.25, 1.25)


def test_the_first_view_is_the_mask_as_drawn_and_the_others_differ() -> None:
    mask = np.zeros((5, 30, 30), bool)
    mask[1:4, 8:20, 8:20] = True
    views = views_of(mask, SPACING, 3, np.random.default_rng(1))
    assert len(views) == 3
    assert np.array_equal(views[0], mask)
    assert not np.array_equal(views[1], mask)
    assert not np.array_equal(views[1], views[2])
    assert len(views_of(mask, SPACING, 1, np.random.default_rng(1))) == 1


def test_an_empty_mask_stays_empty() -> None:
    views = views_of(np.zeros((5, 30, 30), bool), SPACING, 3, np.random.default_rng(1))
    assert len(views) == 3
    assert not any(view.any() for view in views)
