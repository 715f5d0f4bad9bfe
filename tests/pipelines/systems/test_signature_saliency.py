from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.contract import ModelIdentity, TimePoint
from pipelines.explain.viewed import Viewed
from pipelines.systems.networks.densenet import SMALL, densenet
from pipelines.systems.signature_inputs import CropRule, Sequence, signature_input
from pipelines.systems.signature_saliency import crop_explanation, crops_viewed
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

RULE = CropRule(field_mm=60.0, pixels=40)
MODEL = ModelIdentity("signature_svm", "net", "1.0", "0" * 64, "nobody", "0" * 64, True, "tests", "none")
EXAM = made_up_exam(TimePoint.RESTAGING)
INPUTS, MASK = plain_inputs(EXAM), mask_of(EXAM)


def networks(count: int = 2) -> list[torch.nn.Module]:
    torch.manual_seed(0)
    return [densenet(SMALL, 3).eval() for _ in range(count)]


def seen(sequence: Sequence, rule: CropRule = RULE) -> Viewed:
    crops = signature_input(INPUTS, sequence, MASK, rule).astype(np.float16)[None]
    return crops_viewed("post", networks(), crops, np.array([True]))


def test_the_map_is_the_class_activation_map_of_the_folds() -> None:
    view = seen(Sequence.T2)
    total = torch.zeros(1, 1)
    with torch.no_grad():
        for network in view.networks:
            maps = torch.relu(network.features(view.inputs[0]))  # type: ignore[operator]  # a Sequential
            weights = network.class_layers.out.weight[0]  # type: ignore[union-attr, index]  # a Linear
            total = total + torch.relu((weights[:, None, None] * maps[0]).sum(dim=0))
    fine = torch.nn.functional.interpolate(total[None, None], size=(40, 40), mode="bilinear")[0, 0].numpy()
    np.testing.assert_allclose(view.saliency()[0], fine / fine.max(), atol=1e-4)


@pytest.mark.parametrize("sequence", list(Sequence))
def test_the_map_lies_on_the_t2_where_the_crop_was_cut(sequence: Sequence) -> None:
    view = seen(sequence)
    # A network that looks at the mask alone: its map must come to lie on the tumour.
    crop = view.tumour
    assert crop is not None

    class Tumour(Viewed):
        def saliency(self) -> np.ndarray:
            assert self.tumour is not None
            return self.tumour

    own = Tumour(**{name: getattr(view, name) for name in view.__dataclass_fields__})
    found = crop_explanation(own, INPUTS, (sequence, MASK, RULE), MODEL)
    assert found is not None
    slices = np.flatnonzero(found.saliency.valid.any(axis=(1, 2)))
    assert slices.tolist() == [int(MASK.sum(axis=(1, 2)).argmax())]
    assert found.inside_share > 0.88  # a voxel of diffusion is nearly three of the T2
    outline = found.saliency.volume.array[slices[0]] > 0.5
    overlap = 2 * (outline & MASK[slices[0]]).sum() / (outline.sum() + MASK[slices[0]].sum())
    assert overlap > 0.9
    assert found.area_share == pytest.approx(MASK[slices[0]].sum() * 1.5**2 / 60.0**2, rel=0.08)


def test_a_crop_of_thin_slices_still_lies_on_a_slice_of_the_t2() -> None:
    thin = replace(INPUTS, ce_t1=None)
    high_b = thin.high_b
    affine = high_b.affine.copy()
    affine[:3, 0] /= 4.0  # 1 mm: the slice with most tumour can lie between two of the T2, 4 mm apart
    affine[:3, 3] = high_b.affine[:3, 3] + 0.375 * 10 * high_b.affine[:3, 0]
    moved = {b: replace(volume, affine=affine) for b, volume in thin.dwi.items()}
    inputs = replace(thin, dwi=moved, adc=replace(thin.fitted_adc, affine=affine))
    crops = signature_input(inputs, Sequence.DWI, MASK, RULE).astype(np.float16)[None]
    view = crops_viewed("post_dwi", networks(1), crops, np.array([True]))
    assert crop_explanation(view, inputs, (Sequence.DWI, MASK, RULE), MODEL) is not None


def test_a_whole_slice_has_no_mask_and_covers_the_slice() -> None:
    rule = CropRule(pixels=36, whole=True)
    view = seen(Sequence.T2, rule)
    assert view.tumour is None
    found = crop_explanation(view, INPUTS, (Sequence.T2, MASK, rule), MODEL)
    assert found is not None
    assert found.saliency.valid.any(axis=(1, 2)).sum() == 1
    assert found.saliency.valid[int(MASK.sum(axis=(1, 2)).argmax())].all()


def test_what_is_said_of_it_names_exam_sequence_model_and_direction() -> None:
    view = replace(seen(Sequence.CE_T1), raised=np.array([False]))
    found = crop_explanation(view, INPUTS, (Sequence.CE_T1, MASK, RULE), MODEL)
    assert found is not None
    assert (found.time_point, found.sequence, found.raised) == (TimePoint.RESTAGING, "CE-T1", False)
    assert found.saliency.model is MODEL
    assert "mean of 2 networks" in found.saliency.how
