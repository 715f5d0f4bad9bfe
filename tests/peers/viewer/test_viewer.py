"""What a reader sees of the results in a real viewer: OHIF in Chromium, with Orthanc as its archive.

The screenshots stay in artefacts/, or in the folder that RESTAGE_VIEWER_ARTEFACTS names; README shows one of them.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from matplotlib.image import imread
from pydicom import Dataset, dcmread
from scipy.ndimage import binary_dilation, binary_erosion

from tests.peers.real_run import Outcome
from tests.peers.scored import ScoredPair
from tests.peers.viewer.looks import Look, Mask, Plane, centroid, correlation
from tests.peers.viewer.sentences import Number, numbers, unexplained, volume, without_comments
from tests.peers.viewer.viewing import Filed, Seen, filed, sitting

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]

ARTEFACTS = Path(os.environ.get("RESTAGE_VIEWER_ARTEFACTS", Path(__file__).parent / "artefacts"))
EDGE = 2  # screen pixels on either side of a mask's edge, where the viewer draws its outline
SCREEN_PIXEL = 2  # at most this many pixels of the page
COLOURS_OF_AN_ERROR = 1000  # Chromium's "Failed to load PDF document." has about 460; a page with images, thousands


@dataclass(frozen=True)
class Viewed:
    """One patient at the viewer. ``t2`` and ``masks`` by SOP instance, on the T2 grid (rows, columns).

    ``slices`` are those looked at: the one with most of the tumour, the one with least, and one without any.
    """

    filed: Filed
    t2: dict[str, Plane]
    masks: dict[str, Mask]
    slices: tuple[str, ...]
    seen: Seen

    @property
    def colour(self) -> tuple[int, int, int]:
        value = self.filed.seg.SegmentSequence[0].RecommendedDisplayCIELabValue
        return hd.color.CIELabColor.from_dicom_value(value).to_rgb(clip=True)


@pytest.fixture(scope="module", params=["demo_results", "with_masks"], ids=["phantom", "real"])
def viewed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Viewed:
    made: ScoredPair | Outcome = request.getfixturevalue(request.param)
    pair, patient = (made, "phantom") if isinstance(made, ScoredPair) else (made.scored, "real")
    artefacts = ARTEFACTS / patient
    shutil.rmtree(artefacts, ignore_errors=True)
    results = filed(pair)
    t2, masks = _t2(pair, results), _masks(results.seg)
    slices = _slices(t2, masks)
    seen = sitting(pair, slices, tmp_path_factory.mktemp(f"viewer_{patient}"), artefacts)
    return Viewed(results, t2, masks, slices, seen)


def _t2(pair: ScoredPair, results: Filed) -> dict[str, Plane]:
    paths = sorted(pair.restaging.glob("*.dcm"))
    headers = {path: dcmread(path, stop_before_pixels=True) for path in paths}
    t2 = [path for path, header in headers.items() if header.SeriesInstanceUID == results.t2_series]
    return {str(image.SOPInstanceUID): image.pixel_array.astype(float) for image in map(dcmread, t2)}


def _masks(seg: Dataset) -> dict[str, Mask]:
    """The frames that have any tumour in them, by the T2 image that each names as its source."""
    masks = {}
    for frame, groups in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        source = groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        if frame.any():
            masks[str(source)] = frame.astype(bool)
    return masks


def _slices(t2: dict[str, Plane], masks: dict[str, Mask]) -> tuple[str, ...]:
    by_area = sorted(masks, key=lambda instance: masks[instance].sum())
    without = sorted(set(t2) - set(masks))
    return by_area[-1], by_area[0], without[0]


def test_the_t2_of_the_restaging_study_is_drawn(viewed: Viewed) -> None:
    """No other slice and no mirror image fits the screen as well as the one that was asked for."""
    look, wanted = viewed.seen.t2, viewed.slices[0]
    image = viewed.t2[wanted]
    fit = _fit(look, image)
    assert fit > 0.9
    others = [other for instance, other in viewed.t2.items() if instance != wanted]
    assert all(_fit(look, other) < fit - 0.02 for other in [*others, image[::-1], image[:, ::-1]])


def _fit(look: Look, image: Plane) -> float:
    return correlation(look.projected(image, 0.0), look.grey)


def test_the_window_shows_the_images_with_nothing_over_them(viewed: Viewed) -> None:
    """But the viewer's few words in the corners."""
    for look in (viewed.seen.t2, *viewed.seen.seg, viewed.seen.page):
        assert look.visible > 0.95


def test_nothing_has_the_segments_colour_before_it_is_opened(viewed: Viewed) -> None:
    assert not viewed.seen.t2.coloured(viewed.colour).any()


def test_the_seg_lies_over_the_tumour_and_nowhere_else(viewed: Viewed) -> None:
    """The viewer's own account of where the T2 is puts the mask on the screen, to within 2 screen pixels."""
    for instance, look in zip(viewed.slices, viewed.seen.seg, strict=True):
        mask = viewed.masks.get(instance, np.zeros_like(viewed.t2[instance], bool))
        expected = look.projected(mask.astype(float), 0.0) > 0.5
        coloured = look.coloured(viewed.colour)
        assert coloured[binary_erosion(expected, iterations=EDGE)].all()
        assert not coloured[~binary_dilation(expected, iterations=EDGE)].any()
        if expected.any():
            assert np.linalg.norm(centroid(coloured) - centroid(expected)) < EDGE


def test_the_viewer_measures_the_volume_that_the_report_gives(viewed: Viewed) -> None:
    """To the digits that the report gives."""
    reported = volume(viewed.filed.report, viewed.filed.t2_series)
    assert (reported.unit, float(reported.value)) == ("cm3", round(viewed.seen.volume_mm3 / 1000, reported.decimals))


def test_a_sentence_says_what_each_number_of_the_report_is(viewed: Viewed) -> None:
    assert numbers(viewed.filed.report)
    assert unexplained(viewed.filed.report) == []


def test_without_its_sentences_no_number_counts_as_explained(viewed: Viewed) -> None:
    report = copy.deepcopy(viewed.filed.report)
    without_comments(report)
    assert len(unexplained(report)) == len(numbers(viewed.filed.report))


def test_the_viewer_shows_every_number_beside_its_name_and_every_sentence(viewed: Viewed) -> None:
    lines = [_words(line) for line in viewed.seen.report.splitlines()]
    for number in numbers(viewed.filed.report):
        assert _line(number) in lines
        assert all(_words(comment) in " ".join(lines) for comment in number.comments)


def _line(number: Number) -> str:
    """OHIF reads a decimal string as a number: 10.0 becomes 10."""
    return f"{number.meaning}: {float(number.value):.10g} {number.unit}"


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def test_the_viewer_shows_that_the_results_are_for_research_only(viewed: Viewed) -> None:
    assert "RESEARCH USE ONLY" in viewed.seen.report


def test_the_summary_page_is_drawn_whole(viewed: Viewed) -> None:
    look, page = viewed.seen.page, viewed.filed.page.pixel_array.mean(axis=2)
    assert _fit(look, page) > 0.93
    for place, size in zip(look.places(), page.shape, strict=True):
        assert place.min() < SCREEN_PIXEL and place.max() > size - 1 - SCREEN_PIXEL


def test_the_pdf_opens(viewed: Viewed) -> None:
    document = viewed.filed.document
    if document is None:
        pytest.skip("the results hold no PDF")
    opened = viewed.seen.document
    assert opened is not None
    assert opened.content.rstrip(b"\0") == bytes(document.EncapsulatedDocument).rstrip(b"\0")
    left, top = int(viewed.seen.t2.left), int(viewed.seen.t2.top)
    picture = imread(opened.window)[top:, left:]
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > COLOURS_OF_AN_ERROR


def test_the_viewer_met_no_error(viewed: Viewed) -> None:
    assert viewed.seen.errors == ()
