from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.sr.coding import Code as CodedConcept

from pipelines.contract import Alignment, Code, ExamFiles, MaskOrigin, Role, SeriesFiles, TimePoint, Volume
from pipelines.exam import assemble
from pipelines.masks.annotations import NoTumour, is_meant, read_annotation
from pipelines.masks.reader_mask import find_reader_mask
from pipelines.roles.series import classify
from pipelines.volumes.resample import mask_onto
from pipelines.volumes.volume import load_volume
from tests.pipelines.made_annotations import segmentation, structure_set
from tests.pipelines.made_series import DWI, T2, Grid, Maker

OBLIQUE = Grid(spacing=(3.0, 0.8, 0.6), orientation=(1.0, 0.0, 0.0, 0.0, 0.96, -0.28))
SHAPE = (8, 30, 40)


class Study:
    """An exam with an axial T2, and a mask of a tumour in it."""

    def __init__(self, folder: Path) -> None:
        self.maker = Maker(folder)
        self.t2_slices = self.maker.slices(np.ones(SHAPE), OBLIQUE, T2)
        paths = self.maker.write(self.t2_slices, "t2")
        headers = self.maker.headers(self.t2_slices)
        self.role = classify(headers)
        self.headers, self.paths = headers, paths
        self.t2 = load_volume(SeriesFiles(self.role, paths))
        self.mask = np.zeros(SHAPE, dtype=bool)
        self.mask[2:6, 8:17, 11:29] = True
        self.mask[3, 10:12, 15:20] = False

    def exam(self, *annotations: Path) -> ExamFiles:
        return assemble([(self.headers, self.role)], TimePoint.BASELINE, annotations)

    def seg(self, *segments: dict[str, Any], mask: np.ndarray | None = None, **more: Any) -> Path:
        return segmentation(self.maker, self.t2_slices, self.mask if mask is None else mask, *segments, **more)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


@pytest.mark.parametrize("omit", [False, True])
def test_a_seg_on_the_t2_grid_is_copied_voxel_for_voxel(study: Study, omit: bool) -> None:
    path = study.seg(omit_empty_frames=omit)
    mask, statements = find_reader_mask(study.exam(path), study.t2)
    assert statements == ()
    assert mask is not None
    np.testing.assert_array_equal(mask.array, study.mask)
    assert (mask.origin, mask.reader) == (MaskOrigin.READER, "Reader^Anna")
    assert mask.source_sop_uid == pydicom.dcmread(path).SOPInstanceUID
    assert "as drawn" in mask.how


def test_frames_in_another_order_are_placed_by_their_geometry(study: Study) -> None:
    flipped = study.maker.folder / "flipped.dcm"
    seg = pydicom.dcmread(study.seg())
    seg.PerFrameFunctionalGroupsSequence = seg.PerFrameFunctionalGroupsSequence[::-1]
    frames = seg.pixel_array[::-1]
    seg.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    seg.save_as(flipped)
    mask, _ = find_reader_mask(study.exam(flipped), study.t2)
    assert mask is not None
    np.testing.assert_array_equal(mask.array, study.mask)


@pytest.mark.parametrize(
    ("segment", "said"),
    [
        ({"algorithm": "AUTOMATIC"}, "not drawn by a person"),
        ({"kind": CodedConcept("10200004", "SCT", "Liver")}, "not coded as a neoplasm"),
        ({"region": None, "label": "Lesion 1"}, "neither the rectum nor a configured"),
        ({"label": "Lymph node 3"}, "lymph node"),
        ({"region": CodedConcept("41216001", "SCT", "Prostate")}, "is in another region (Prostate)"),
    ],
)
def test_what_is_no_readers_mask_of_the_tumour_is_refused_with_the_reason(
    study: Study, segment: dict[str, Any], said: str
) -> None:
    mask, (statement,) = find_reader_mask(study.exam(study.seg(segment)), study.t2)
    assert mask is None
    assert statement.code is Code.READER_MASK_UNFIT
    assert said in statement.reason


def test_semiautomatic_and_a_matching_label_are_enough(study: Study) -> None:
    path = study.seg({"algorithm": "SEMIAUTOMATIC", "region": None, "label": "GTV rectum"})
    mask, _ = find_reader_mask(study.exam(path), study.t2)
    assert mask is not None
    none, _ = find_reader_mask(study.exam(path), study.t2, "lesion")
    assert none is None


@pytest.mark.parametrize(
    "segment",
    [
        {"kind": CodedConcept("M-80003", "SRT", "Neoplasm, Primary")},
        {"kind": CodedConcept("86049000", "SCT", "Neoplasm, Primary"), "region": None},
        {"region": CodedConcept("816092008", "SCT", "Pelvis")},
        {"region": CodedConcept("T-59600", "SRT", "Rectum"), "label": "Segment 1"},
    ],
)
def test_older_codes_and_a_wider_region_are_understood(study: Study, segment: dict[str, Any]) -> None:
    mask, statements = find_reader_mask(study.exam(study.seg(segment)), study.t2)
    assert mask is not None
    assert statements == ()


def test_an_adenocarcinoma_is_taken_before_a_neoplasm_but_two_equals_are_refused(study: Study) -> None:
    specific = {"label": "A", "kind": CodedConcept("254582000", "SCT", "Adenocarcinoma of rectum")}
    mask, _ = find_reader_mask(study.exam(study.seg({"label": "B"}, specific)), study.t2)
    assert mask is not None
    assert "'A'" in mask.how
    mask, (statement,) = find_reader_mask(study.exam(study.seg({"label": "B"}, {"label": "C"})), study.t2)
    assert mask is None
    assert "'B', 'C'" in statement.reason


def test_the_newest_of_several_wins_and_the_choice_is_stated(study: Study) -> None:
    smaller = study.mask.copy()
    smaller[2] = False
    old = study.seg(ContentDate="20240103", ContentTime="080000")
    new = study.seg(mask=smaller, ContentDate="20240103", ContentTime="090000")
    for order in ((old, new), (new, old)):
        mask, (statement,) = find_reader_mask(study.exam(*order), study.t2)
        assert mask is not None
        np.testing.assert_array_equal(mask.array, smaller)
        assert statement.code is Code.SEVERAL_CANDIDATES
        assert "newest usable of 2" in statement.reason


def test_an_empty_newest_one_is_stated_and_the_older_one_taken(study: Study) -> None:
    old = study.seg(ContentDate="20240103")
    empty = study.seg(mask=np.zeros(SHAPE, dtype=bool), ContentDate="20240105")
    mask, statements = find_reader_mask(study.exam(old, empty), study.t2)
    assert mask is not None
    assert [one.code for one in statements] == [Code.READER_MASK_UNFIT, Code.SEVERAL_CANDIDATES]
    assert "empty" in statements[0].reason


def test_our_own_result_and_another_study_are_no_candidates(study: Study) -> None:
    own = study.seg(Manufacturer="Restage")
    foreign = study.seg(StudyInstanceUID="1.2.3.4")
    assert find_reader_mask(study.exam(own, foreign), study.t2) == (None, ())


def test_another_frame_of_reference_and_a_place_outside_are_refused(study: Study) -> None:
    other = study.seg(FrameOfReferenceUID="1.2.3.4")
    mask, (statement,) = find_reader_mask(study.exam(other), study.t2)
    assert mask is None
    assert "frame of reference" in statement.reason
    far = Volume(study.t2.array, study.t2.affine.copy(), study.t2.frame_of_reference_uid)
    far.affine[:3, 3] += 300.0
    mask, (statement,) = find_reader_mask(study.exam(study.seg()), far)
    assert mask is None
    assert "outside" in statement.reason


def test_a_seg_drawn_on_another_grid_is_resampled_and_says_so(study: Study) -> None:
    coarse = Grid(spacing=(4.0, 2.0, 2.0), origin=(-52.0, -40.0, -26.0))
    slices = study.maker.slices(np.ones((9, 14, 14)), coarse, T2)
    mask = np.zeros((9, 14, 14), dtype=bool)
    mask[2:6, 4:9, 3:10] = True
    found, statements = find_reader_mask(study.exam(segmentation(study.maker, slices, mask)), study.t2)
    assert found is not None
    assert [one.code for one in statements] == [Code.MASK_RESAMPLED]
    volume, drawn = found.array.sum() * study.t2.voxel_mm3, mask.sum() * 16.0
    assert volume == pytest.approx(drawn, rel=0.06)
    centre = np.argwhere(found.array).mean(axis=0) @ study.t2.affine[:3, :3].T + study.t2.affine[:3, 3]
    expected = np.argwhere(mask).mean(axis=0) @ coarse.affine[:3, :3].T + coarse.affine[:3, 3]
    np.testing.assert_allclose(centre, expected, atol=0.5)


def outline(study: Study, height: float, box: tuple[float, float, float, float]) -> np.ndarray:
    """A rectangle (first row, first column, end row, end column) in T2 index coordinates, in mm."""
    top, left, bottom, right = box
    corners = [[height, top, left], [height, top, right], [height, bottom, right], [height, bottom, left]]
    return np.array(corners) @ study.t2.affine[:3, :3].T + study.t2.affine[:3, 3]


def test_contours_on_the_t2_slices_fill_the_pixels_whose_centres_they_enclose(study: Study) -> None:
    contours = [outline(study, height, (7.5, 10.5, 16.5, 28.5)) for height in (2, 3, 4, 5)]
    contours.append(outline(study, 3, (9.5, 14.5, 11.5, 19.5)))  # a hole
    path = structure_set(study.maker, {"BODY": [], "gtv": contours})
    mask, statements = find_reader_mask(study.exam(path), study.t2)
    assert statements == ()
    assert mask is not None
    np.testing.assert_array_equal(mask.array, study.mask)
    assert mask.reader == "Reader^Bob"


def test_contours_between_the_slices_are_resampled(study: Study) -> None:
    contours = [outline(study, height + 0.4, (7.5, 10.5, 16.5, 28.5)) for height in (2, 3, 4, 5)]
    mask, statements = find_reader_mask(study.exam(structure_set(study.maker, {"Tumor": contours})), study.t2)
    assert mask is not None
    assert [one.code for one in statements] == [Code.MASK_RESAMPLED]
    assert mask.array.sum() == pytest.approx(9 * 18 * 4, rel=0.1)


@pytest.mark.parametrize(
    ("rois", "said"),
    [
        (lambda study: {"Bladder": [outline(study, 2, (7, 10, 16, 28))]}, "not named as the tumour"),
        (lambda study: {"GTVn": [outline(study, 2, (7, 10, 16, 28))]}, "not named as the tumour"),
        (lambda study: {"GTV": []}, "no contour"),
        (lambda study: {"GTV": [outline(study, 2, (70, 10, 80, 28))]}, "outside"),
    ],
)
def test_rois_that_do_not_fit_are_refused_with_the_reason(
    study: Study, rois: Callable[[Study], dict[str, list[np.ndarray]]], said: str
) -> None:
    mask, (statement,) = find_reader_mask(study.exam(structure_set(study.maker, rois(study))), study.t2)
    assert mask is None
    assert said in statement.reason


def test_the_role_of_the_study_is_an_axial_t2(study: Study) -> None:
    assert study.role.role is Role.T2_AXIAL


def test_what_a_reader_meant_as_the_tumour_is_told_from_all_else_by_its_headers(study: Study) -> None:
    uids, pattern = study.exam().study_uids, "gtv|tumou?r"
    meant = [study.seg(), study.seg({"label": "B"}, {"label": "C"}), structure_set(study.maker, {"GTV": []})]
    others = [
        study.seg({"algorithm": "AUTOMATIC"}),
        study.seg({"kind": CodedConcept("10200004", "SCT", "Liver")}),
        study.seg({"label": "Lymph node 3"}),
        study.seg(Manufacturer="Restage"),
        study.seg(StudyInstanceUID="1.2.3.4"),
        structure_set(study.maker, {"Bladder": []}),
    ]
    assert all(is_meant(path, uids, pattern) for path in meant)
    assert not any(is_meant(path, uids, pattern) for path in others)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dcmqi_prostate_adc_seg_sr/files/data/segmentations/liver.dcm", "not coded as a neoplasm"),
        ("dcmqi_prostate_adc_seg_sr/files/data/segmentations/sparse-labelmap-ppv5.dcm", "not coded as a neoplasm"),
        ("dcmqi_prostate_adc_seg_sr/files/data/sr-example/seg.dcm", "is in another region (pharyngeal tonsil"),
    ],
)
def test_real_annotations_of_others_are_refused_with_a_reason(shared_data: Path, name: str, reason: str) -> None:
    path = shared_data / name
    study_uid = pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID
    with pytest.raises(NoTumour) as refused:
        read_annotation(path, [study_uid], "gtv|tumou?r")
    assert reason in refused.value.reason
    assert not is_meant(path, [study_uid], "gtv|tumou?r")


def test_coordinates_that_are_no_numbers_are_refused_with_the_reason(study: Study) -> None:
    path = structure_set(study.maker, {"GTV": [outline(study, 2, (7.5, 10.5, 16.5, 28.5))]})
    first = pydicom.dcmread(path).ROIContourSequence[0].ContourSequence[0].ContourData[0]
    path.write_bytes(path.read_bytes().replace(str(first).encode(), b"x" * len(str(first))))
    mask, (statement,) = find_reader_mask(study.exam(path), study.t2)
    assert mask is None
    assert "not triples of finite coordinates" in statement.reason


@pytest.mark.parametrize("kind", ["seg", "rtstruct"])
def test_a_damaged_annotation_is_read_or_refused_and_never_breaks(study: Study, kind: str) -> None:
    contours = [outline(study, height, (7.5, 10.5, 16.5, 28.5)) for height in (2, 3)]
    whole = (study.seg() if kind == "seg" else structure_set(study.maker, {"GTV": contours})).read_bytes()
    random = np.random.default_rng(7)
    path = study.maker.folder / "damaged.dcm"
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(400, len(whole), 6):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged[: random.integers(len(whole) // 2, len(whole) + 1)])
        is_meant(path, study.exam().study_uids, "gtv|tumou?r")
        mask, statements = find_reader_mask(study.exam(path), study.t2)
        assert mask is None or (mask.array.any() and mask.array.shape == study.t2.array.shape)
        assert all(statement.reason for statement in statements)


def drawn_on_diffusion(study: Study, as_contours: bool) -> tuple[Path, Volume, np.ndarray]:
    """A mask drawn on diffusion images of the exam: the object, the image it was drawn on, and the voxels."""
    grid = Grid(
        spacing=(4.0, 2.0, 2.0), origin=tuple(np.add(OBLIQUE.origin, (0.5, 0.7, 1.5))), orientation=OBLIQUE.orientation
    )
    slices = study.maker.slices(np.ones((6, 12, 12)), grid, DWI, DiffusionBValue=0.0)
    paths = study.maker.write(slices, "b0")
    mask = np.zeros((6, 12, 12), dtype=bool)
    mask[1:4, 3:7, 3:8] = True
    image = load_volume(SeriesFiles(classify(study.maker.headers(slices)), paths))
    annotation = structure_set(study.maker, {"GTV": contours_of(mask, image)}) if as_contours else None
    return annotation or segmentation(study.maker, slices, mask), image, mask


def contours_of(mask: np.ndarray, image: Volume) -> list[np.ndarray]:
    """A rectangle around each plane's voxels, LPS mm."""
    found = []
    for index in np.flatnonzero(mask.any(axis=(1, 2))):
        rows, columns = (np.flatnonzero(mask[index].any(axis=axis)) for axis in (1, 0))
        corners = [
            (index, rows[first] + 0.5 * side, columns[second] + 0.5 * other, 1)
            for first, side, second, other in ((0, -1, 0, -1), (0, -1, -1, 1), (-1, 1, -1, 1), (-1, 1, 0, -1))
        ]
        found.append((np.array(corners, dtype=float) @ image.affine.T)[:, :3])
    return found


@pytest.mark.parametrize("as_contours", [False, True])
def test_a_mask_drawn_on_the_diffusion_images_moves_with_them(study: Study, as_contours: bool) -> None:
    path, image, drawn = drawn_on_diffusion(study, as_contours)
    matrix = np.eye(4)
    matrix[:3, 3] = 4.0 * study.t2.affine[:3, 1] / np.linalg.norm(study.t2.affine[:3, 1])
    alignment = Alignment(matrix, True, 4.0, "moved by 4 mm")
    exam = study.exam(path)
    left, _ = find_reader_mask(exam, study.t2)
    moved, (said,) = find_reader_mask(exam, study.t2, diffusion=(image, alignment))
    refused, _ = find_reader_mask(exam, study.t2, diffusion=(image, replace(alignment, accepted=False)))
    assert left is not None and moved is not None and refused is not None
    shift = np.argwhere(moved.array).mean(axis=0) - np.argwhere(left.array).mean(axis=0)
    assert shift == pytest.approx([0.0, 4.0 / study.t2.spacing[1], 0.0], abs=0.6)
    assert np.array_equal(refused.array, left.array)
    assert said.code is Code.MASK_RESAMPLED
    assert "drawn on the diffusion images, moved with them" in said.reason
    back = mask_onto(moved.array, study.t2, alignment.moved(image))
    assert 2 * (back & drawn).sum() / (back.sum() + drawn.sum()) > 0.85


def test_a_mask_drawn_on_the_t2_stays_where_it_is(study: Study) -> None:
    _, image, _ = drawn_on_diffusion(study, False)
    matrix = np.eye(4)
    matrix[1, 3] = 4.0
    exam = study.exam(study.seg())
    mask, _ = find_reader_mask(exam, study.t2, diffusion=(image, Alignment(matrix, True, 4.0, "moved")))
    assert mask is not None
    np.testing.assert_array_equal(mask.array, study.mask)
