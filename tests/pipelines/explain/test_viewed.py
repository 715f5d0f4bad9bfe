from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from pipelines.explain.grad_cam import Looking, grad_cam
from pipelines.explain.viewed import Viewed
from tests.pipelines.explain.made_networks import Pooled

LOOKING = Looking(lambda network: network.get_submodule("relu"), lambda output: output[:, 0])


def viewed(axes: int = 2) -> Viewed:
    seen = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 2, *(8,) * axes)).astype(np.float32))
    image = seen[:, 0].numpy()
    return Viewed("made_up", [Pooled(axes)], LOOKING, (seen,), np.array([True, False]), image, None)


def test_a_patient_below_the_usual_has_the_map_of_what_lowered_the_output() -> None:
    view = viewed()
    raised = grad_cam(view.networks, LOOKING, view.inputs)
    lowered = grad_cam(view.networks, LOOKING, view.inputs, [False, False])
    assert not np.allclose(raised[1], lowered[1])
    np.testing.assert_array_equal(view.saliency(), np.stack([raised[0], lowered[1]]))


def test_where_nothing_was_shown_there_is_no_map_and_the_rest_fills_the_scale() -> None:
    view = viewed()
    whole = view.saliency()
    shown = whole < 0.5
    part = replace(view, shown=shown).saliency()
    assert not part[~shown].any()
    np.testing.assert_allclose(part.max(axis=(1, 2)), 1.0)
    np.testing.assert_allclose(part[0], np.where(shown[0], whole[0], 0) / whole[0][shown[0]].max(), rtol=1e-5)


def test_slices_come_first_whatever_the_network_reads() -> None:
    view = viewed(3)
    np.testing.assert_array_equal(replace(view, slices_last=True).saliency(), np.moveaxis(view.saliency(), -1, 1))
