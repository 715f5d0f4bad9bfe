from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.evaluation.metrics import metrics
from pipelines.evaluation.report.content import Picture, Table, Words
from pipelines.evaluation.report.saliency_section import saliency_sections
from pipelines.evaluation.results import Explained, Results, compute
from pipelines.evaluation.saliency import Example, Looked
from tests.pipelines.evaluation.made_predictions import judged_response

PLANE = np.linspace(0, 1, 144, dtype=np.float32).reshape(12, 12)
EXAMPLE = Example(PLANE, (PLANE > 0.6).astype(np.float32), PLANE, PLANE[::-1])
SOUND = Looked("post_dwi", 40, 0.45, 0.25, 0.10, 0.12, 0.31, 0.0, EXAMPLE)
DOUBTFUL = Looked("pre_t2", 38, 0.08, 0.25, 0.10, 0.71, 0.98, 0.6, replace(EXAMPLE, tumour=None))


@lru_cache(maxsize=1)
def plain() -> Results:
    judged = judged_response(60)
    few = replace(judged.predicted, predictions=judged.predicted.predictions[-1:])
    return compute(replace(judged, predicted=few), Explained())


def results(*looked: Looked) -> Results:
    return replace(plain(), explained=Explained(saliency=looked))


def test_a_system_without_networks_has_no_such_section(tmp_path: Path) -> None:
    assert saliency_sections(results(), tmp_path) == ()
    assert not list(tmp_path.iterdir())


def test_the_table_has_the_share_beside_chance_and_untrained_networks(tmp_path: Path) -> None:
    (section,) = saliency_sections(results(SOUND, DOUBTFUL), tmp_path)
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert table.rows[0] == ("post_dwi", "40", "0.45", "0.10", "0.25", "0.12", "0.31", "0.00")
    assert len(table.columns) == len(table.rows[0])


def test_doubts_are_said_and_their_absence_too(tmp_path: Path) -> None:
    (section,) = saliency_sections(results(SOUND, DOUBTFUL), tmp_path)
    words = [block.text for block in section.blocks if isinstance(block, Words)]
    (doubt,) = (one for one in words if one.startswith("pre_t2: "))
    for why in ("make nothing of places", "all patients have the same map", "untrained networks", "than chance"):
        assert why in doubt
    assert "Nothing was found against the maps of post_dwi." in words
    assert "no border of a tumour" in words[0]


def test_there_is_one_picture_with_an_example_of_each(tmp_path: Path) -> None:
    (section,) = saliency_sections(results(SOUND, DOUBTFUL, SOUND), tmp_path)
    (picture,) = (block for block in section.blocks if isinstance(block, Picture))
    with Image.open(tmp_path / picture.file) as drawn:
        assert np.ptp(np.asarray(drawn.convert("L"))) > 200


def test_the_figures_are_in_the_metrics() -> None:
    found = metrics(results(SOUND, DOUBTFUL))["saliency"]
    assert found["post_dwi"]["inside_tumour"] == 0.45 and found["post_dwi"]["doubts"] == []
    assert len(found["pre_t2"]["doubts"]) == 4
