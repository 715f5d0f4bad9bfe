"""A convolution with standardised weights (Qiao et al. 2019, Micro-Batch Training with Batch-Channel Normalization and
Weight Standardization): beside group normalisation it trains with few patients at a time, and no patient's output
depends on the others of the batch.
"""

from __future__ import annotations

import torch

_TINY = 1e-5
"""Added to the variance of a filter's weights: filters of equal weights stay finite."""


class StandardisedConv3d(torch.nn.Conv3d):
    """A Conv3d whose filters have mean 0 and variance 1 / fan-in (the source's standardisation, then scaled).

    The scale is that of Brock et al. 2021 (Characterizing signal propagation): values keep their size through it even
    where no normalisation follows; where one does, it takes the scale out again.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(batch, channels in, rows, columns, slices) to (batch, channels out, …)."""
        convolved: torch.Tensor = self._conv_forward(input, self.standardised(), self.bias)
        return convolved

    def standardised(self) -> torch.Tensor:
        """The weights that convolve, (channels out, channels in, 3 kernel axes)."""
        filters = self.weight.flatten(1)
        variance, mean = torch.var_mean(filters, dim=1, keepdim=True, correction=0)
        return ((filters - mean) * torch.rsqrt((variance + _TINY) * filters.shape[1])).view_as(self.weight)
