from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pipelines.bundle import Bundle
from pipelines.systems.multi_rec_cut import T2_SQUARE
from pipelines.systems.multi_rec_saliency import field_explanation, fields_viewed, level_read, looking
from pipelines.systems.networks.multi_rec_net import PUBLISHED, SMALL, MultiRecNet, Variant
from tests.pipelines.made_up_exam import made_up_exam, mask_of, plain_inputs
from tests.pipelines.made_up_manifest import manifest
from tests.pipelines.made_up_recurrence import QUICK_MULTI_REC, RULE


def test_the_last_level_that_shows_a_place_is_read() -> None:
    assert level_read(PUBLISHED) == (3, 8)
    assert level_read(replace(SMALL, shape=(24, 24, 8))) == (1, 6)
    assert level_read(replace(SMALL, shape=(8, 8, 8))) == (0, 4)


def test_every_level_is_a_layer_of_the_network() -> None:
    for shape in ((24, 24, 8), (48, 48, 16), (8, 8, 8)):
        size = replace(SMALL, shape=shape)
        assert isinstance(looking(size).layer_of(MultiRecNet(size)), torch.nn.Module)


def test_the_map_lies_on_the_t2_around_the_tumour_and_names_what_was_shown() -> None:
    torch.manual_seed(1)
    size = QUICK_MULTI_REC.size_of(Variant.T2_DKI)
    networks = [MultiRecNet(size).eval() for _ in range(2)]
    exam = made_up_exam(ce_t1=False)
    images = torch.randn(1, len(size.sequences), *size.shape)
    present = torch.tensor([[name in ("T2", T2_SQUARE, "ADC") for name in size.sequences]])
    model = Bundle(Path("nowhere"), manifest(), "0" * 64).identity
    outlines = np.zeros((1, *np.moveaxis(images[0, 0].numpy(), -1, 0).shape), dtype=bool)
    viewed = fields_viewed(networks, (images, present), outlines, np.array([False]))
    assert viewed.image.shape == viewed.saliency().shape == outlines.shape
    found = field_explanation(viewed, size, (plain_inputs(exam), mask_of(exam), RULE), model)
    assert found is not None and found.sequence == "T2, ADC" and not found.raised
    assert found.saliency.volume.array.shape == exam.t2.array.shape
    assert found.saliency.valid[mask_of(exam)].all() and not found.saliency.valid.all()
    assert 0.0 <= found.inside_share <= 1.0
    values = found.saliency.volume.array
    assert np.all(values >= 0) and np.all(values <= 1.0001)
