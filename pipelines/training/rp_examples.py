"""What an RP-Net learns from: both exams of a patient in one sequence, with their outlines, response and features."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import TimePoint
from pipelines.systems import signature_inputs
from pipelines.systems.rp_cut import MASK, RpCut
from pipelines.systems.tumour_field import MAPS, SCALES, Channel
from pipelines.training.augment import flipped, turned
from pipelines.training.signature_examples import LEARNT
from pipelines.training.tensors import Tensors

FARTHEST = 4.0
"""Standard deviations at which a learnt feature is held: one far beyond the training patients' would rule the loss."""
PAPER_ZOOM = 0.2
GAIN, CONTRAST, NOISE = 0.2, 0.1, 0.05
"""Of images that are logarithms: shift (in units of the field), relative stretch, and noise."""
SCALE_ERROR = 0.03
MAP_CHANNELS = frozenset({Channel.ADC, *MAPS})


class Pairs:
    """Pairs of fields of one sequence in half precision, with targets.

    ``fitted_on``: the rows whose features decide how features are standardised. Of an exam that was read in the tumour
    bed the target outline is empty, and what was measured in the bed is no target.
    """

    def __init__(
        self,
        patients: Sequence[PreparedPatient],
        labels: NDArray[np.bool_],
        sequence: signature_inputs.Sequence,
        cut: RpCut,
        fitted_on: NDArray[np.intp],
    ) -> None:
        self.sequence, self.cut = sequence, cut
        self._channels = cut.channels[sequence]
        volumes = [[cut.volume(one.exams[when], sequence) for when in TimePoint] for one in patients]
        outlines = [[_outline(one, when) for when in TimePoint] for one in patients]
        self.fields = torch.from_numpy(np.array(volumes))
        self.outlines = torch.from_numpy(np.array(outlines))
        self.responses = torch.from_numpy(labels.astype(np.float32))[:, None]
        self._measured = _learnt(patients, sequence)
        self.features = _standardised(self._measured, fitted_on)

    def refitted(self, fitted_on: NDArray[np.intp]) -> Pairs:
        """The same pairs, and no copy of their fields, with features standardised by other rows."""
        again = copy.copy(self)
        again.features = _standardised(self._measured, fitted_on)
        return again

    def __len__(self) -> int:
        return len(self.fields)

    def batch(self, rows: torch.Tensor, generator: torch.Generator, augment: bool) -> tuple[Tensors, Tensors]:
        """Both exams (rows, channels, slices, rows, columns), and outlines, responses and features."""
        count = len(self._channels)
        fields = self.fields[rows].float()
        together = torch.cat([fields.flatten(1, 2), self.outlines[rows].float()], dim=1)
        if augment:
            moved = self._moved(together, generator)
            exams = [self._other_scanner(moved[:, at * count : (at + 1) * count], generator) for at in (0, 1)]
        else:
            moved = _central(together, self.cut)
            exams = [moved[:, at * count : (at + 1) * count] for at in (0, 1)]
        pre, post = (_half_full(moved[:, [2 * count + at]]) for at in (0, 1))
        return tuple(exams), (pre, post, self.responses[rows], self.features[rows])

    def _moved(self, together: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The same flip and shift (the paper: zoom too) for all channels and outlines of both exams of a patient."""
        changed = turned(together, 0.0, PAPER_ZOOM, generator) if self.cut.foreground else flipped(together, generator)
        return _shifted(changed, self.cut, generator)

    def _other_scanner(self, exam: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """What two days on two scanners differ by; voxels outside the images stay 0. The paper changes nothing."""
        if self.cut.foreground:
            return exam
        place = {channel: at for at, channel in enumerate(self._channels)}
        changed = exam.clone()
        for channel, at in place.items():
            image = exam[:, at]
            if channel in MAP_CHANNELS:
                drawn = SCALE_ERROR * _between(len(exam), generator)
                usual = SCALES[channel].usual / SCALES[channel].span
                found = image + drawn * (image + usual)
            elif channel is Channel.T2_SQUARE:
                continue  # follows from the T2
            else:
                gain, stretch = GAIN * _between(len(exam), generator), 1 + CONTRAST * _between(len(exam), generator)
                if channel is Channel.T2 and Channel.T2_SQUARE in place:
                    square = exam[:, place[Channel.T2_SQUARE]]
                    # The mean square of what each sample of the voxel becomes.
                    wider = stretch**2 * (square + 2 * gain * image + gain**2)
                    changed[:, place[Channel.T2_SQUARE]] = torch.where(image != 0, wider, square)
                found = stretch * (image + gain) + NOISE * torch.randn(image.shape, generator=generator)
            changed[:, at] = torch.where(image != 0, found, image)
        return changed


def _outline(patient: PreparedPatient, when: TimePoint) -> NDArray[np.bool_]:
    outline = patient.exams[when].arrays[MASK]
    return np.zeros_like(outline) if when in patient.beds else outline


def _learnt(patients: Sequence[PreparedPatient], sequence: signature_inputs.Sequence) -> NDArray[np.float64]:
    """(patients, 2, names), before and after therapy, through the mask as drawn; NaN in a tumour bed."""
    found = []
    for patient in patients:
        for when in TimePoint:
            measured = patient.exams[when].described["features"][0]
            found.append([math.nan if when in patient.beds else measured[name] for name in LEARNT[sequence]])
    return np.array(found).reshape(len(patients), 2, -1)


def _standardised(values: NDArray[np.float64], fitted_on: NDArray[np.intp]) -> torch.Tensor:
    """Both exams on one scale, since one head may read both."""
    known = values[fitted_on]
    scaled = (values - np.nanmean(known, axis=(0, 1))) / (np.nanstd(known, axis=(0, 1)) + 1e-9)
    return torch.from_numpy(scaled.clip(-FARTHEST, FARTHEST)).float()


def _central(together: torch.Tensor, cut: RpCut) -> torch.Tensor:
    return _at(together, cut, torch.tensor(cut.rule.margin)[[0, 1, 1]].expand(len(together), 3))


def _shifted(together: torch.Tensor, cut: RpCut, generator: torch.Generator) -> torch.Tensor:
    """Each case cut out of its margin at a place of its own."""
    widest = 2 * torch.tensor(cut.rule.margin)[[0, 1, 1]]
    drawn = (torch.rand((len(together), 3), generator=generator) * (widest + 1)).long()
    return _at(together, cut, drawn)


def _at(together: torch.Tensor, cut: RpCut, starts: torch.Tensor) -> torch.Tensor:
    rule = cut.rule
    return torch.stack(
        [
            case[:, s : s + rule.slices, r : r + rule.pixels, c : c + rule.pixels]
            for case, (s, r, c) in zip(together, starts.tolist(), strict=True)
        ]
    )


def _half_full(outlines: torch.Tensor) -> torch.Tensor:
    return (outlines >= 0.5).float()


def _between(count: int, generator: torch.Generator) -> torch.Tensor:
    """(count, 1, 1, 1) from −1 to 1."""
    return 2 * torch.rand((count, 1, 1, 1), generator=generator) - 1
