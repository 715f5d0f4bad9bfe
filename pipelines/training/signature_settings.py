"""What decides a bundle of system 1, besides the cohort and what every training run is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.systems.final_stage import Grid
from pipelines.systems.networks.densenet import PUBLISHED, SMALL, DenseNetSize
from pipelines.systems.signature_inputs import CropRule
from pipelines.training.recipe import Recipe
from pipelines.training.settings import TrainingSettings


@dataclass(frozen=True)
class SignatureSettings:
    """``folds``: of patients, for out-of-fold signatures; 1: the paper's way, networks that saw every patient.

    ``views``: through how many masks training sees each tumour, the one drawn and disturbed ones. ``refits``: bootstrap
    refits of the machines that the node uses. ``validation_share``: of a fold's patients, who say when to stop; 0:
    nobody does, every epoch is run. ``feature_weight``: of the error in measured features that a network learns to
    read beside the outcome. ``grid``: what C and γ are chosen from. ``compared``: whether the models that stand in
    reports alone are trained too. ``cropped``: the paper's random crops in place of rotation, scale, gain and contrast.
    """

    size: DenseNetSize = SMALL
    rule: CropRule = field(default_factory=CropRule)
    folds: int = 5
    views: int = 3
    refits: int = 8
    recipe: Recipe = field(
        default_factory=lambda: Recipe(epochs=32, batch=32, learning_rate=2e-3, weight_decay=1e-2, patience=12)
    )
    validation_share: float = 0.15
    feature_weight: float = 0.3
    grid: Grid = field(default_factory=Grid)
    compared: bool = True
    cropped: bool = False


def signature_settings(settings: TrainingSettings) -> SignatureSettings:
    """The settings of a run: small, of published size, or the paper's way.

    Zhang et al., section 2.5: slices resampled to 256×256, random crops (scale 0.8–1.0, ratio 0.9–1.1) and flips, SGD
    at 0.01 with batches of 32; probabilities of networks that saw the patient as signatures. They do not give the
    number of epochs.
    """
    if settings.paper_mode:
        return SignatureSettings(
            size=PUBLISHED,
            rule=CropRule(pixels=256, whole=True),
            folds=1,
            views=1,
            recipe=Recipe(epochs=50, batch=32, learning_rate=0.01, optimiser="sgd", schedule="constant"),
            validation_share=0.0,
            feature_weight=0.0,
            cropped=True,
        )
    if settings.published:
        recipe = Recipe(epochs=60, batch=32, learning_rate=1e-3, weight_decay=1e-2, patience=15)
        return SignatureSettings(size=PUBLISHED, rule=CropRule(pixels=256), recipe=recipe)
    return SignatureSettings()
