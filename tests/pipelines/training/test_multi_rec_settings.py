from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.systems.networks.multi_rec_size import Variant
from pipelines.training.multi_rec_settings import MultiRecSettings, multi_rec_settings
from pipelines.training.settings import TrainingSettings


def test_every_variant_has_its_inputs_and_the_field_s_shape() -> None:
    own = MultiRecSettings()
    sizes = {variant: own.size_of(variant) for variant in Variant}
    assert sizes[Variant.T2].sequences == ("T2", "T2 squared")
    assert sizes[Variant.ALL].sequences == ("T2", "T2 squared", "ADC", "Dapp", "Kapp")
    assert sizes[Variant.CLINICAL].sequences == () and sizes[Variant.T2].clinical is None
    assert sizes[Variant.ALL].shape == (own.rule.pixels, own.rule.pixels, own.rule.slices)
    assert replace(own, texture=False).size_of(Variant.T2).sequences == ("T2",)


def test_networks_that_read_both_begin_with_those_that_read_one() -> None:
    own = MultiRecSettings()
    assert own.warm_from(Variant.ALL) == (Variant.T2_DKI, Variant.CLINICAL)
    assert own.recipe_of(Variant.ALL) is own.joined_recipe
    cold = replace(own, warm=False)
    assert cold.warm_from(Variant.ALL) == () and cold.recipe_of(Variant.ALL) is own.recipe
    assert own.recipe_of(Variant.PRECLINICAL) is own.table_recipe
    assert replace(own, variants=(Variant.ALL,)).recipe_of(Variant.ALL) is own.recipe


@pytest.mark.parametrize("paper", [False, True])
def test_published_size_and_the_papers_way_make_sizes_that_hold_together(paper: bool) -> None:
    own = multi_rec_settings(TrainingSettings(published=True, paper_mode=paper))
    size = own.size_of(Variant.ALL)
    assert size.shape == (128, 128, 16) and size.base == 16
    assert (own.loss.features == 0.0) is paper
    if paper:
        assert size.sequences == ("T2", "ADC", "Dapp", "Kapp")


def test_there_are_no_imagenet_weights_for_volumes() -> None:
    with pytest.raises(ValueError, match="no ImageNet weights"):
        multi_rec_settings(TrainingSettings(published=True, imagenet="resnet18.pth"))
