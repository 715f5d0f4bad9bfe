from __future__ import annotations

import numpy as np
import torch
from scipy.interpolate import BSpline

from pipelines.bias.b_spline import LEAST_SUPPORT, GridFit, basis, evaluate, refined

SAMPLES = (5, 9, 12)
POINTS = 5


def bases() -> list[torch.Tensor]:
    return [basis(torch.arange(size), size, POINTS) for size in SAMPLES]


def lattice(seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(2, POINTS, POINTS, POINTS)))


def test_the_basis_is_the_uniform_cubic_b_spline() -> None:
    spans = POINTS - 3
    at = np.linspace(0, 11, 30)
    ours = basis(torch.from_numpy(at), 12, POINTS).numpy()
    spline = BSpline(np.arange(-3, spans + 4), np.eye(POINTS), 3)
    np.testing.assert_allclose(ours, spline(at * spans / 11), atol=1e-12)


def test_outside_the_grid_the_value_at_its_end_is_held() -> None:
    held = basis(torch.tensor([-0.5, 0, 11, 11.75]), 12, POINTS)
    assert torch.equal(held[0], held[1])
    assert torch.equal(held[2], held[3])


def test_an_axis_with_a_single_sample_is_at_its_first_place() -> None:
    np.testing.assert_allclose(basis(torch.tensor([0]), 1, 4).numpy(), [[1 / 6, 4 / 6, 1 / 6, 0]])


def test_the_spline_is_the_sum_of_products_of_its_bases() -> None:
    z, y, x = bases()
    expected = torch.einsum("bijk,zi,yj,xk->bzyx", lattice(), z, y, x)
    np.testing.assert_allclose(evaluate(lattice(), [z, y, x]), expected, atol=1e-12)


def test_a_refined_lattice_gives_the_same_spline() -> None:
    finer = refined(lattice())
    assert finer.shape == (2, 7, 7, 7)
    halved = [basis(torch.arange(size), size, 7) for size in SAMPLES]
    np.testing.assert_allclose(evaluate(finer, halved), evaluate(lattice(), bases()), atol=1e-12)


def test_the_fit_is_that_of_lee_voxel_by_voxel() -> None:
    random = np.random.default_rng(4)
    inside = random.random((2, *SAMPLES)) < 0.6
    inside[1, :, :, 7:] = False
    values = np.where(inside, random.normal(size=inside.shape), 0)
    expected = [by_definition(values[i], inside[i]) for i in range(2)]
    grid = GridFit.over(
        [torch.arange(size) for size in SAMPLES], SAMPLES, POINTS, torch.from_numpy(inside.astype(np.float32))
    )
    fitted = grid.fit(torch.from_numpy(values.astype(np.float32)))
    np.testing.assert_allclose(fitted, expected, atol=1e-5)
    assert fitted.dtype == torch.float64


def by_definition(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]], inside: object) -> object:
    """Equations 3 to 5 of Lee 1997, one voxel at a time."""
    z, y, x = (weights.numpy() for weights in bases())
    asked, support = np.zeros((POINTS,) * 3), np.zeros((POINTS,) * 3)
    for i, j, k in zip(*np.nonzero(inside), strict=True):
        weight = z[i][:, None, None] * y[j][:, None] * x[k]
        asked += weight**2 * (weight * values[i, j, k] / (weight**2).sum())
        support += weight**2
    return np.divide(asked, support, out=np.zeros_like(asked), where=support > LEAST_SUPPORT)


def test_a_point_that_no_voxel_speaks_for_stays_zero() -> None:
    inside = torch.zeros(1, *SAMPLES)
    inside[:, :, :, :3] = 1
    grid = GridFit.over([torch.arange(size) for size in SAMPLES], SAMPLES, 11, inside)
    fitted = grid.fit(inside * 5)
    assert torch.isfinite(fitted).all()
    assert fitted[..., -1].abs().max() == 0
    assert fitted[..., 0].abs().min() > 0.1


def test_a_box_of_the_grid_gives_what_the_grid_gives() -> None:
    inside = torch.zeros(1, *SAMPLES)
    inside[:, 1:4, 2:7, 3:9] = 1
    values = inside * torch.from_numpy(np.random.default_rng(5).normal(size=inside.shape)).float()
    whole = GridFit.over([torch.arange(size) for size in SAMPLES], SAMPLES, POINTS, inside)
    box = GridFit.over(
        [torch.arange(1, 4), torch.arange(2, 7), torch.arange(3, 9)], SAMPLES, POINTS, inside[:, 1:4, 2:7, 3:9]
    )
    np.testing.assert_allclose(box.fit(values[:, 1:4, 2:7, 3:9].contiguous()), whole.fit(values), atol=1e-6)
