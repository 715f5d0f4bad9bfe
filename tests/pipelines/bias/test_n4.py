from __future__ import annotations

import json

import numpy as np
import pytest

from pipelines.bias.n4 import LEAST_SAMPLES, N4Settings, correct_bias, first_sample
from pipelines.contract import Volume
from tests.benchmarks import n4 as benchmark
from tests.pipelines.biased_images import biased_image, reference_field, reference_shrunk

SHAPE = (12, 160, 192)
IMAGE = biased_image(SHAPE)
BRIEF = N4Settings(shrink=(1, 4, 4), iterations=(3, 3, 3, 3), convergence_threshold=0)


def test_at_a_fixed_number_of_iterations_the_field_is_simple_itks() -> None:
    ours = correct_bias([IMAGE.volume], [IMAGE.mask], BRIEF)[0]
    reference = reference_field(IMAGE, BRIEF).shrunk
    sampled = tuple(slice(first_sample(size, f), None, f) for size, f in zip(SHAPE, BRIEF.shrink, strict=True))
    log_field = np.log(ours.field[sampled]) + ours.log_mean
    assert np.ptp(reference) > 0.1
    assert np.abs(log_field - reference)[IMAGE.mask[sampled]].max() < 1e-4
    assert ours.iterations == (3, 3, 3, 3)


@pytest.mark.parametrize(("size", "factor"), [(320, 4), (512, 4), (129, 4), (130, 4), (131, 4), (100, 3), (28, 1)])
def test_the_kept_voxels_are_those_that_simple_itk_keeps(size: int, factor: int) -> None:
    ramp = np.arange(size, dtype=np.float32) + 1
    volume = Volume(np.broadcast_to(ramp, (2, 2, size)).copy(), np.eye(4))
    kept = reference_shrunk(volume, (1, 1, factor))[0, 0]
    assert kept[0] == ramp[first_sample(size, factor)]
    assert len(kept) == size // factor
    assert np.all(np.diff(kept) == factor)


def test_a_planted_field_is_found_and_taken_out() -> None:
    found = correct_bias([IMAGE.volume], [IMAGE.mask])[0]
    logs = np.log(found.field)
    assert np.corrcoef(logs[IMAGE.mask], IMAGE.log_field[IMAGE.mask])[0, 1] > 0.94
    for tissue in (1, 2, 3):
        inside = IMAGE.tissues == tissue
        before, after = (
            array[inside].std() / array[inside].mean() for array in (IMAGE.volume.array, found.corrected.array)
        )
        assert after < 0.7 * before
    np.testing.assert_allclose(found.corrected.array * found.field, IMAGE.volume.array, rtol=1e-5)
    np.testing.assert_array_equal(found.corrected.affine, IMAGE.volume.affine)


def test_intensities_keep_their_scale() -> None:
    found = correct_bias([IMAGE.volume], [IMAGE.mask])[0]
    assert np.log(found.field[IMAGE.mask]).mean() == pytest.approx(0, abs=0.003)
    times_seven = IMAGE.volume.like(IMAGE.volume.array * 7)
    again = correct_bias([times_seven], [IMAGE.mask])[0]
    np.testing.assert_allclose(again.corrected.array, found.corrected.array * 7, rtol=2e-3)
    assert again.iterations == found.iterations


def test_series_of_different_shape_are_corrected_each_as_if_alone() -> None:
    other = biased_image((6, 64, 80), seed=2)
    together = correct_bias([IMAGE.volume, other.volume], [IMAGE.mask, other.mask], BRIEF)
    for image, found in zip((IMAGE, other), together, strict=True):
        alone = correct_bias([image.volume], [image.mask], BRIEF)[0]
        np.testing.assert_array_equal(alone.field, found.field)
        assert alone.how == found.how


def test_a_small_image_is_shrunk_less_and_slices_never() -> None:
    small = biased_image((6, 64, 80), seed=2)
    found = correct_bias([small.volume], [small.mask])[0]
    assert found.shrink == (1, 64 // LEAST_SAMPLES, 80 // LEAST_SAMPLES)
    assert "shrink 1×2×2" in found.how
    assert N4Settings().shrink[0] == 1


def test_without_a_mask_tissue_is_told_from_background() -> None:
    found = correct_bias([IMAGE.volume], settings=BRIEF)[0]
    with_mask = correct_bias([IMAGE.volume], [IMAGE.mask], BRIEF)[0]
    inside = IMAGE.mask
    assert np.corrcoef(found.field[inside], with_mask.field[inside])[0, 1] > 0.95


@pytest.mark.parametrize("masked", [True, False])
def test_a_constant_image_is_returned_as_it_is_and_the_report_says_so(masked: bool) -> None:
    flat = IMAGE.volume.like(np.full(SHAPE, 42, dtype=np.float32))
    found = correct_bias([flat], [IMAGE.mask] if masked else None)[0]
    np.testing.assert_array_equal(found.corrected.array, flat.array)
    np.testing.assert_array_equal(found.field, 1)
    assert found.iterations == ()
    assert "no bias correction" in found.how


def test_an_empty_mask_leaves_the_image_and_the_others_of_its_batch_as_they_are() -> None:
    nothing = np.zeros(SHAPE, dtype=np.bool_)
    empty, full = correct_bias([IMAGE.volume, IMAGE.volume], [nothing, IMAGE.mask], BRIEF)
    np.testing.assert_array_equal(empty.corrected.array, IMAGE.volume.array)
    assert "no bias correction" in empty.how
    assert full.iterations == BRIEF.iterations


def test_voxels_without_a_logarithm_do_not_count() -> None:
    array = IMAGE.volume.array.copy()
    array[4:6, 60:70, 60:80] = 0
    array[2, 60, 60] = np.nan
    array[3, 60, 60] = -5
    holed = np.asarray(IMAGE.mask & (array > 0))
    with_holes = correct_bias([IMAGE.volume.like(array)], [IMAGE.mask], BRIEF)[0]
    without = correct_bias([IMAGE.volume], [holed], BRIEF)[0]
    assert np.isfinite(with_holes.field).all()
    np.testing.assert_array_equal(with_holes.field, without.field)


def test_a_mask_of_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match="mask of shape"):
        correct_bias([IMAGE.volume], [IMAGE.mask[1:]], BRIEF)


def test_the_report_names_every_parameter() -> None:
    settings = N4Settings(iterations=(7, 5), fwhm=0.2, noise=0.02, bins=100, control_points=5)
    found = correct_bias([IMAGE.volume], [IMAGE.mask], settings)[0]
    for words in ("7/5 iterations", "FWHM 0.2", "noise 0.02", "100 bins", "5 control points", "shrink 1×4×4"):
        assert words in found.how
    assert found.how.endswith(f"done {found.iterations[0]}/{found.iterations[1]}")
    assert found.iterations[0] <= 7


def test_the_benchmark_runs_and_prints_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    benchmark.main(["--quick"])
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["parity_max_difference"] < 2e-4
    assert printed["cv_ratio"] < 1.01
    assert printed["cpu_speedup"] > 0
    assert {"gpu_ms_per_series", "field_correlation", "reference_field_correlation"} <= printed.keys()
