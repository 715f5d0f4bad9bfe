from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.contract import ModelIdentity
from pipelines.explain.viewed import Viewed
from pipelines.systems.dlrs_inputs import PUBLISHED, BoxRule, Modality, box, on_image
from pipelines.systems.dlrs_network import DlrsSize, dlrs_network, network_input
from pipelines.systems.dlrs_saliency import looking, stack_explanation, stacks_viewed, stage_read
from pipelines.systems.networks import resnet
from pipelines.volumes.resample import mask_onto
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs

RULE = BoxRule(slices=8, pixels=48)
SIZE = DlrsSize(resnet.ResNetSize(width=4), mixed=4)
MODEL = ModelIdentity("dlrs_nomogram", "net", "1.0", "0" * 64, "nobody", "0" * 64, True, "tests", "none")
EXAM = made_up_exam()
INPUTS, MASK = plain_inputs(EXAM), mask_of(EXAM)


def seen(modality: Modality, rule: BoxRule = RULE) -> Viewed:
    torch.manual_seed(0)
    boxes = box(INPUTS, modality, MASK, rule).array[None]
    networks = [dlrs_network(SIZE, rule.slices, len(rule.channels)).eval() for _ in range(2)]
    return stacks_viewed(modality, (networks, SIZE.resnet), boxes, np.array([True]))


@pytest.mark.parametrize(
    ("size", "pixels", "expected"),
    [
        (resnet.SMALL, 48, (2, 6)),
        (resnet.PUBLISHED, 112, (4, 4)),
        (replace(resnet.SMALL, fine_start=True), 48, (4, 6)),
        (resnet.SMALL, 24, (1, 6)),
        (resnet.SMALL, 8, (1, 2)),
    ],
)
def test_the_last_stage_that_shows_a_place_is_read(
    size: resnet.ResNetSize, pixels: int, expected: tuple[int, int]
) -> None:
    assert stage_read(size, pixels) == expected
    small = replace(size, width=2)
    network = dlrs_network(DlrsSize(small), 4, 1).eval()
    found: list[torch.Tensor] = []
    layer = looking(small, pixels).layer_of(network)
    handle = layer.register_forward_hook(lambda module, given, maps: found.append(maps))
    network(network_input(torch.zeros(1, 1, 4, pixels, pixels)))
    handle.remove()
    assert found[0].shape[-2:] == (expected[1], expected[1])


def test_a_map_of_the_stack_lies_where_the_stack_was_cut() -> None:
    """The stack's own mask, laid back, is the tumour that it was cut from."""
    for modality in Modality:
        stack = box(INPUTS, modality, MASK, RULE).array.astype(np.float32)
        held = np.flatnonzero(stack[1].any(axis=(1, 2)))
        middle = stack[1, held[held.size // 2]]  # the tumour gets smaller from slice to slice
        laid = on_image(middle, INPUTS, modality, MASK, RULE)
        source = INPUTS.t2 if modality is Modality.T2 else INPUTS.fitted_adc
        assert laid.array.shape == source.array.shape
        on_source = MASK if modality is Modality.T2 else mask_onto(MASK, INPUTS.t2, source)
        held = np.flatnonzero(on_source.any(axis=(1, 2)))
        index = int(held[held.size // 2])
        own = np.nan_to_num(laid.array[index]) > 0.5
        assert 2 * (own & on_source[index]).sum() / (own.sum() + on_source[index].sum()) > 0.97
        seen_slices = np.isfinite(laid.array).any(axis=(1, 2))
        np.testing.assert_array_equal(seen_slices, on_source.any(axis=(1, 2)))


def test_a_map_of_rectangles_fills_each_slices_own() -> None:
    rows = np.repeat(np.linspace(0.0, 1.0, PUBLISHED.pixels, dtype=np.float32)[:, None], PUBLISHED.pixels, axis=1)
    laid = on_image(rows, INPUTS, Modality.T2, MASK, PUBLISHED).array
    for index in np.flatnonzero(MASK.any(axis=(1, 2))):
        held = np.argwhere(MASK[index])
        (top, left), (bottom, right) = held.min(axis=0), held.max(axis=0)
        shown = np.argwhere(np.isfinite(laid[index]))
        assert (shown.min(axis=0).tolist(), shown.max(axis=0).tolist()) == ([top, left], [bottom, right])
        assert laid[index, top, left] < laid[index, bottom, left]


def test_there_is_one_map_for_all_slices_of_the_tumour_and_none_beside_it() -> None:
    view = seen(Modality.T2)
    found = stack_explanation(view, INPUTS, (Modality.T2, MASK, RULE), (SIZE.resnet, MODEL))
    assert found is not None
    valid = found.saliency.valid
    np.testing.assert_array_equal(valid.any(axis=(1, 2)), MASK.any(axis=(1, 2)))
    # Nothing was shown where no slice has tumour, but for the border that linear sampling blurs.
    flat = MASK.any(axis=0)
    assert (valid.any(axis=0) & flat).sum() >= 0.97 * flat.sum()
    assert valid.any(axis=0).sum() < 1.5 * flat.sum()
    held = np.flatnonzero(valid.any(axis=(1, 2)))
    both = valid[held[0]] & valid[held[-1]]
    np.testing.assert_allclose(
        found.saliency.volume.array[held[0]][both], found.saliency.volume.array[held[-1]][both], atol=1e-5
    )
    assert "stage 2 of 4 of a ResNet18 (6×6 pixels), mean of 2 networks" in found.saliency.how


def test_a_stack_without_masks_is_shown_as_a_whole() -> None:
    rule = BoxRule(slices=8, pixels=48, field_mm=None)
    view = seen(Modality.ADC, rule)
    assert view.tumour is None and view.shown is None
    found = stack_explanation(view, INPUTS, (Modality.ADC, MASK, rule), (SIZE.resnet, MODEL))
    assert found is not None and found.sequence == "ADC"
