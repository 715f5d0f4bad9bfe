"""Channel-wise cross-attention between sequences (Wang et al. 2022, UCTransNet: its channel-wise cross fusion
transformer, CCT), in 3D.

Queries are the channels of one sequence, keys and values the channels of all: a map of ADC may draw on what T2 shows
at the same places. Similarity is summed over voxels, so its cost grows with their number, not with its square, and the
matrices are channels × channels. Each patient is attended to alone: no output depends on the others of the batch.

UCTransNet adds a learned embedding per position. Here there is none: it would be 4.2 million numbers at the published
size of MultiRecNet, over five times what the attention itself has, and the convolutions before and after
know the place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from monai.networks.blocks.mlp import MLPBlock


@dataclass(frozen=True)
class ChannelAttentionSize:
    """``sequences`` maps of ``channels`` each. Every head sees all channels, as in UCTransNet, and their mean is taken.

    ``ratio``: the MLP's inner width over ``channels``. ``dropout``: in the MLP.
    """

    sequences: int
    channels: int
    layers: int = 4
    heads: int = 4
    ratio: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min(self.sequences, self.channels, self.layers, self.heads, self.ratio) < 1:
            raise ValueError(f"channel attention needs at least one of each: {self}")


class ChannelAttention(torch.nn.Module):
    """What the sequences tell each other, added to their maps. Patches of one voxel."""

    def __init__(self, size: ChannelAttentionSize) -> None:
        super().__init__()
        self.size = size
        self.embed = _each(size, lambda: torch.nn.Linear(size.channels, size.channels))
        self.layers = torch.nn.ModuleList(ChannelAttentionLayer(size) for _ in range(size.layers))
        self.norms = _each(size, lambda: torch.nn.LayerNorm(size.channels))
        self.reconstruct = _each(size, lambda: torch.nn.Linear(size.channels, size.channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, sequences, channels, rows, columns, slices) to the same shape.

        Raises
        ------
        ValueError
            Where the maps are not ``size.sequences`` of ``size.channels``.
        """
        wanted = (self.size.sequences, self.size.channels)
        if maps.ndim != 6 or tuple(maps.shape[1:3]) != wanted:
            raise ValueError(
                f"maps of shape {tuple(maps.shape)}: wanted are (batch, {wanted[0]} sequences, {wanted[1]} channels, "
                "rows, columns, slices)"
            )
        tokens = _by_sequence(self.embed, maps.flatten(3).transpose(2, 3).unbind(1))
        for layer in self.layers:
            tokens = layer(tokens)
        told = _by_sequence(self.reconstruct, _by_sequence(self.norms, tokens))
        return maps + torch.stack(told, dim=1).transpose(2, 3).reshape(maps.shape)


class ChannelAttentionLayer(torch.nn.Module):
    """Attention, then an MLP per sequence, each on normalised tokens and added.

    With Q of one sequence, K and V of all, n voxels: M = softmax(ψ(Qᵀ K / √(n · all channels))), ψ the instance
    normalisation of a head's matrix, and V Mᵀ is averaged over heads. UCTransNet has no n: ψ takes the scale out again.
    """

    def __init__(self, size: ChannelAttentionSize) -> None:
        super().__init__()
        self.heads = size.heads
        together = size.sequences * size.channels
        self.norms = _each(size, lambda: torch.nn.LayerNorm(size.channels))
        self.together_norm = torch.nn.LayerNorm(together)
        self.queries = _each(size, lambda: torch.nn.Linear(size.channels, size.heads * size.channels, bias=False))
        self.keys = torch.nn.Linear(together, size.heads * together, bias=False)
        self.values = torch.nn.Linear(together, size.heads * together, bias=False)
        self.similarity_norm = torch.nn.InstanceNorm2d(size.heads)
        self.outputs = _each(size, lambda: torch.nn.Linear(size.channels, size.channels, bias=False))
        self.mlp_norms = _each(size, lambda: torch.nn.LayerNorm(size.channels))
        self.mlps = _each(size, lambda: MLPBlock(size.channels, size.ratio * size.channels, size.dropout))

    def forward(self, tokens: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Per sequence (batch, voxels, channels) to the same."""
        together = self.together_norm(torch.cat(list(tokens), dim=-1))
        keys, values = self._split(self.keys(together)), self._split(self.values(together))
        queries = _by_sequence(self.queries, _by_sequence(self.norms, tokens))
        attended = [self._attended(self._split(query), keys, values) for query in queries]
        mixed = [token + told for token, told in zip(tokens, _by_sequence(self.outputs, attended), strict=True)]
        thought = _by_sequence(self.mlps, _by_sequence(self.mlp_norms, mixed))
        return [token + added for token, added in zip(mixed, thought, strict=True)]

    def _attended(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """(batch, voxels, heads, channels), and twice (…, all channels), to (batch, voxels, channels)."""
        # Scaled before the sum: thousands of voxels leave the range of half precision. The norm takes scales out.
        scale = math.sqrt(queries.shape[1] * keys.shape[-1])
        similarity = torch.einsum("bnhc,bnha->bhca", queries / scale, keys)
        weights = torch.softmax(self.similarity_norm(similarity), dim=-1)
        told: torch.Tensor = torch.einsum("bhca,bnha->bnc", weights.to(values.dtype), values)
        return told / self.heads

    def _split(self, values: torch.Tensor) -> torch.Tensor:
        return values.view(*values.shape[:-1], self.heads, -1)


def _each(size: ChannelAttentionSize, make: Callable[[], torch.nn.Module]) -> torch.nn.ModuleList:
    """One module per sequence."""
    return torch.nn.ModuleList(make() for _ in range(size.sequences))


def _by_sequence(modules: torch.nn.ModuleList, tokens: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [module(token) for module, token in zip(modules, tokens, strict=True)]
