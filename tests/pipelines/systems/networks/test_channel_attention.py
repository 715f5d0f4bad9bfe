from __future__ import annotations

import numpy as np
import pytest
import torch

from pipelines.systems.networks.channel_attention import ChannelAttention, ChannelAttentionLayer, ChannelAttentionSize

SIZE = ChannelAttentionSize(sequences=3, channels=4, layers=2, heads=2)


def module(size: ChannelAttentionSize = SIZE) -> ChannelAttention:
    torch.manual_seed(3)
    return ChannelAttention(size)


def maps(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, 4, 5, 4, 2, generator=torch.Generator().manual_seed(5))


def test_a_layer_attends_as_the_formula_says_channel_by_channel() -> None:
    """The formula in loops over heads and channels, in double precision, for one patient."""
    torch.manual_seed(7)
    layer = ChannelAttentionLayer(ChannelAttentionSize(sequences=2, channels=3, layers=1, heads=2)).double()
    tokens = [torch.randn(1, 11, 3, dtype=torch.float64) for _ in range(2)]
    together = normed(np.concatenate([token[0].numpy() for token in tokens], axis=1))
    for place, token in enumerate(tokens):
        queries = normed(token[0].numpy()) @ weights(layer.queries[place])
        keys, values = together @ weights(layer.keys), together @ weights(layer.values)
        told = np.zeros((11, 3))
        for head in range(2):
            q, k, v = queries[:, 3 * head :][:, :3], keys[:, 6 * head :][:, :6], values[:, 6 * head :][:, :6]
            similarity = np.array([[sum(q[:, c] * k[:, a]) for a in range(6)] for c in range(3)]) / np.sqrt(11 * 6)
            similarity = (similarity - similarity.mean()) / np.sqrt(similarity.var() + 1e-5)
            for c in range(3):
                share = np.exp(similarity[c]) / np.exp(similarity[c]).sum()
                told[:, c] += sum(share[a] * v[:, a] for a in range(6)) / 2
        mixed = token[0].numpy() + told @ weights(layer.outputs[place])
        with torch.inference_mode():
            thought = layer.mlps[place](torch.from_numpy(normed(mixed))).numpy()
            found = layer(tokens)[place][0].numpy()
        assert found == pytest.approx(mixed + thought, abs=1e-9)


def normed(values: np.ndarray) -> np.ndarray:
    """As a layer normalisation does that has learnt nothing yet."""
    centred = values - values.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt(values.var(axis=-1, keepdims=True) + 1e-5))


def weights(linear: torch.nn.Module) -> np.ndarray:
    """(in, out)."""
    return np.asarray(linear.weight.detach().numpy().T)  # type: ignore[operator, union-attr]  # a Linear


def test_maps_keep_their_shape_and_each_sequence_hears_of_the_others() -> None:
    attention, given = module(), maps()
    changed = given.clone()
    changed[:, 2, 1] += torch.linspace(-1, 1, 40).reshape(5, 4, 2)
    with torch.inference_mode():
        before, after = attention(given), attention(changed)
    assert before.shape == given.shape
    assert not torch.allclose(before[:, 0], after[:, 0])


def test_it_is_blind_to_where_a_voxel_lies() -> None:
    """Channels attend to channels: voxels in another order give the same maps in that order."""
    attention, given = module(), maps()
    with torch.inference_mode():
        assert torch.allclose(attention(given).flip(3), attention(given.flip(3)), atol=1e-5)


def test_a_patient_alone_gives_what_it_gives_among_others_while_training_too() -> None:
    attention, given = module().train(), maps(8)
    with torch.no_grad():
        together = attention(given)
        for row in range(8):
            assert torch.allclose(attention(given[row : row + 1])[0], together[row], atol=1e-5)


def test_the_gradient_reaches_every_parameter() -> None:
    attention = module()
    (attention(maps()) * maps(2).roll(1, dims=0)).sum().backward()
    for name, parameter in attention.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 1e-6, name


def test_thousands_of_voxels_stay_within_half_precision() -> None:
    attention = module(ChannelAttentionSize(sequences=2, channels=4, layers=1, heads=1))
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.float16):
        told = attention(300.0 * torch.ones(1, 2, 4, 64, 64, 8) + torch.randn(1, 2, 4, 64, 64, 8))
    assert torch.isfinite(told).all()


def test_maps_of_another_number_of_sequences_or_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 2, 4, 5, 4, 2\): wanted are \(batch, 3 sequences, 4 channels"):
        module()(maps()[:, :2])
    with pytest.raises(ValueError, match="at least one of each"):
        ChannelAttentionSize(sequences=0, channels=4)
