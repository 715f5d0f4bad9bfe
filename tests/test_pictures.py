"""The documentation's pictures: there, small, and pages of ours."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from dicom_templates.summary.frame import HEIGHT, WIDTH
from tests.pictures import PICTURES

MOST_BYTES = 300_000
SHOWN = re.findall(r"!\[[^\]]*\]\(([\w.-]+)\)", (PICTURES / "README.md").read_text(encoding="utf-8"))


def test_the_six_stories_are_shown() -> None:
    stories = ("agreement", "disagreement", "refer", "refusal", "rescore", "retraction")
    assert [f"{story}.png" for story in stories] == SHOWN


@pytest.mark.parametrize("name", [*SHOWN, "summary.png"])
def test_a_picture_is_a_whole_page_and_small(name: str) -> None:
    assert (PICTURES / name).stat().st_size < MOST_BYTES
    with Image.open(PICTURES / name) as picture:
        assert picture.size == (WIDTH, HEIGHT)
