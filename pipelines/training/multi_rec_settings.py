"""What decides a bundle of system 3, besides the cohort and what every training run is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipelines.systems.multi_rec_columns import COLUMNS
from pipelines.systems.multi_rec_cut import T2_SQUARE
from pipelines.systems.networks.multi_rec_size import PUBLISHED, SMALL, T2, MultiRecNetSize, Variant
from pipelines.systems.tumour_field import FieldRule
from pipelines.training.multi_rec_loss import LossWeights
from pipelines.training.recipe import Recipe
from pipelines.training.settings import TrainingSettings

FIELD = FieldRule(slices=8, pixels=24, slice_mm=6.0, pixel_mm=2.75, margin=(1, 3))
PUBLISHED_FIELD = FieldRule(slices=16, pixels=128, slice_mm=4.0, pixel_mm=1.0, margin=(1, 8))


BEGUN_WITH: Mapping[Variant, tuple[Variant, ...]] = {
    Variant.ALL: (Variant.T2_DKI, Variant.CLINICAL),
    Variant.T2_DKI_PRECLINICAL: (Variant.T2_DKI, Variant.PRECLINICAL),
}


@dataclass(frozen=True)
class Hiding:
    """How often training hides what a patient has, so that what stands for a missing input is learnt: ``maps``, D and K
    together; ``values``, each clinical value; ``records``, all of a patient's."""

    maps: float = 0.25
    values: float = 0.1
    records: float = 0.1


@dataclass(frozen=True)
class MultiRecSettings:
    """``size``: its shape and columns are set by ``rule`` and variant. ``texture``: T2 has a second stem, for the mean
    squares within a voxel.

    ``recipe``: of networks that read images alone. ``table_recipe``: of those that read a table alone.
    ``joined_recipe``: of those that read both, which begin with the branches of the same fold's two others where
    ``warm``; ``recipe`` where not.
    ``validation_share``: of a fold's patients, who say when to stop; 0: nobody does. ``views``: through how many masks
    features are measured. ``penalty``: ridge of the Cox models; ``measured_penalty``: of those of measured features.
    """

    rule: FieldRule = FIELD
    size: MultiRecNetSize = SMALL
    variants: tuple[Variant, ...] = tuple(Variant)
    texture: bool = True
    folds: int = 3
    views: int = 3
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=20, batch=8, learning_rate=3e-3, weight_decay=1e-2))
    joined_recipe: Recipe = field(
        default_factory=lambda: Recipe(epochs=6, batch=8, learning_rate=1e-3, weight_decay=1e-2)
    )
    table_recipe: Recipe = field(
        default_factory=lambda: Recipe(epochs=60, batch=64, learning_rate=2e-3, weight_decay=1e-2)
    )
    warm: bool = True
    hiding: Hiding = field(default_factory=Hiding)
    loss: LossWeights = field(default_factory=LossWeights)
    validation_share: float = 0.0
    penalty: float = 0.001
    measured_penalty: float = 0.01

    def size_of(self, variant: Variant) -> MultiRecNetSize:
        """The size of a variant's networks."""
        columns = tuple(column for column in variant.columns if column in COLUMNS)
        size = replace(self.size, shape=(self.rule.pixels, self.rule.pixels, self.rule.slices))
        own = variant.of(size, columns)
        if not (self.texture and T2 in own.sequences):
            return own
        return replace(own, sequences=(T2, T2_SQUARE, *(name for name in own.sequences if name != T2)))

    def recipe_of(self, variant: Variant) -> Recipe:
        """How a variant's networks are trained."""
        if not variant.sequences:
            return self.table_recipe
        return self.joined_recipe if self.warm_from(variant) else self.recipe

    def warm_from(self, variant: Variant) -> tuple[Variant, ...]:
        """The variants whose branches this one begins with: that of the images, that of the same table."""
        found = BEGUN_WITH.get(variant, ()) if self.warm else ()
        return tuple(one for one in found if one in self.variants)


def multi_rec_settings(settings: TrainingSettings) -> MultiRecSettings:
    """The settings of a run: small, of published size, or the paper's way.

    The paper's learning rate of 5·10⁻⁶ stays constant here (its polynomial decay is not offered).
    Raises ValueError where first weights are given: there are none for these networks.
    """
    if settings.imagenet is not None:
        raise ValueError("multi_rec_net begins with no ImageNet weights: its networks read volumes")
    own = MultiRecSettings()
    if settings.published:
        own = replace(own, rule=PUBLISHED_FIELD, size=PUBLISHED)
    if not settings.paper_mode:
        return own
    recipe = Recipe(250, 8, 5e-6, weight_decay=1e-3, schedule="constant", patience=30)
    return replace(
        own,
        texture=False,
        recipe=recipe,
        joined_recipe=recipe,
        table_recipe=recipe,
        warm=False,
        hiding=Hiding(maps=0.0, values=0.0, records=0.0),
        loss=LossWeights(features=0.0),
        validation_share=0.15,
    )
