from __future__ import annotations

from pipelines.systems.networks.densenet import PUBLISHED, densenet
from pipelines.training.settings import TrainingSettings
from pipelines.training.signature_settings import signature_settings


def test_the_papers_way_is_the_papers() -> None:
    own = signature_settings(TrainingSettings(paper_mode=True))
    assert (own.rule.whole, own.rule.pixels, own.folds, own.views) == (True, 256, 1, 1)
    assert (own.recipe.optimiser, own.recipe.learning_rate, own.recipe.batch) == ("sgd", 0.01, 32)
    assert own.cropped
    assert own.size == PUBLISHED


def test_published_size_keeps_our_way() -> None:
    own = signature_settings(TrainingSettings(published=True))
    assert own.size == PUBLISHED
    assert (own.rule.whole, own.rule.pixels) == (False, 256)
    assert own.folds == 5


def test_the_small_networks_of_a_bundle_stay_below_two_and_a_half_megabytes() -> None:
    own = signature_settings(TrainingSettings())
    numbers = sum(value.numel() for value in densenet(own.size, 3).state_dict().values())
    assert 6 * own.folds * numbers * 2 < 4e6
