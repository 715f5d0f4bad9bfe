from __future__ import annotations

import pytest

from pipelines.contract import in_percent


@pytest.mark.parametrize(
    ("share", "percent"), [(0.734, 73.0), (0.01, 1.0), (0.99, 99.0), (0.0, 0.0), (1.0, 100.0), (0.5, 50.0)]
)
def test_a_share_is_a_whole_percentage(share: float, percent: float) -> None:
    assert in_percent(share) == percent


@pytest.mark.parametrize(("share", "percent"), [(0.004, 0.4), (0.0061, 0.6), (0.9962, 99.6), (0.9912, 99.1)])
def test_near_nothing_and_near_all_it_keeps_a_decimal(share: float, percent: float) -> None:
    assert in_percent(share) == percent
