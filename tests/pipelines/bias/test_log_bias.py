from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.bias.histogram_sharpening import Sharpening
from pipelines.bias.log_bias import Limits, LogField, Tissue, log_field
from pipelines.contract import FloatArray
from tests.pipelines.biased_images import BiasedImage, biased_image

CPU = torch.device("cpu")
IMAGES = [biased_image((6, 32, 40), seed) for seed in (1, 2, 3)]
IMAGES[1].mask[:3] = False
IMAGES[2].mask[:, :, :15] = False


def packed(images: list[BiasedImage]) -> Tissue:
    return Tissue.packed([logs(image) for image in images], [image.mask for image in images], CPU)


def logs(image: BiasedImage) -> FloatArray:
    return np.where(image.mask, np.log(image.volume.array), 0).astype(np.float32)


def estimated(images: list[BiasedImage], threshold: float) -> LogField:
    sharpening = Sharpening.on(CPU, len(images), bins=200, fwhm=0.15, noise=0.01)
    return log_field(packed(images), sharpening, Limits((20, 40), threshold), control_points=4)


@pytest.mark.parametrize("threshold", [0, 0.0015])
def test_a_batch_gives_what_each_series_gives_alone(threshold: float) -> None:
    """The masks differ in size, so all but one series are padded, and each converges in its own time.

    Rounding differs with the number of threads.
    """
    together = estimated(IMAGES, threshold)
    for i, image in enumerate(IMAGES):
        alone = estimated([image], threshold)
        np.testing.assert_array_equal(alone.iterations[0], together.iterations[i])
        np.testing.assert_allclose(alone.mean[0], together.mean[i], atol=1e-4)
        # Points that no voxel of this mask speaks for stay 0 in both.
        np.testing.assert_allclose(alone.lattice[0], together.lattice[i], atol=1e-4)
    assert threshold == 0 or len({tuple(each) for each in together.iterations.tolist()}) > 1


def test_the_variation_of_a_field_is_that_of_its_exponential_and_padding_does_not_count() -> None:
    tissue = packed(IMAGES)
    everywhere = torch.from_numpy(np.random.default_rng(3).normal(0.2, 0.1, tissue.inside.shape).astype(np.float32))
    change = everywhere.view(-1)[tissue.voxels]
    for i, (image, variation) in enumerate(zip(IMAGES, tissue.variation(change), strict=True)):
        field = np.exp(change[i, : image.mask.sum()].numpy().astype(np.float64))
        assert float(variation) == pytest.approx(field.std() / field.mean(), rel=1e-4)


def test_the_packed_voxels_are_those_of_the_masks() -> None:
    tissue = packed(IMAGES)
    boxes = torch.zeros_like(tissue.inside)
    boxes.view(-1)[tissue.voxels.view(-1)] = tissue.logs.view(-1)
    placed = np.zeros((len(IMAGES), *IMAGES[0].mask.shape), dtype=np.float32)
    placed[np.ix_(range(len(IMAGES)), *(at.numpy() for at in tissue.positions))] = boxes.numpy()
    np.testing.assert_array_equal(placed, np.stack([logs(image) for image in IMAGES]))
