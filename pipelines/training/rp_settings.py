"""What decides a bundle of system 2, besides the cohort and what every training run is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.systems.logistic import COSTS
from pipelines.systems.networks.rp_net import PUBLISHED, SMALL, RpNetSize
from pipelines.systems.rp_cut import MARGIN, RpCut
from pipelines.systems.tumour_field import FieldRule
from pipelines.training.recipe import Recipe
from pipelines.training.settings import TrainingSettings


@dataclass(frozen=True)
class RpSettings:
    """``size``: of every sequence's networks, but for their channels. ``folds``: of patients, for out-of-fold logits;
    ``views``: through how many masks features are measured. ``foreground``: the paper's way of cutting.

    ``validation_share``: of a fold's patients, who say when to stop; 0: nobody does, every epoch is run.
    ``mask_weight`` and ``feature_weight``: of the error in both outlines, and in measured features that a network
    learns to read beside the response; the response's own has weight 1. ``oversampling``: how often complete responders
    are among the rows of an epoch. ``refits``: bootstrap refits of the stages that the node uses. ``costs``: what the
    ridge of the final stages is chosen from.
    """

    size: RpNetSize = SMALL
    rule: FieldRule = field(default_factory=lambda: FieldRule(margin=MARGIN))
    foreground: bool = False
    folds: int = 3
    views: int = 3
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=16, batch=8, learning_rate=3e-3, weight_decay=1e-2))
    validation_share: float = 0.0
    mask_weight: float = 1.0
    feature_weight: float = 1.0
    oversampling: int = 1
    refits: int = 100
    costs: tuple[float, ...] = COSTS

    @property
    def cut(self) -> RpCut:
        """How exams are cut for training."""
        return RpCut(self.rule, self.views, self.foreground)


def rp_settings(settings: TrainingSettings) -> RpSettings:
    """The settings of a run: small, of published size, or the paper's way.

    Jin et al. 2021 with the authors' code (repository Heng14/3D_RP-Net): two branches, 16 × 64 × 64 voxels of the
    foreground, both random flips and scaling alike at both times, SGD at 0.01 halved on a plateau, complete responders
    five times. They stop by the data that they report; here an inner split says when.
    """
    if settings.paper_mode:
        return RpSettings(
            size=RpNetSize(shared=False),
            rule=FieldRule(pixels=64),
            foreground=True,
            views=1,
            recipe=Recipe(epochs=100, batch=8, learning_rate=0.01, optimiser="sgd", schedule="plateau"),
            validation_share=0.15,
            feature_weight=0.0,
            oversampling=5,
        )
    if settings.published:
        recipe = Recipe(epochs=60, batch=8, learning_rate=1e-3, weight_decay=1e-2, patience=15)
        rule = FieldRule(pixels=64, pixel_mm=1.0, margin=(2, 8))
        return RpSettings(size=PUBLISHED, rule=rule, recipe=recipe, validation_share=0.15)
    return RpSettings()
