"""Our objects read back by the code of others: the same masks, the same numbers, the same picture."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from pipelines.contract import COMPLETE_RESPONSE, GOOD_RESPONSE, METASTASIS, RECURRENCE
from tests.peers.javascript import run_script
from tests.peers.scored import ScoredPair
from tests.programs import program
from tests.real_pair import position_along_normal

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]

DCMJS = Path(__file__).parent / "read_with_dcmjs.js"
VOLUME, DIAMETER, ADC = ("118565006", "SCT"), ("L0JK", "IBSI"), ("113041", "DCM")
PREDICTION = hd.sr.CodedConcept("PREDICTION", "99RESTAGE", "Predicted outcome")
QUANTITIES = {"volume": VOLUME, "longest_diameter": DIAMETER, "adc_mean": ADC}
PROBABILITIES = {GOOD_RESPONSE: "P_GOODRESP", COMPLETE_RESPONSE: "P_CR", METASTASIS: "P_DM", RECURRENCE: "P_DFS_EVENT"}
LIMITS = {"lower": "P_LOWER", "upper": "P_UPPER"}


@dataclass(frozen=True)
class Mask:
    """A SEG object, the images it was made on in slice order, and the SHA-256 of the mask that was found."""

    path: Path
    images: tuple[Path, ...]
    sha256: str

    @property
    def headers(self) -> list[Dataset]:
        return [dcmread(path, stop_before_pixels=True) for path in self.images]

    def is_found(self, mask: NDArray[np.bool_]) -> bool:
        """Whether a mask (slices, rows, columns) is the one that the findings hold, voxel for voxel."""
        return bool(mask.any()) and hashlib.sha256(np.packbits(mask).tobytes()).hexdigest() == self.sha256


@dataclass(frozen=True)
class Number:
    """One NUM item: its concept, its value and the code of its unit."""

    concept: tuple[str, str]
    value: float
    unit: str


#: The numbers of each group, by its tracking UID and its time point in words, empty for a prediction.
Numbers = dict[tuple[str, str], set[Number]]


# --- masks ------------------------------------------------------------------------------------------------------


def test_every_mask_that_was_found_is_sent(scored: ScoredPair) -> None:
    assert len(list(masks(scored))) == sum(exam["mask"] is not None for exam in scored.findings["exams"])


def test_dcmjs_paints_the_masks_that_were_found(scored: ScoredPair) -> None:
    for mask in masks(scored):
        headers = mask.headers
        seen = dcmjs(mask.path, *mask.images)
        painted = np.zeros((len(headers), headers[0].Rows, headers[0].Columns), bool)
        for plane, places in zip(painted, seen["painted"], strict=True):
            plane.flat[places] = True
        assert mask.is_found(painted)
        positions = {str(header.SOPInstanceUID): header.ImagePositionPatient for header in headers}
        assert sorted(positions) == sorted(frame["source"] for frame in seen["frames"])
        for frame in seen["frames"]:
            assert frame["position"] == pytest.approx(positions[frame["source"]], abs=1e-4)
        assert [label.startswith("Rectal tumour") for label in seen["segments"]] == [True]


def test_highdicom_reads_the_masks_that_were_found(scored: ScoredPair) -> None:
    for mask in masks(scored):
        seg = hd.seg.segread(mask.path)
        uids = [str(header.SOPInstanceUID) for header in mask.headers]
        pixels = seg.get_pixels_by_source_instance(uids, segment_numbers=[1])
        assert mask.is_found(pixels[..., 0].astype(bool))


def test_highdicom_finds_the_masks_on_the_grid_of_their_images(scored: ScoredPair) -> None:
    for mask in masks(scored):
        volume = hd.seg.segread(mask.path).get_volume(combine_segments=True)
        images = hd.get_volume_from_series([dcmread(path) for path in mask.images])
        on_grid = volume.match_geometry(images)
        assert np.allclose(on_grid.affine, images.affine)
        assert np.count_nonzero(on_grid.array) == np.count_nonzero(volume.array)
        planes = on_grid.array if _ascends(images.affine) else on_grid.array[::-1]
        assert mask.is_found(planes.astype(bool))


def masks(pair: ScoredPair) -> Iterator[Mask]:
    """Every SEG among the results."""
    header_of = {path: dcmread(path, stop_before_pixels=True) for path in pair.sources}
    exams = {uid: exam for exam in pair.findings["exams"] for uid in exam["study_uids"]}
    for path in pair.results:
        seg = dcmread(path, stop_before_pixels=True)
        if seg.SOPClassUID != SegmentationStorage:
            continue
        (series,) = seg.ReferencedSeriesSequence
        of_series = [one for one, header in header_of.items() if header.SeriesInstanceUID == series.SeriesInstanceUID]
        of_series.sort(key=lambda one: position_along_normal(header_of[one]))
        exam = exams[str(header_of[of_series[0]].StudyInstanceUID)]
        yield Mask(path, tuple(of_series), exam["mask"]["sha256"])


def _ascends(affine: NDArray[np.float64]) -> bool:
    """Whether slices of a highdicom volume (slices, rows, columns) run along the normal, as ours do."""
    return bool(np.linalg.det(affine[:3, [2, 1, 0]]) > 0)


# --- numbers ----------------------------------------------------------------------------------------------------


def test_dcmjs_and_highdicom_read_every_number_of_the_report(scored: ScoredPair) -> None:
    for path in reports(scored):
        written = written_numbers(path)
        assert numbers_by_dcmjs(path) == written
        assert numbers_by_highdicom(path) == written


def test_the_numbers_they_read_are_those_that_were_found(scored: ScoredPair) -> None:
    for path in reports(scored):
        read = numbers_by_highdicom(path)
        for found in scored.findings["measurements"]:
            at_time = [
                all_of for (_, when), all_of in read.items() if when.startswith(found["time_point"].capitalize())
            ]
            concept = QUANTITIES[found["quantity"]]
            (number,) = (one for all_of in at_time for one in all_of if one.concept == concept)
            assert written_as(number.value, found["value"]), (found, number)


def test_the_predictions_they_read_are_those_that_were_made_and_may_leave(scored: ScoredPair) -> None:
    scores = scored.findings["scores"]
    for path in reports(scored):
        said = {element.value for element in dcmread(path).iterall() if element.keyword == "CodeValue"}
        read = [prediction_by_highdicom(group) for group in prediction_groups(path)]
        assert len(read) == (0 if "SCORES_WITHHELD" in said else len(scores))
        for score in scores if read else ():
            code = PROBABILITIES[score["outcome"]]
            (numbers,) = (one for model, one in read if model == score["model"]["name"] and code in one)
            assert written_as(numbers[code], 100 * score["probability"])
            assert all(written_as(numbers[limit], 100 * score[name]) for name, limit in LIMITS.items())


def test_highdicom_follows_each_tumour_to_its_segment(scored: ScoredPair) -> None:
    segs = {str(seg.SOPInstanceUID): seg for seg in scored.of(SegmentationStorage)}
    for path in reports(scored):
        groups = hd.sr.srread(path).content.get_volumetric_roi_measurement_groups()
        cited = [group.referenced_segment for group in groups]
        assert sorted(one.referenced_sop_instance_uid for one in cited) == sorted(segs)
        for group in groups:
            seg = segs[group.referenced_segment.referenced_sop_instance_uid]
            assert group.tracking_uid == seg.SegmentSequence[0].TrackingUID
            assert group.tracking_identifier == seg.SegmentSequence[0].TrackingID
            (series,) = seg.ReferencedSeriesSequence
            source = group.referenced_segment.source_series_for_segmentation
            assert source.value == series.SeriesInstanceUID


def reports(pair: ScoredPair) -> list[Path]:
    found = [path for path in pair.results if _class_of(path) in (Comprehensive3DSRStorage, ComprehensiveSRStorage)]
    assert found
    return found


def prediction_groups(path: Path) -> list[hd.sr.MeasurementsAndQualitativeEvaluations]:
    content = hd.sr.srread(path).content
    return list(content.get_image_measurement_groups(finding_type=PREDICTION))


def prediction_by_highdicom(group: hd.sr.MeasurementsAndQualitativeEvaluations) -> tuple[str, dict[str, float]]:
    """The name of the model, and its numbers by their codes."""
    (model,) = (item.value for item in group[0].ContentSequence if item.name == codes.DCM.AlgorithmName)
    return str(model), {one.name.value: float(one.value) for one in group.get_measurements()}


def written_as(number: float, value: float) -> bool:
    """Whether a number is the value, rounded to as many places as the number has."""
    places = Decimal(f"{number:.10g}").as_tuple().exponent
    assert isinstance(places, int)
    return abs(number - value) <= 0.5 * 10.0**places + 1e-9


def numbers_by_dcmjs(path: Path) -> Numbers:
    def one(item: dict[str, Any]) -> Number:
        return Number((item["name"]["value"], item["name"]["scheme"]), item["number"], item["unit"])

    found: Numbers = {}
    for group in dcmjs(path)["groups"]:
        said = {item["name"]["value"]: item.get("uid") or item.get("text") for item in group}
        found[_key(said)] = {one(item) for item in group if item["type"] == "NUM"}
    return found


def numbers_by_highdicom(path: Path) -> Numbers:
    content = hd.sr.srread(path).content
    found: Numbers = {}
    for group in (*content.get_volumetric_roi_measurement_groups(), *content.get_image_measurement_groups()):
        (container,) = group
        items = [item for item in container.ContentSequence if item.ValueType in ("TEXT", "UIDREF")]
        found[_key({item.name.value: str(item.value) for item in items})] = {
            Number((one.name.value, one.name.scheme_designator), float(one.value), one.unit.value)
            for one in group.get_measurements()
        }
    return found


def written_numbers(path: Path) -> Numbers:
    """Every NUM of the file, by plain attributes."""
    found: Numbers = {}
    root = dcmread(path)
    containers = [item for item in root.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010"]
    for group in (group for container in containers for group in container.ContentSequence):
        items = list(group.ContentSequence)
        said = {one.ConceptNameCodeSequence[0].CodeValue: one.get("UID") or one.get("TextValue") for one in items}
        found[_key(said)] = {_number(one) for one in items if one.ValueType == "NUM"}
    every = [element for element in root.iterall() if element.keyword == "ValueType" and element.value == "NUM"]
    assert sum(map(len, found.values())) == len(every), "a number outside of the groups, or twice in one"
    return found


def _number(item: Dataset) -> Number:
    name, (measured,) = item.ConceptNameCodeSequence[0], item.MeasuredValueSequence
    unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
    return Number((name.CodeValue, name.CodingSchemeDesignator), float(measured.NumericValue), unit)


def _key(said: dict[str, str]) -> tuple[str, str]:
    """Tracking Unique Identifier and Time Point (TID 1502).

    Not the tracking identifier: dcmjs reads text in items of sequences as Latin-1, whatever the character set is.
    """
    return said["112040"], said.get("C2348792", "")


def dcmjs(*paths: Path) -> dict[str, Any]:
    """What read_with_dcmjs.js sees in an object."""
    done = run_script(DCMJS, *paths, seconds=60)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


# --- maps and pictures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", ["demo_every_kind", "real_every_kind"])
def test_the_adc_that_highdicom_reads_in_the_map_is_the_tumours(made: str, request: pytest.FixtureRequest) -> None:
    pair: ScoredPair = request.getfixturevalue(made)
    for time_point in ("baseline", "restaging"):
        adc_map, seg = (pair.results[0].parent / f"{kind}_{time_point}.dcm" for kind in ("maps", "seg"))
        (reported,) = (
            one["value"]
            for one in pair.findings["measurements"]
            if one["quantity"] == "adc_mean" and one["time_point"] == time_point
        )
        volume = hd.imread(adc_map).get_volume(apply_real_world_transform=True)
        mask = hd.seg.segread(seg).get_volume(combine_segments=True)
        # Measured where the diffusion images belong; the map lies where they were acquired.
        points = mask.map_indices_to_reference(np.argwhere(mask.array)) - _shift(pair, time_point, volume)
        read = _values_at(volume, points)
        assert float(np.mean(read[read > 0])) == pytest.approx(reported, rel=0.05)


def _shift(pair: ScoredPair, time_point: str, volume: hd.Volume) -> NDArray[np.float64]:
    """How far, in LPS mm, the exam's diffusion images were moved onto its T2, as the report says it."""
    said = dict(pair.findings["parameters"]).get(f"{time_point} T2 and DWI", "")
    moved = re.search(r"shifted by ([+−-][\d.]+) mm along its (rows|columns)", said)
    if moved is None:
        return np.zeros(3)
    along = volume.affine[:3, 1 if moved[2] == "columns" else 2]
    return np.asarray(float(moved[1].replace("−", "-")) * along / np.linalg.norm(along))


def _values_at(volume: hd.Volume, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The volume's voxels in which some LPS points lie; points outside of it are left out."""
    places = np.rint(volume.map_reference_to_indices(points)).astype(int)
    inside = ((places >= 0) & (places < volume.spatial_shape)).all(axis=1)
    return np.asarray(volume.array[tuple(places[inside].T)], float)


def test_dcmtk_draws_every_picture_pixel_for_pixel(scored: ScoredPair, tmp_path: Path) -> None:
    pictures = [path for path in scored.results if _class_of(path) == SecondaryCaptureImageStorage]
    assert pictures
    for path in pictures:
        drawn = tmp_path / "picture.ppm"
        subprocess.run([program("dcm2pnm", "dcmtk"), path, drawn], check=True, timeout=60)
        assert np.array_equal(_read_ppm(drawn), dcmread(path).pixel_array)


def _read_ppm(path: Path) -> NDArray[np.uint8]:
    """A binary PPM, as (rows, columns, RGB)."""
    content = path.read_bytes()
    head = re.match(rb"P6\s+(?:#.*\n)?(\d+)\s+(\d+)\s+255\s", content)
    assert head is not None, content[:20]
    columns, rows = int(head[1]), int(head[2])
    return np.frombuffer(content[head.end() :], np.uint8).reshape(rows, columns, 3)


def _class_of(path: Path) -> UID:
    return UID(dcmread(path, specific_tags=["SOPClassUID"]).SOPClassUID)
