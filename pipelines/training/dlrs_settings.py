"""What decides a bundle of system 4, besides the cohort and what every training run is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.systems.dlrs_inputs import PUBLISHED as PUBLISHED_BOX
from pipelines.systems.dlrs_inputs import SMALL as SMALL_BOX
from pipelines.systems.dlrs_inputs import BoxRule
from pipelines.systems.dlrs_network import DlrsSize
from pipelines.systems.networks.resnet import PUBLISHED as PUBLISHED_RESNET
from pipelines.systems.networks.resnet import ResNetSize
from pipelines.training.recipe import Recipe
from pipelines.training.settings import TrainingSettings

SMALL = DlrsSize(ResNetSize(width=8, dropout=0.1, fine_start=False), mixed=6)


@dataclass(frozen=True)
class DlrsSettings:
    """``folds``: of patients, for out-of-fold probabilities; ``views``: through how many masks training sees a tumour.

    ``validation_share``: of a fold's patients, who say when to stop; 0: nobody does, every epoch is run.
    ``feature_weight``: of the error in measured features beside the risk. ``cross_entropy``: the paper's loss.
    ``penalty``: ridge of the Cox models; ``measured_penalty``: of the one of measured features.
    """

    rule: BoxRule = SMALL_BOX
    size: DlrsSize = SMALL
    folds: int = 5
    views: int = 3
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=80, batch=32, learning_rate=4e-3, weight_decay=1e-2))
    validation_share: float = 0.0
    feature_weight: float = 4.0
    cross_entropy: bool = False
    penalty: float = 0.001
    measured_penalty: float = 0.01


def dlrs_settings(settings: TrainingSettings) -> DlrsSettings:
    """The settings of a run: small, of published size, or the paper's way."""
    if not (settings.published or settings.paper_mode):
        return DlrsSettings()
    size = DlrsSize(PUBLISHED_RESNET if settings.published else SMALL.resnet)
    recipe = Recipe(epochs=60, batch=32, learning_rate=1e-3, weight_decay=1e-4, optimiser="sgd", patience=10)
    if settings.paper_mode:
        return DlrsSettings(
            rule=PUBLISHED_BOX,
            size=size,
            views=1,
            recipe=recipe,
            validation_share=0.15,
            feature_weight=0.0,
            cross_entropy=True,
        )
    return DlrsSettings(size=size, rule=BoxRule(pixels=112))
