"""Log intensities brought nearer to what they were before a smooth field blurred their histogram (N3: Sled 1998)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Voxels are counted and looked up at 64 places per bin: a triangular window and a linear look-up then cost a count
# and a table. Rounding to the nearest place errs by up to 1/128 of a bin, either way; with 16 places, that leaves
# 2e-4 in the log field of a small image.
PLACES_PER_BIN = 64
LEAST_RANGE = 1e-6


@dataclass(frozen=True)
class Sharpening:
    """Deconvolution of the histograms of ``batch`` series at once; make it with :meth:`on`.

    ``fwhm`` of the Gaussian that the field's histogram is taken for (log intensity); ``noise``: the constant of the
    Wiener filter. The tensors are what every call shares: ``offset`` int32 (batch, 1), where a series' places begin
    in the common count; ``below`` float64 (places per bin,), the share of a voxel at each place that goes to the next
    bin; ``index`` and ``distance`` float64 (padded bins,), the number of a bin, and how far it is from 0 around the
    circle.
    """

    bins: int
    fwhm: float
    noise: float
    offset: Tensor
    below: Tensor
    index: Tensor
    distance: Tensor

    @classmethod
    def on(cls, device: torch.device, batch: int, bins: int, fwhm: float, noise: float) -> Sharpening:
        """The histogram is padded with empty bins to twice the next power of two, evenly on both sides."""
        places = (bins - 1) * PLACES_PER_BIN + 1
        padded = 2 ** (math.ceil(math.log2(bins)) + 1)
        around = torch.arange(padded, device=device, dtype=torch.float64)
        return cls(
            bins=bins,
            fwhm=fwhm,
            noise=noise,
            offset=torch.arange(batch, device=device, dtype=torch.int32)[:, None] * places,
            below=torch.arange(PLACES_PER_BIN, device=device, dtype=torch.float64) / PLACES_PER_BIN,
            index=around - (padded - bins) // 2,
            distance=torch.minimum(around, padded - around),
        )

    def residual(self, logs: Tensor, padding: Tensor | None) -> Tensor:
        """(batch, voxels): each log intensity less what is expected of it, E(u | v).

        ``logs`` (batch, voxels), float32; ``padding`` (batch, 1): by how many copies of its last voxel a series is
        padded to the length of the longest, which do not count (None: by none).
        """
        low = logs.amin(1, keepdim=True)
        above = logs - low
        bin_width = above.amax(1, keepdim=True).to(torch.float64).clamp_(min=LEAST_RANGE) / (self.bins - 1)
        place = above.mul_((PLACES_PER_BIN / bin_width).float()).add_(0.5).to(torch.int32).add_(self.offset)
        expected = self._expected(self._histogram(place, padding), low.to(torch.float64), bin_width)
        table = self._between(expected).float().view(-1)
        found = table.index_select(0, place.view(-1)).view_as(logs)
        return torch.sub(logs, found, out=found)

    def _histogram(self, place: Tensor, padding: Tensor | None) -> Tensor:
        """(batch, bins), float64: voxels counted with a triangular Parzen window of one bin's width."""
        batch, places = len(place), (self.bins - 1) * PLACES_PER_BIN + 1
        counts = torch.bincount(place.view(-1), minlength=batch * places).to(torch.float64)
        if padding is not None:
            counts.scatter_add_(0, place[:, -1].to(torch.int64), -padding[:, 0].to(torch.float64))
        counts = counts.view(batch, places)
        parts = counts[:, :-1].view(batch, self.bins - 1, PLACES_PER_BIN)
        upper = parts @ self.below
        histogram = torch.nn.functional.pad(parts.sum(2) - upper, (0, 1))
        histogram[:, 1:] += upper
        histogram[:, -1] += counts[:, -1]
        return histogram

    def _expected(self, histogram: Tensor, low: Tensor, bin_width: Tensor) -> Tensor:
        """(batch, bins): E(u | v) at each bin: Wiener deconvolution, then the expectation (Sled 1998, section II)."""
        padded = len(self.index)
        before = (padded - self.bins) // 2
        # In units of bins; its height cancels in all but the noise term, and there it matters.
        sharpness = 2 * math.sqrt(math.log(2)) / self.fwhm * bin_width
        gaussian = torch.exp(-((self.distance * sharpness) ** 2)).mul_(sharpness / math.sqrt(math.pi))
        blur = torch.fft.rfft(gaussian).real
        seen = torch.fft.rfft(torch.nn.functional.pad(histogram, (before, padded - self.bins - before)))
        sharp = torch.fft.irfft(seen * (blur / (blur**2 + self.noise)), n=padded).clamp_(min=0)
        both = torch.stack([sharp * (low + self.index * bin_width), sharp])
        weighted, weight = torch.fft.irfft(torch.fft.rfft(both) * blur, n=padded)[..., before : before + self.bins]
        return torch.where(weight != 0, weighted / weight, 0.0)

    def _between(self, expected: Tensor) -> Tensor:
        """(batch, places): linear between the bins."""
        steps = torch.addcmul(expected[:, :-1, None], expected.diff(dim=1)[:, :, None], self.below)
        return torch.cat([steps.flatten(1), expected[:, -1:]], dim=1)
