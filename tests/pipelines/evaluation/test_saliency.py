"""Maps that do not hang on the image, or on what was learnt, are called out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.evaluation.saliency import check, chosen
from pipelines.explain.grad_cam import Looking
from pipelines.explain.randomised import randomised
from pipelines.explain.viewed import Viewed
from tests.pipelines.evaluation.made_predictions import judged_response
from tests.pipelines.explain.made_networks import Deaf, Pooled

PATIENTS, SIDE = 8, 16


class Places(torch.nn.Module):
    """Looks at the same corner whatever the image: its maps are weights of places, not of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.places = torch.nn.Parameter(torch.linspace(0, 1, SIDE * SIDE).view(1, 1, SIDE, SIDE))
        self.last = torch.nn.Linear(1, 1)
        torch.nn.init.ones_(self.last.weight)
        self.maps = torch.nn.Identity()
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.maps(self.places.expand(len(images), -1, -1, -1) * 1.0)
        return self.last(maps.mean(dim=(2, 3)))


class Bright(torch.nn.Module):
    """Has learnt that what is bright, and nothing else, speaks for the outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 1)
        self.last = torch.nn.Linear(4, 1)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.bias.fill_(-2.0)  # type: ignore[union-attr]
            self.conv.weight[:, 0] = 1.0
            self.last.weight.fill_(1.0)
        self.maps = torch.nn.ReLU()
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.maps(self.conv(images)).mean(dim=(2, 3)))


def viewed(network: torch.nn.Module, layer: str) -> Viewed:
    """Patients with a tumour of 4 × 4 of 16 × 16 pixels, each in a place of its own, brighter than noise around it."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(PATIENTS, 2, SIDE, SIDE)).astype(np.float32)
    tumour = np.zeros((PATIENTS, SIDE, SIDE), dtype=np.float32)
    for patient in range(PATIENTS):
        row, column = rng.integers(0, SIDE - 4, size=2)
        tumour[patient, row : row + 4, column : column + 4] = 1.0
    images[:, 0] += 4.0 * tumour
    looking = Looking(lambda one: one.get_submodule(layer), lambda output: output[:, 0])
    inputs = (torch.from_numpy(images),)
    return Viewed("pre_t2", [network], looking, inputs, np.ones(PATIENTS, dtype=bool), images[:, 0], tumour)


def test_a_network_that_ignores_the_image_is_caught_by_its_empty_maps() -> None:
    found = check(viewed(Deaf(), "conv"))
    assert found.even == 1.0
    assert found.inside == 0.0
    assert math.isnan(found.untrained) and math.isnan(found.between)
    assert any("make nothing of places" in doubt for doubt in found.doubts)


def test_a_network_that_looks_at_one_place_whatever_the_image_is_caught() -> None:
    found = check(viewed(Places(), "maps"))
    assert found.between == pytest.approx(1.0)
    assert any("all patients have the same map" in doubt for doubt in found.doubts)


def test_a_network_that_learnt_the_tumour_raises_no_doubt() -> None:
    found = check(viewed(Bright(), "maps"))
    assert found.doubts == ()
    assert found.area == pytest.approx(16 / 256)
    assert found.inside > 0.8
    assert found.inside_untrained < found.inside
    assert found.patients == PATIENTS


def test_an_untrained_network_is_called_no_better_than_untrained_ones() -> None:
    """The same draw of weights on both sides: rank correlation 1, and no more of the map in the tumour."""
    view = viewed(Pooled(), "relu")
    same = check(replace(view, networks=[randomised(view.networks[0], 0)]))
    assert same.untrained == pytest.approx(1.0)
    assert any("untrained networks have much the same maps" in doubt for doubt in same.doubts)


def test_where_nobody_knows_the_tumour_there_is_no_share_and_no_doubt_about_it() -> None:
    found = check(replace(viewed(Bright(), "maps"), tumour=None))
    assert all(math.isnan(one) for one in (found.inside, found.inside_untrained, found.area))
    assert not any("tumour" in doubt for doubt in found.doubts)


def test_places_that_were_not_shown_count_for_nothing() -> None:
    view = viewed(Bright(), "maps")
    assert view.tumour is not None
    shown = np.zeros(view.tumour.shape, dtype=bool)
    shown[:, :, : SIDE // 2] = True
    found = check(replace(view, shown=shown))
    assert found.area == pytest.approx(float(view.tumour[shown].mean()))
    assert not found.example.trained[:, SIDE // 2 :].any()


def test_a_single_patient_is_compared_with_nobody() -> None:
    view = viewed(Bright(), "maps")
    assert view.tumour is not None and view.inputs[0] is not None
    alone = replace(
        view, inputs=(view.inputs[0][:1],), raised=view.raised[:1], image=view.image[:1], tumour=view.tumour[:1]
    )
    found = check(alone)
    assert math.isnan(found.between) and found.patients == 1


def test_of_a_volume_the_example_is_the_plane_with_most_tumour() -> None:
    volume = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 2, 6, 8, 8)).astype(np.float32))
    tumour = np.zeros((3, 6, 8, 8), dtype=np.float32)
    tumour[:, 4, 2:5, 2:5] = 1.0
    looking = Looking(lambda one: one.get_submodule("relu"), lambda output: output[:, 0])
    image = volume[:, 0].numpy()
    view = Viewed("pre_dwi", [Pooled(3)], looking, (volume,), np.ones(3, dtype=bool), image, tumour)
    example = check(view).example
    assert example.tumour is not None
    np.testing.assert_array_equal(example.tumour, tumour[0, 4])
    assert any(np.array_equal(example.image, one[4]) for one in image)


def test_the_patients_are_those_whom_the_default_model_covers() -> None:
    judged = judged_response(120)
    covered = np.flatnonzero(judged.default.covered)
    prepared = [_Prepared(row) for row in range(120)]
    found = [one.row for one in chosen(prepared, judged.predicted)]  # type: ignore[arg-type, attr-defined]
    assert len(found) == 40 and found == sorted(found)
    assert set(found) <= set(covered.tolist())


def test_figures_have_their_names_in_the_metrics() -> None:
    found = check(viewed(Bright(), "maps")).as_json()
    assert found["patients"] == PATIENTS
    assert found["inside_tumour"] > found["tumour_area"]
    assert set(found) >= {"rank_correlation_untrained", "rank_correlation_between_patients", "even", "doubts"}


class _Prepared:
    refusal = ""

    def __init__(self, row: int) -> None:
        self.row = row
