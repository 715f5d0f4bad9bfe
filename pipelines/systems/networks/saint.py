"""A transformer over the columns of a clinical table (Somepalli et al. 2021, SAINT: Improved Neural Networks for
Tabular Data via Row Attention and Contrastive Pre-Training), as MultiRecNet's clinical branch uses it.

Each value becomes a token: a number through a small MLP of its column, a word by an embedding. What is missing has a
learned embedding of its column, whatever number is stored in its place: nothing is imputed. A CLS token reads them all.

SAINT also attends between the rows of a batch (intersample attention). That would make one patient's risk depend on who
else is scored with them, so it is left out: here tokens of one patient attend to each other and to nothing else, and a
batch of one gives the same outputs as a batch of eight, in training as in evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from monai.networks.blocks.mlp import MLPBlock


@dataclass(frozen=True)
class Column:
    """``words``: how many words a column may say, coded 0, 1, …; 0 where it holds a number."""

    name: str
    words: int = 0

    def __post_init__(self) -> None:
        if self.words < 0 or self.words == 1:
            raise ValueError(f"column {self.name}: {self.words} words tell nothing apart; 0 means a number")


@dataclass(frozen=True)
class SaintSize:
    """``dim``: of a token. ``hidden``: of the MLP that embeds a number. ``ratio``: of the blocks' MLP, over ``dim``."""

    columns: tuple[Column, ...]
    dim: int = 256
    depth: int = 1
    heads: int = 4
    hidden: int = 100
    ratio: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"a table needs columns, each with a name of its own, not {names}")
        if self.dim % self.heads:
            raise ValueError(f"{self.heads} heads do not share a dimension of {self.dim} evenly")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SaintSize:
        columns = tuple(Column(str(column["name"]), int(column["words"])) for column in values["columns"])
        whole = {key: int(values[key]) for key in ("dim", "depth", "heads", "hidden", "ratio")}
        return cls(columns, **whole, dropout=float(values["dropout"]))


@dataclass(frozen=True)
class TableTokens:
    """``cls``: (batch, dim). ``columns``: (batch, columns, dim)."""

    cls: torch.Tensor
    columns: torch.Tensor


class Saint(torch.nn.Module):
    """Column attention alone; see the module for why."""

    def __init__(self, size: SaintSize) -> None:
        super().__init__()
        self.size = size
        self.embed = torch.nn.ModuleList(_embedding(column, size) for column in size.columns)
        self.missing = torch.nn.Parameter(_drawn(len(size.columns), size.dim))
        self.cls = torch.nn.Parameter(_drawn(1, size.dim))
        self.blocks = torch.nn.ModuleList(ColumnBlock(size) for _ in range(size.depth))
        self.norm = torch.nn.LayerNorm(size.dim)

    def forward(self, values: torch.Tensor, missing: torch.Tensor | None = None) -> TableTokens:
        """Values (batch, columns), numbers scaled and words coded, with a mask of the same shape, true where missing.

        Without a mask nothing is missing. What is stored where a value is missing is never read; NaN is fine there.

        Raises
        ------
        ValueError
            Where the table does not have the size's columns, a number that should be known is not finite, or a code
            is none of its column's words.
        """
        missing = torch.zeros_like(values, dtype=torch.bool) if missing is None else missing
        values = self._known(values, missing)
        columns = torch.stack([embed(values[:, i : i + 1]) for i, embed in enumerate(self.embed)], dim=1)
        columns = torch.where(missing[..., None], self.missing.to(columns.dtype), columns)
        tokens = torch.cat([self.cls.to(columns.dtype).expand(len(columns), 1, -1), columns], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        return TableTokens(tokens[:, 0], tokens[:, 1:])

    def _known(self, values: torch.Tensor, missing: torch.Tensor) -> torch.Tensor:
        """The values, 0 where missing."""
        names = [column.name for column in self.size.columns]
        if values.ndim != 2 or values.shape[1] != len(names) or not values.is_floating_point():
            raise ValueError(
                f"a table of shape {tuple(values.shape)} and type {values.dtype}: wanted are numbers (batch, "
                f"{len(names)}), whose columns are {', '.join(names)}"
            )
        if missing.shape != values.shape or missing.dtype != torch.bool:
            raise ValueError(
                f"a mask of shape {tuple(missing.shape)} and type {missing.dtype} for a table of shape "
                f"{tuple(values.shape)}: true or false for each value"
            )
        known = values.masked_fill(missing, 0.0)
        for column, told in zip(self.size.columns, known.detach().unbind(1), strict=True):
            if not bool(torch.isfinite(told).all()):
                raise ValueError(f"column {column.name}: a value that is not marked as missing is not finite")
            if column.words and not bool(((told >= 0) & (told < column.words) & (told == told.round())).all()):
                raise ValueError(f"column {column.name}: a code is none of 0 to {column.words - 1}")
        return known


class ColumnBlock(torch.nn.Module):
    """Attention between the tokens of one patient, then a gated MLP, each on normalised tokens and added."""

    def __init__(self, size: SaintSize) -> None:
        super().__init__()
        self.attention_norm = torch.nn.LayerNorm(size.dim)
        self.attention = torch.nn.MultiheadAttention(
            size.dim, size.heads, dropout=size.dropout, bias=False, batch_first=True
        )
        self.mlp_norm = torch.nn.LayerNorm(size.dim)
        self.mlp = MLPBlock(size.dim, size.ratio * size.dim, size.dropout, act="GEGLU")

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, dim) to the same."""
        normal = self.attention_norm(tokens)
        tokens = tokens + self.attention(normal, normal, normal, need_weights=False)[0]
        return tokens + self.mlp(self.mlp_norm(tokens))  # type: ignore[no-any-return]  # MONAI's, untyped


class WordEmbedding(torch.nn.Module):
    """A learned vector per word of a column."""

    def __init__(self, words: int, dim: int) -> None:
        super().__init__()
        self.vectors = torch.nn.Parameter(_drawn(words, dim))

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes (batch, 1) to (batch, dim)."""
        return torch.nn.functional.embedding(codes[:, 0].long(), self.vectors)


def _embedding(column: Column, size: SaintSize) -> torch.nn.Module:
    """From (batch, 1) to (batch, dim)."""
    if column.words:
        return WordEmbedding(column.words, size.dim)
    return torch.nn.Sequential(torch.nn.Linear(1, size.hidden), torch.nn.ReLU(), torch.nn.Linear(size.hidden, size.dim))


def _drawn(rows: int, dim: int) -> torch.Tensor:
    """Vectors of about unit length."""
    return torch.randn(rows, dim) / math.sqrt(dim)
