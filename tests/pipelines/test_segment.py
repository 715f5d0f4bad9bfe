from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines import segment
from pipelines.bundle import BundleError, save_bundle
from pipelines.contract import Code, Exam, InputUnfit, MaskOrigin
from pipelines.envelope import exam_facts, fit_envelope
from pipelines.segment import (
    SegmenterSize,
    TumourSegmenter,
    largest_region,
    network_grid,
    network_input,
    segmenter_network,
    stored_weights,
)
from tests.pipelines.made_up_exam import grid, made_up_exam, mask_of, plain_inputs
from tests.pipelines.made_up_manifest import manifest

SIZE = SegmenterSize(spacing=1.5, window=(8, 32, 32), filters=(2, 4, 4, 4))


class DarkT2(torch.nn.Module):
    """Stands in for a trained network: tumour is where the T2 is dark."""

    def __init__(self, limit: float = 0.42) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return (self.limit - batch[:, :1]) * 200


@lru_cache
def image_facts(seed: int) -> dict[str, float]:
    exam = made_up_exam(seed=seed)
    return exam_facts(plain_inputs(exam))


@pytest.fixture
def segmenter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TumourSegmenter]:
    def build(network: torch.nn.Module, min_cm3: float = 0.5, of: torch.nn.Module | None = None) -> TumourSegmenter:
        monkeypatch.setattr(segment, "segmenter_network", lambda size: network)
        described = manifest(
            system="segmenter",
            network=SIZE.as_json(),
            thresholds={"probability": 0.5, "min_volume_cm3": min_cm3},
            envelope=fit_envelope([image_facts(seed) for seed in range(12)], of_mask=False),
        )
        bundle = save_bundle(tmp_path / "segmenter", described, {"network": stored_weights(of or network)})
        return TumourSegmenter(bundle, torch.device("cpu"))

    return build


def test_the_network_grid_covers_the_t2_with_the_same_slices_and_edges() -> None:
    t2 = grid((19, 384, 384), 0.5, 3.0)
    target = network_grid(t2, 1.5)
    assert target.array.shape == (19, 128, 128)
    assert target.spacing == pytest.approx((3.0, 1.5, 1.5))
    corner = np.array([0, -0.5, -0.5, 1])
    assert target.affine @ corner == pytest.approx(t2.affine @ corner)


def test_channels_are_t2_high_b_and_adc_at_a_fixed_scale() -> None:
    exam = made_up_exam(adc=0.7)
    channels = network_input(plain_inputs(exam), exam.t2)
    mask = mask_of(exam)
    assert channels.shape == (3, *exam.t2.array.shape)
    assert channels[0][~mask].mean() == pytest.approx(0.5, abs=0.01)  # tissue over twice its median
    assert channels[0][mask].mean() == pytest.approx(0.5 * 180 / 300, abs=0.01)
    assert np.median(channels[2][mask]) * 3.5 == pytest.approx(0.7, abs=0.03)


def test_a_tumour_is_returned_on_the_t2_grid(segmenter) -> None:
    exam = made_up_exam()
    mask = segmenter(DarkT2()).segment(exam)
    truth = mask_of(exam)
    assert mask.array.shape == exam.t2.array.shape
    assert 2 * (mask.array & truth).sum() / (mask.array.sum() + truth.sum()) > 0.95
    assert mask.origin is MaskOrigin.MODEL
    assert (mask.algorithm, mask.version) == ("made-up", "1.0")
    assert mask.model is not None
    assert mask.model.name == "made-up"
    assert mask.how.endswith("DWI b 1000 s/mm² and ADC; not checked by a reader")


def test_an_exam_unlike_the_training_cohort_is_segmented_and_says_so(segmenter) -> None:
    found = segmenter(DarkT2())
    exam = made_up_exam(b_values=(50.0, 400.0, 800.0))
    assert "unlike the segmenter's training cohort: highest b-value 800 s/mm²" in found.segment(exam).how
    assert found.envelope(made_up_exam(seed=50)).inside
    assert not found.envelope(exam).inside


def test_nothing_found_is_a_refusal_that_names_the_exam(segmenter) -> None:
    with pytest.raises(InputUnfit, match=r"found no tumour of at least 0\.5 cm³ on the baseline exam") as caught:
        segmenter(DarkT2(limit=-1.0)).segment(made_up_exam())
    assert caught.value.code is Code.NO_TUMOUR_FOUND


def test_a_region_below_the_smallest_tumour_is_a_refusal(segmenter) -> None:
    with pytest.raises(InputUnfit, match="at least 500 cm³"):
        segmenter(DarkT2(), min_cm3=500.0).segment(made_up_exam())


def test_an_exam_without_diffusion_is_refused(segmenter) -> None:
    exam: Exam = replace(made_up_exam(), dwi={})
    with pytest.raises(InputUnfit) as caught:
        segmenter(DarkT2()).segment(exam)
    assert caught.value.code is Code.NO_DIFFUSION


def test_the_most_probable_region_is_kept_whole() -> None:
    probability = np.zeros((3, 10, 10), np.float32)
    probability[1, 1:3, 1:3] = 0.9
    probability[1, 5:8, 5:8] = 0.6
    found = largest_region(probability, 0.5)
    assert found.sum() == 9
    assert found[1, 6, 6]
    assert not largest_region(probability, 0.95).any()


def test_the_network_takes_any_number_of_slices_by_sliding_window(segmenter) -> None:
    torch.manual_seed(0)
    network = segmenter_network(SIZE)
    for shape in ((3, 3, 40, 40), (3, 19, 50, 41)):
        assert (
            segmenter(network).probability(np.random.default_rng(0).random(shape).astype(np.float32)).shape == shape[1:]
        )


def test_the_same_exam_gives_the_same_mask(segmenter) -> None:
    found = segmenter(DarkT2())
    assert np.array_equal(found.segment(made_up_exam()).array, found.segment(made_up_exam()).array)


def test_the_networks_weights_come_back_and_are_stored_once(segmenter, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = segmenter_network(SIZE).eval()
    stored = stored_weights(network)
    assert sum(value.numel() for value in stored.values()) == sum(p.numel() for p in network.parameters())
    exam = np.random.default_rng(0).random((3, 8, 32, 32)).astype(np.float32)
    with torch.inference_mode():
        expected = torch.sigmoid(network(torch.from_numpy(exam)[None]))[0, 0].numpy()
    assert segmenter(network).probability(exam) == pytest.approx(expected, abs=2e-3)


def test_weights_of_another_network_are_refused(segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BundleError, match="does not fit the network of its manifest"):
        segmenter(DarkT2(), of=torch.nn.Linear(1, 1))
