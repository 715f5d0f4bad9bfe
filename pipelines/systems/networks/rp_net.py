"""RP-Net (Jin et al. 2021, Nature Communications 12:1851): two exams in, two tumour masks and one response out.

Each exam passes a residual U-Net. The response reads three of its maps (an early encoder level, the bottleneck, the
summed logits) as the difference before minus after therapy, and global averages of what one convolution makes of them.
As published an exam is one sequence at 16 × 64 × 64 voxels (repository Heng14/3D_RP-Net, ``siam3dunet_model``).

Ours departs where the size says so: branches share their weights, since the same tissue should look the same at both
times (the authors' code has two sets), and the head may do without InstanceNorm. Right before a global average that
norm leaves little of how large a change was, and with shared branches nothing at all of its direction until its shift
is trained: the mean of LeakyReLU over values around zero is the same for the opposite difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch

from pipelines.systems.networks.own_mask_reading import OwnMaskReading
from pipelines.systems.networks.residual_unet import INSTANCE, LEAST_DEPTH, BranchMaps, Norm, ResidualUNet, convolution

Change = Literal["subtract", "correlate"]
HeadNorm = Literal["instance", "batch", "none"]
NORMS: Mapping[str, Norm] = {"instance": INSTANCE, "batch": ("BATCH", {}), "none": None}
VOXELS = (2, 3, 4)


@dataclass(frozen=True)
class RpNetSize:
    """``base``: channels of the first level, doubled in each of the ``depth`` - 1 below; ``channels``: of one exam.

    ``dropout``: of whole channels within the context blocks. ``change_channels``: of each tap's change.
    ``change``: ``correlate`` compares the exams by depth-wise correlation in place of subtraction.
    ``head_norm``: before the global average. ``shared``: one set of weights for both exams. ``reads``: measured
    features that each branch reads of its exam's tumour and the response leans on; 0 as published.
    Raises ValueError for a size that no network can have.
    """

    base: int = 16
    depth: int = 5
    dropout: float = 0.3
    channels: int = 1
    change_channels: int = 32
    change: Change = "subtract"
    head_norm: HeadNorm = "instance"
    shared: bool = True
    reads: int = 0

    def __post_init__(self) -> None:
        if self.depth < LEAST_DEPTH:
            raise ValueError(f"RP-Net needs at least {LEAST_DEPTH} levels for its taps, not {self.depth}")
        if min(self.base, self.channels, self.change_channels, self.reads + 1) < 1 or not 0 <= self.dropout < 1:
            raise ValueError(f"RP-Net needs channels, and a dropout from 0 to below 1, not {self}")
        if self.change not in get_args(Change) or self.head_norm not in get_args(HeadNorm):
            raise ValueError(f"RP-Net knows no change '{self.change}' with head norm '{self.head_norm}'")

    @property
    def tapped(self) -> tuple[int, int, int]:
        """Channels of the three taps: 64, 256 and 1 as published."""
        return 4 * self.base, self.base * 2 ** (self.depth - 1), 1

    @property
    def divisor(self) -> int:
        """What each axis of an exam must be a multiple of: 16 as published."""
        return int(2 ** (self.depth - 1))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RpNetSize:
        return cls(
            base=int(values["base"]),
            depth=int(values["depth"]),
            dropout=float(values["dropout"]),
            channels=int(values["channels"]),
            change_channels=int(values["change_channels"]),
            change=values["change"],
            head_norm=values["head_norm"],
            shared=bool(values["shared"]),
            reads=int(values["reads"]),
        )


PUBLISHED = RpNetSize()
SMALL = RpNetSize(base=8, depth=4, dropout=0.1, change_channels=16, head_norm="batch")


@dataclass(frozen=True)
class RpNetOutput:
    """What RP-Net says of pairs of exams.

    ``pre_mask``, ``post_mask``: logits of the tumour (batch, 1, slices, rows, columns) before and after therapy.
    ``change``: one vector (batch, change channels) per tap. ``response``: logit (batch, 1), linear in the three and in
    ``features``: (batch, 2, reads), what was read before and after therapy; None where the size reads nothing.
    """

    pre_mask: torch.Tensor
    post_mask: torch.Tensor
    change: tuple[torch.Tensor, ...]
    response: torch.Tensor
    features: torch.Tensor | None = None


class SubtractedChange(torch.nn.Module):
    """One tap's change as published: difference, 3³ convolution, norm, LeakyReLU, mean over the voxels."""

    def __init__(self, tapped: int, channels: int, norm: Norm) -> None:
        super().__init__()
        self.read = convolution((tapped, channels), norm=norm)

    def forward(self, pre: torch.Tensor, post: torch.Tensor) -> torch.Tensor:
        """Two maps (batch, tapped, …) to (batch, channels)."""
        read: torch.Tensor = self.read(pre - post)
        return read.mean(VOXELS)


class CorrelatedChange(torch.nn.Module):
    """One tap's change by depth-wise correlation: the maps before therapy are the kernel for those after it.

    Each exam has its convolution, so that the order of the exams counts. Kernel and maps are of one size and stand in
    place, so each channel correlates to one number; divided by the voxels it does not grow with the crop. (The authors
    have such a variant in their code, switched off, and there all channels go into a single number.)
    """

    def __init__(self, tapped: int, channels: int, norm: Norm) -> None:
        super().__init__()
        self.read_pre = convolution((tapped, channels), norm=norm)
        self.read_post = convolution((tapped, channels), norm=norm)

    def forward(self, pre: torch.Tensor, post: torch.Tensor) -> torch.Tensor:
        """Two maps (batch, tapped, …) to (batch, channels)."""
        product: torch.Tensor = self.read_pre(pre) * self.read_post(post)
        return product.mean(VOXELS)


def readings_of(said: RpNetOutput) -> torch.Tensor:
    """What was read of both exams in turn, (batch, 2 · reads); nothing where the size reads nothing."""
    return said.response.new_zeros(len(said.response), 0) if said.features is None else said.features.flatten(1)


class RpNet(torch.nn.Module):
    """Segmentation and response together, for one sequence (or several as channels) at both times.

    In evaluation each pair's outputs depend on that pair alone.
    """

    def __init__(self, size: RpNetSize) -> None:
        super().__init__()
        self.size = size
        # A list, so that shared weights are named, and stored, once.
        self.branches = torch.nn.ModuleList(
            ResidualUNet(size.channels, size.base, size.depth, size.dropout) for _ in range(1 if size.shared else 2)
        )
        change = SubtractedChange if size.change == "subtract" else CorrelatedChange
        norm = NORMS[size.head_norm]
        self.changes = torch.nn.ModuleList(change(tapped, size.change_channels, norm) for tapped in size.tapped)
        self.last = torch.nn.Linear(len(size.tapped) * size.change_channels, 1)
        self.reading = OwnMaskReading(size.tapped[:2], size.reads) if size.reads else None
        self.of_features = torch.nn.Linear(2 * size.reads, 1) if size.reads else None

    def forward(self, pre: torch.Tensor, post: torch.Tensor) -> RpNetOutput:
        """Exams before and after therapy, each (batch, channels, slices, rows, columns), in the same order of patients.

        Raises ValueError where the exams are not of one shape that the network can halve ``depth`` - 1 times.
        """
        before, after = self.branch_maps(pre, post)
        change, features, response = self.response(before, after)
        return RpNetOutput(before.mask, after.mask, change, response, features)

    def branch_maps(self, pre: torch.Tensor, post: torch.Tensor) -> tuple[BranchMaps, BranchMaps]:
        """What the branches make of the exams; shapes and errors as of ``forward``."""
        self._check(pre, post)
        return self.branches[0](pre), self.branches[-1](post)

    def response(
        self, before: BranchMaps, after: BranchMaps
    ) -> tuple[tuple[torch.Tensor, ...], torch.Tensor | None, torch.Tensor]:
        """Each tap's change (batch, change channels), features read (batch, 2, reads), the response's logit (batch, 1).

        Apart from ``branch_maps``, so that Grad-CAM can ask how the response hangs on a tap.
        """
        taps = zip(self.changes, before.taps, after.taps, strict=True)
        change = tuple(reads(pre, post) for reads, pre, post in taps)
        logit: torch.Tensor = self.last(torch.cat(change, dim=1))
        if self.reading is None or self.of_features is None:
            return change, None, logit
        features = torch.stack([self.reading(exam.mask, exam.taps[:2]) for exam in (before, after)], dim=1)
        return change, features, logit + self.of_features(features.flatten(1))

    def raw_differences(self, pre: torch.Tensor, post: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Before minus after therapy at each tap, as the branches give it: what the head reads when it subtracts.

        With shared branches, in evaluation, exams swapped turn every sign (not so the response: it is no odd function).
        """
        before, after = self.branch_maps(pre, post)
        return tuple(b - a for b, a in zip(before.taps, after.taps, strict=True))

    def _check(self, pre: torch.Tensor, post: torch.Tensor) -> None:
        if pre.shape != post.shape:
            raise ValueError(f"RP-Net reads exams of one shape, not {_words(pre)} before and {_words(post)} after")
        if pre.ndim != 5 or pre.shape[1] != self.size.channels:
            wanted = f"(batch, {self.size.channels}, slices, rows, columns)"
            raise ValueError(f"RP-Net of {self.size.channels} channels reads {wanted}, not {_words(pre)}")
        lowest = [axis / self.size.divisor for axis in pre.shape[2:]]
        if any(axis % 1 or axis == 0 for axis in lowest) or lowest == [1, 1, 1]:
            raise ValueError(
                f"RP-Net of depth {self.size.depth} reads slices, rows and columns in multiples of {self.size.divisor},"
                f" at least one axis longer than that; these are {' × '.join(str(axis) for axis in pre.shape[2:])}"
            )


def _words(exam: torch.Tensor) -> str:
    return str(tuple(exam.shape))
