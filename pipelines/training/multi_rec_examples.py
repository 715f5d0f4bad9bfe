"""The fields and tables of a cohort as the training loop reads them, with random changes that no outcome depends on.

Training also hides what a patient has, now and then: a learned token means something only where it was needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from pipelines.cohort.cut import PreparedPatient
from pipelines.contract import TimePoint
from pipelines.systems.multi_rec_columns import Codes, Scaler, codes_of
from pipelines.systems.multi_rec_cut import CHANNELS, MAPS, T2_SQUARE, from_entry, network_axes
from pipelines.systems.networks.multi_rec_size import ADC, T2, MultiRecNetSize
from pipelines.systems.tumour_field import SCALES, FieldRule
from pipelines.training.augment import flipped
from pipelines.training.dlrs_cox import Times
from pipelines.training.dlrs_examples import ADC_SCALE_ERROR, NOISE, T2_GAIN
from pipelines.training.multi_rec_settings import Hiding
from pipelines.training.tensors import Tensors

LEARNT: Mapping[str, tuple[str, ...]] = {
    T2: ("log_volume", "thickness", "t2_median", "t2_spread", "t2_low", "t2_high", "t2_dark_share"),
    ADC: ("adc_mean", "adc_median", "adc_spread", "adc_low"),
    **dict(zip(MAPS, (("dapp_median",), ("kapp_median",)), strict=True)),
}
"""Measured features that a network sees in each sequence, and learns to read beside the risk."""


def learnt(size: MultiRecNetSize) -> tuple[str, ...]:
    """The features that a network of this size learns to read."""
    return tuple(name for sequence in size.sequences for name in LEARNT.get(sequence, ()))


@dataclass(frozen=True)
class CohortArrays:
    """What n patients show and are known for. ``images``: float16 (n, sequences, slices, rows, columns) with the
    margin, of all ``CHANNELS``; ``present`` (n, sequences); ``masks``: uint8 (n, 1, slices, rows, columns).

    ``features``: measured in the mask as drawn. ``course`` (n, 3): months, event, recurrence by 36 months or NaN.
    """

    images: torch.Tensor
    present: torch.Tensor
    masks: torch.Tensor
    codes: tuple[Codes, ...]
    features: tuple[Mapping[str, float], ...]
    course: torch.Tensor

    @property
    def has_maps(self) -> np.ndarray:
        """(n,): who has D and K."""
        columns = [list(CHANNELS).index(name) for name in MAPS]
        return np.asarray(self.present[:, columns].all(dim=1).numpy())


def gathered(patients: Sequence[PreparedPatient], times: Times) -> CohortArrays:
    """The arrays of patients who were cut alike."""
    exams = [from_entry(patient.exams[TimePoint.BASELINE]) for patient in patients]
    stacks = [exam.stack(tuple(CHANNELS)) for exam in exams]
    return CohortArrays(
        images=torch.from_numpy(np.stack([images for images, _ in stacks])),
        present=torch.from_numpy(np.stack([there for _, there in stacks])),
        masks=torch.from_numpy(np.stack([exam.mask[None].astype(np.uint8) for exam in exams])),
        codes=tuple(codes_of(patient.patient.record) for patient in patients),
        features=tuple(exam.features[0] for exam in exams),
        course=torch.from_numpy(np.stack([times.months, times.event.astype(float), times.status], axis=1)).float(),
    )


def standardised(cohort: CohortArrays, names: Sequence[str], rows: np.ndarray) -> torch.Tensor:
    """(n, names): measured features, of mean 0 and spread 1 in the patients ``rows``; NaN where not measured."""
    values = np.array([[one.get(name, np.nan) for name in names] for one in cohort.features], dtype=np.float64)
    known = np.isfinite(values[rows])
    counted = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values[rows], 0.0).sum(axis=0) / counted
    spread = np.sqrt((np.where(known, values[rows] - mean, 0.0) ** 2).sum(axis=0) / counted)
    return torch.from_numpy((values - mean) / (spread + 1e-9)).float()


@dataclass(frozen=True)
class Examples:
    """A cohort as networks of ``size`` read it: images (batch, sequences, rows, columns, slices), which there are,
    values (batch, columns) and which are missing, as far as the size has them; targets as
    :class:`pipelines.training.multi_rec_loss.Wanted`.

    ``features`` (n, names): standardised. ``maps`` False: D and K are shown of nobody.
    """

    cohort: CohortArrays
    size: MultiRecNetSize
    rule: FieldRule
    scaler: Scaler
    features: torch.Tensor
    hiding: Hiding
    maps: bool = True

    def __len__(self) -> int:
        return len(self.cohort.course)

    def without_maps(self) -> Examples:
        return replace(self, maps=False)

    def batch(self, rows: torch.Tensor, generator: torch.Generator, augment: bool) -> tuple[Tensors, Tensors]:
        """Inputs and targets of these rows."""
        inputs: tuple[torch.Tensor, ...] = ()
        targets: tuple[torch.Tensor, ...] = (self.cohort.course[rows],)
        if self.size.sequences:
            images, present, mask = self._images(rows, generator, augment)
            inputs, targets = (images, present), (*targets, mask, self.features[rows])
        if self.size.clinical is not None:
            inputs = (*inputs, *self._table(rows, generator, augment))
        return inputs, targets

    def _images(
        self, rows: torch.Tensor, generator: torch.Generator, augment: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        chosen = [list(CHANNELS).index(name) for name in self.size.sequences]
        images = self.cohort.images[rows][:, chosen].float()
        present = self.cohort.present[rows][:, chosen]
        mask = self.cohort.masks[rows].float()
        hidden = torch.full((len(rows),), not self.maps)
        if augment:
            together = flipped(torch.cat([images, mask], dim=1), generator)
            together = self._moved(together, generator)
            images, mask = self._other_scanner(together[:, :-1], generator), together[:, -1:]
            hidden = hidden | (torch.rand(len(rows), generator=generator) < self.hiding.maps)
        columns = torch.tensor([name in MAPS for name in self.size.sequences])
        present = present & ~(hidden[:, None] & columns)
        seen = torch.where(present[:, :, None, None, None], images, 0.0)
        return self._as_seen(seen), present, (self._as_seen(mask) > 0.5).float()

    def _as_seen(self, fields: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(network_axes(fields.numpy(), self.rule)))

    def _moved(self, fields: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Each field rolled within its margin: what comes in at its other side is cut off with the margin."""
        through, across = self.rule.margin
        moved = []
        for field in fields:
            steps = [
                int(torch.randint(-reach, reach + 1, (1,), generator=generator)) for reach in (through, across, across)
            ]
            moved.append(torch.roll(field, steps, dims=(1, 2, 3)))
        return torch.stack(moved)

    def _other_scanner(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """What scanners differ by: gain of the weighted images, scale of the maps; where there is nothing, nothing."""
        drawn = 2 * torch.rand((len(images), 4, 1, 1, 1), generator=generator) - 1
        noise = NOISE * torch.randn(images.shape, generator=generator)
        names = self.size.sequences
        gain = T2_GAIN * drawn[:, 0]
        changed = []
        for index, name in enumerate(names):
            image = images[:, index]
            if name == T2:
                other = image + gain + noise[:, index]
            elif name == T2_SQUARE:
                other = image + 2 * gain * images[:, names.index(T2)] + gain**2
            else:
                scale, error = SCALES[CHANNELS[name]], ADC_SCALE_ERROR * drawn[:, 1 + (ADC, *MAPS).index(name)]
                other = image * (1 + error) + error * scale.usual / scale.span + noise[:, index]
            changed.append(torch.where(image != 0, other, image))
        return torch.stack(changed, dim=1)

    def _table(
        self, rows: torch.Tensor, generator: torch.Generator, augment: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        assert self.size.clinical is not None
        values, missing = self.scaler.table(
            [self.cohort.codes[row] for row in rows.tolist()], self.size.clinical.columns
        )
        if augment:
            whole = torch.rand((len(rows), 1), generator=generator) < self.hiding.records
            each = torch.rand(missing.shape, generator=generator) < self.hiding.values
            missing = missing | whole | each
        return values, missing
