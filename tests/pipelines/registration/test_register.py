from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from pipelines.contract import Affine, Alignment, Code, InputUnfit, Volume
from pipelines.registration.register import align_dwi, align_exams, carried, displacement

FRAME = "2.25.1"
TURN = Rotation.from_euler("xyz", [-18, 4, 6], degrees=True).as_matrix()
"""Oblique, as slices across the rectum are."""


def scene(grid: Volume, world_to_scene: Affine, person: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a pelvis of ellipsoids at the voxel centres, and a smooth texture of the same anatomy."""
    index = np.stack(np.meshgrid(*map(np.arange, grid.array.shape), indexing="ij"), axis=-1)
    matrix = world_to_scene @ grid.affine
    points = index @ matrix[:3, :3].T + matrix[:3, 3]
    labels = np.zeros(grid.array.shape, dtype=int)
    rng = np.random.default_rng(person)
    organs = [((0, -25, 15), (25, 18, 22)), ((3, 30, 0), (17, 15, 60)), ((0, 5, -8), (14, 12, 15))]
    organs = [(tuple(np.array(middle) + (person != 8) * rng.uniform(-20, 20, 3)), radii) for middle, radii in organs]
    solids = [((0, 0, 0), (120, 95, 300)), *organs]
    solids += [(tuple(rng.uniform(-50, 50, 3)), tuple(rng.uniform(5, 13, 3))) for _ in range(30)]
    for number, (middle, radii) in enumerate(solids, start=1):
        labels[(((points - middle) / radii) ** 2).sum(axis=-1) <= 1] = 1 + number % 6
    texture = sum(np.sin(points @ direction) for direction in rng.normal(0, 0.12, (6, 3)))
    return labels, np.asarray(texture)


def volume(shape: tuple[int, int, int], spacing: tuple[float, float, float], turn: np.ndarray = TURN) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = turn[:, [2, 1, 0]] * spacing
    affine[:3, 3] = np.array([5.0, 20.0, -40.0]) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Volume(np.zeros(shape, dtype=np.float32), affine, FRAME)


TO_SCENE = np.eye(4)
TO_SCENE[:3, 3] = (-5, -20, 40)
T2_SIGNAL, DWI_SIGNAL = np.array([2, 95, 40, 120, 60, 20, 75, 150]), np.array([3, 20, 55, 110, 70, 35, 90, 130])


def imaged(grid: Volume, signal: np.ndarray, to_scene: Affine = TO_SCENE, seed: int = 0, person: int = 8) -> Volume:
    labels, texture = scene(grid, to_scene, person)
    image = signal[labels] + 4 * texture + np.random.default_rng(seed).normal(0, 4, labels.shape)
    return grid.like(image.astype(np.float32))


T2 = imaged(volume((14, 84, 84), (4.2, 2.1, 2.1)), T2_SIGNAL)
DWI = imaged(volume((14, 72, 72), (4.2, 2.5, 2.5)), DWI_SIGNAL, seed=1)
NOISE = np.random.default_rng(2).normal(100, 10, DWI.array.shape)


def moved(source: Volume, millimetres: tuple[float, float, float]) -> Volume:
    """The same voxels said to lie elsewhere: so many mm along the axes of slices, rows and columns."""
    affine = source.affine.copy()
    affine[:3, 3] += (source.affine[:3, :3] / source.spacing) @ millimetres
    return Volume(source.array, affine, source.frame_of_reference_uid)


def residual(found: Alignment, displaced: Volume, true: Volume) -> float:
    """mm between where the middle of the displaced image was put and where it belongs."""
    middle = np.append((np.array(true.array.shape) - 1) / 2, 1.0)
    return float(np.linalg.norm((found.moved(displaced).affine @ middle - true.affine @ middle)[:3]))


@pytest.mark.parametrize(
    ("axis", "shift"), [(1, (0, 2.3, 0)), (1, (0, -4.0, 0)), (2, (0, 0, 3.1)), (None, (0, 0, -3.0))]
)
def test_a_shift_along_phase_encoding_is_found_within_half_a_millimetre(
    axis: int | None, shift: tuple[float, float, float]
) -> None:
    displaced = moved(DWI, shift)
    found = align_dwi(T2, {800.0: DWI.like(NOISE.astype(np.float32)), 0.0: displaced}, axis)
    assert found.accepted
    assert residual(found, displaced, DWI) < 0.5
    assert found.displacement_mm == pytest.approx(np.linalg.norm(shift), abs=0.5)
    assert "shifted by" in found.how


def test_a_patient_who_moved_besides_is_followed_within_bounds() -> None:
    displaced = moved(DWI, (0, 2.5, -2.4))
    found = align_dwi(T2, {0.0: displaced}, 1)
    assert found.accepted
    assert residual(found, displaced, DWI) < 0.5


def test_an_image_in_its_place_stays_there() -> None:
    found = align_dwi(T2, {0.0: DWI}, 1)
    assert not found.accepted
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert found.displacement_mm == 0
    assert found.how.startswith("not moved: ")
    assert found.moved(DWI) is DWI


@pytest.mark.parametrize("grain", [0.0, 2.0])
def test_noise_alone_moves_nothing(grain: float) -> None:
    noise = ndimage.gaussian_filter(NOISE, grain)
    for axis in (1, None):
        found = align_dwi(T2, {0.0: DWI.like(noise.astype(np.float32))}, axis)
        assert not found.accepted, found.how


@pytest.mark.parametrize("shift", [(0, 10.5, 0), (0, -10.0, 0), (0, 2.0, 4.2)])
def test_a_larger_displacement_than_can_be_believed_is_not_made(shift: tuple[float, float, float]) -> None:
    found = align_dwi(T2, {0.0: moved(DWI, shift)}, 1)
    assert not found.accepted
    assert "more than can be believed" in found.how
    np.testing.assert_array_equal(found.matrix, np.eye(4))


def test_images_without_contrast_or_overlap_are_not_moved() -> None:
    nothing = DWI.like(np.zeros_like(DWI.array))
    for t2, dwi in ((T2, nothing), (T2.like(np.zeros_like(T2.array)), DWI), (T2, moved(DWI, (0, 0, 900)))):
        found = align_dwi(t2, {0.0: dwi}, 1)
        assert not found.accepted
        assert "too little field or contrast" in found.how


def test_other_frames_of_reference_no_dwi_or_no_such_axis_are_refused() -> None:
    with pytest.raises(InputUnfit) as refused:
        align_dwi(T2, {0.0: Volume(DWI.array, DWI.affine, "2.25.2")}, 1)
    assert refused.value.code is Code.NOT_ALIGNED
    with pytest.raises(InputUnfit) as refused:
        align_dwi(T2, {}, 1)
    assert refused.value.code is Code.NO_DIFFUSION
    with pytest.raises(ValueError, match="phase-encode axis"):
        align_dwi(T2, {0.0: DWI}, 0)


def rigid(degrees: tuple[float, float, float], millimetres: tuple[float, float, float]) -> Affine:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = millimetres
    return matrix


BETWEEN = rigid((6, -4, 8), (25, -12, 60))
"""Baseline LPS to restaging LPS: the patient lay down anew."""


def restaging(turn: np.ndarray, offset: tuple[float, float, float] = (0, 0, 0)) -> Volume:
    grid = volume((15, 80, 80), (3.9, 2.2, 2.2), turn)
    affine = grid.affine.copy()
    affine[:3, 3] += BETWEEN[:3, 3] + offset
    return imaged(Volume(grid.array, affine, "2.25.9"), T2_SIGNAL * 1.7, TO_SCENE @ np.linalg.inv(BETWEEN), seed=5)


def target_error(found: Alignment) -> float:
    """mm, the largest in a cube of 40 mm around the middle of the baseline."""
    corners = np.array([(x, y, z, 1) for x in (-15, 25) for y in (0, 40) for z in (-60, -20)], dtype=float).T
    return float(np.linalg.norm(((found.matrix - BETWEEN) @ corners)[:3], axis=0).max())


ANGLED_OTHERWISE = rigid((-14, 0, 3), (0, 0, 0))[:3, :3]


@pytest.fixture(scope="module")
def follow_up() -> Volume:
    return restaging(ANGLED_OTHERWISE)


@pytest.fixture(scope="module")
def placed(follow_up: Volume) -> Alignment:
    return align_exams(T2, follow_up)


def test_the_baseline_is_found_on_the_restaging_exam(placed: Alignment) -> None:
    assert placed.accepted, placed.how
    assert target_error(placed) < 1.0
    assert placed.displacement_mm > 50
    assert placed.matrix[:3, :3] @ placed.matrix[:3, :3].T == pytest.approx(np.eye(3), abs=1e-6)


def test_fields_planned_apart_are_brought_together() -> None:
    found = align_exams(T2, restaging(TURN, (6, -14, 16)))
    assert found.accepted, found.how
    assert target_error(found) < 1.0


def test_a_mask_is_carried_to_where_the_same_anatomy_lies(follow_up: Volume, placed: Alignment) -> None:
    mask = scene(T2, TO_SCENE)[0] == 3
    there = scene(follow_up, TO_SCENE @ np.linalg.inv(BETWEEN))[0] == 3
    bed = carried(mask, T2, follow_up, placed)
    assert bed.shape == follow_up.array.shape
    assert 2 * (bed & there).sum() / (bed.sum() + there.sum()) > 0.85
    not_moved = Alignment(np.eye(4), accepted=False, displacement_mm=0.0, how="")
    np.testing.assert_array_equal(carried(mask, T2, T2, not_moved), mask)


def test_another_person_or_a_blank_image_is_not_taken_for_the_same() -> None:
    person = imaged(T2, T2_SIGNAL, person=9)
    for other in (person, T2.like(np.ones_like(T2.array))):
        found = align_exams(T2, other)
        assert not found.accepted, found.how
        assert found.how.startswith("not moved: ")
        np.testing.assert_array_equal(found.matrix, np.eye(4))


def test_the_same_images_give_the_same_answer(follow_up: Volume, placed: Alignment) -> None:
    displaced = moved(DWI, (0, 2.0, 0))
    first, second = (align_dwi(T2, {0.0: displaced}, 1) for _ in range(2))
    np.testing.assert_array_equal(first.matrix, second.matrix)
    again = align_exams(T2, follow_up)
    np.testing.assert_array_equal(again.matrix, placed.matrix)
    assert again.how == placed.how


def test_displacement_is_the_largest_in_the_central_half() -> None:
    grid = volume((3, 101, 101), (2.0, 1.0, 1.0), np.eye(3))
    middle = grid.affine[:3, :3] @ [1, 50, 50] + grid.affine[:3, 3]
    turn = rigid((0, 0, 2), (0, 0, 0))
    turn[:3, 3] = middle - turn[:3, :3] @ middle
    assert displacement(turn, grid) == pytest.approx(2 * np.sin(np.radians(1)) * np.hypot(25, 25))
