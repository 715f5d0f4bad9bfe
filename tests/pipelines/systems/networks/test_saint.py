from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from pipelines.systems.networks.saint import Column, Saint, SaintSize

SIZE = SaintSize(
    (Column("age_years"), Column("sex", 2), Column("stage", 3), Column("length_mm")), dim=16, heads=2, hidden=8
)


def network(size: SaintSize = SIZE) -> Saint:
    torch.manual_seed(11)
    return Saint(size)


def table(rows: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and which of them are missing; no row misses all."""
    generator = torch.Generator().manual_seed(12)
    numbers = torch.randn(rows, 2, generator=generator)
    words = torch.stack([torch.arange(rows) % 2, torch.arange(rows) % 3], dim=1).float()
    missing = (torch.arange(rows)[:, None] + torch.arange(4)) % 5 == 0
    return torch.cat([numbers[:, :1], words, numbers[:, 1:]], dim=1), missing


def outputs(saint: Saint, values: torch.Tensor, missing: torch.Tensor | None) -> torch.Tensor:
    """CLS and columns' tokens, (batch, 1 + columns, dim)."""
    with torch.no_grad():
        told = saint(values, missing)
    return torch.cat([told.cls[:, None], told.columns], dim=1)


def test_a_table_becomes_a_cls_token_and_one_token_per_column() -> None:
    told = network()(*table(3))
    assert told.cls.shape == (3, 16)
    assert told.columns.shape == (3, 4, 16)


def test_a_patient_alone_gives_what_it_gives_among_others_while_training_too() -> None:
    saint, (values, missing) = network().train(), table()
    together = outputs(saint, values, missing)
    for row in range(8):
        alone = outputs(saint, values[row : row + 1], missing[row : row + 1])
        assert torch.allclose(alone[0], together[row], atol=1e-6)


@pytest.mark.parametrize("stored", [0.0, -40.0, 1e30, float("nan"), float("inf")])
def test_what_is_stored_in_place_of_a_missing_value_does_not_matter(stored: float) -> None:
    saint, (values, missing) = network(), table()
    assert torch.equal(outputs(saint, values.masked_fill(missing, stored), missing), outputs(saint, values, missing))


def test_a_missing_value_speaks_through_its_columns_own_token() -> None:
    saint, (values, _) = network(), table()
    missing = torch.zeros_like(values, dtype=torch.bool)
    missing[0, 0] = True
    before = outputs(saint, values, missing)
    assert not torch.allclose(before[0], outputs(saint, values, None)[0])
    with torch.no_grad():
        saint.missing[0] += torch.linspace(-1, 1, 16)
    after = outputs(saint, values, missing)
    assert not torch.allclose(before[0], after[0])
    assert torch.equal(before[1:], after[1:])


def test_a_missing_number_is_not_the_number_0() -> None:
    saint, values = network(), torch.zeros(1, 4)
    missing = torch.tensor([[True, False, False, False]])
    assert not torch.allclose(outputs(saint, values, missing), outputs(saint, values, None))


def test_the_gradient_reaches_every_parameter() -> None:
    saint = network(replace(SIZE, depth=2))
    told = saint(*table())
    (told.cls.sin().sum() + told.columns.mean(dim=1).cos().sum()).backward()
    for name, parameter in saint.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 1e-6, name
    assert (saint.missing.grad is not None) and bool((saint.missing.grad.abs().amax(dim=1) > 0).all()), "each column"


def test_its_parameters_are_those_of_embeddings_and_one_block() -> None:
    dim, hidden = 256, 100
    size = SaintSize((Column("age_years"), Column("sex", 2), Column("stage", 3)))
    number = 2 * hidden + hidden * dim + dim  # 1 → 100 → 256, with biases
    tokens = (2 + 3) * dim + 3 * dim + dim  # words, one per column for what is missing, CLS
    attention = 4 * dim * dim  # queries, keys, values, output
    mlp = dim * 8 * dim + 8 * dim + 4 * dim * dim + dim  # to twice 4 × 256, whose halves gate each other, and back
    norms = 3 * 2 * dim
    counted = sum(parameter.numel() for parameter in Saint(size).parameters())
    assert counted == number + tokens + attention + mlp + norms


@pytest.mark.parametrize(
    ("values", "missing", "why"),
    [
        (torch.zeros(2, 3), None, r"\(2, 3\).*wanted are numbers \(batch, 4\).*age_years, sex, stage, length_mm"),
        (torch.zeros(4), None, "wanted are numbers"),
        (torch.zeros(2, 4, dtype=torch.int64), None, "wanted are numbers"),
        (torch.zeros(2, 4), torch.zeros(2, 3, dtype=torch.bool), "true or false for each value"),
        (torch.zeros(2, 4), torch.zeros(2, 4), "true or false for each value"),
        (torch.tensor([[float("nan"), 0.0, 0.0, 0.0]]), None, "column age_years: a value .* is not finite"),
        (torch.tensor([[0.0, 2.0, 0.0, 0.0]]), None, "column sex: a code is none of 0 to 1"),
        (torch.tensor([[0.0, 0.0, 0.5, 0.0]]), None, "column stage: a code is none of 0 to 2"),
    ],
)
def test_a_table_that_is_not_the_sizes_is_refused(values: torch.Tensor, missing: torch.Tensor | None, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        network()(values, missing)


def test_a_size_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="3 heads do not share"):
        replace(SIZE, heads=3)
    with pytest.raises(ValueError, match="a name of its own"):
        replace(SIZE, columns=(Column("sex", 2), Column("sex", 2)))
    with pytest.raises(ValueError, match="needs columns"):
        replace(SIZE, columns=())
    with pytest.raises(ValueError, match="tell nothing apart"):
        Column("sex", 1)


def test_a_size_survives_json() -> None:
    assert SaintSize.from_json(SIZE.as_json()) == SIZE
