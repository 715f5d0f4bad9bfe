from __future__ import annotations

from pipelines.systems.networks.rp_net import PUBLISHED
from pipelines.training.rp_settings import RpSettings, rp_settings
from pipelines.training.settings import TrainingSettings


def test_the_papers_way_is_what_the_authors_code_does() -> None:
    own = rp_settings(TrainingSettings(paper_mode=True))
    assert (own.size.base, own.size.depth, own.size.head_norm, own.size.shared) == (16, 5, "instance", False)
    assert own.cut.foreground and own.rule.shape == (16, 64, 64)
    assert (own.recipe.optimiser, own.recipe.learning_rate, own.recipe.schedule) == ("sgd", 0.01, "plateau")
    assert own.oversampling == 5 and own.feature_weight == 0.0 and own.validation_share > 0


def test_published_networks_read_our_field_at_their_size() -> None:
    own = rp_settings(TrainingSettings(published=True))
    assert (own.size.base, own.size.depth) == (PUBLISHED.base, PUBLISHED.depth)
    assert not own.cut.foreground
    assert all(axis % own.size.divisor == 0 for axis in (own.rule.slices, own.rule.pixels))


def test_the_small_networks_fit_their_field() -> None:
    own = rp_settings(TrainingSettings())
    assert own == RpSettings()
    assert all(axis % own.size.divisor == 0 for axis in (own.rule.slices, own.rule.pixels))
    assert own.cut.views == own.views
