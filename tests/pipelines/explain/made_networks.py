"""Small networks whose Grad-CAM can be written down by hand."""

from __future__ import annotations

import torch


class Pooled(torch.nn.Module):
    """A convolution, rectified in place, averaged over all places, and a linear layer: its Grad-CAM is its CAM."""

    def __init__(self, axes: int = 2, channels: int = 2, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        convolution = torch.nn.Conv2d if axes == 2 else torch.nn.Conv3d
        self.conv = convolution(channels, 4, 3, stride=2, padding=1)
        self.relu = torch.nn.ReLU(inplace=True)
        self.last = torch.nn.Linear(4, 1)
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.relu(self.conv(images))
        return self.last(maps.flatten(2).mean(dim=2))


class Deaf(torch.nn.Module):
    """A network that computes maps of the image and answers without them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 4, 3, padding=1)
        self.answer = torch.nn.Parameter(torch.tensor([0.7]))
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.conv(images)
        return self.answer.expand(len(images), 1)


class Twice(torch.nn.Module):
    """One convolution reads two exams; the output is the first minus the second."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv3d(1, 1, 1, bias=False)
        torch.nn.init.ones_(self.conv.weight)
        self.eval()

    def forward(self, pre: torch.Tensor, post: torch.Tensor) -> torch.Tensor:
        return (self.conv(pre) - self.conv(post)).mean(dim=(2, 3, 4))
