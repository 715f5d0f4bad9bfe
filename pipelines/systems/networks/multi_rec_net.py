"""MultiRecNet (Liu Z. et al. 2025, Predicting Recurrence in Locally Advanced Rectal Cancer Using Multitask Deep
Learning and Multimodal MRI, Radiology: Imaging Cancer): the tumour's mask, recurrence within three years, and the risk
of it over time, from the baseline's images and a clinical table.

The classification head reads the mean of the deepest maps and the table's CLS token, the risk head the same maps and
the mean of the columns' tokens. The log risk is linear and unbounded, and has no intercept, since a Cox partial
likelihood cannot tell one. No patient's output depends on the others of the batch: in evaluation always, in
training with Norm.GROUP as well.

Ours may also read measured features of the tumour inside the mask it draws (``reads`` of the size); both heads then add
what is linear in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pipelines.systems.networks.multi_rec_image import ImageBranch, ImageFeatures
from pipelines.systems.networks.multi_rec_size import PUBLISHED, SMALL, MultiRecNetSize, Norm, Variant
from pipelines.systems.networks.own_mask_reading import OwnMaskReading
from pipelines.systems.networks.saint import Saint

__all__ = ["PUBLISHED", "SMALL", "MultiRecNet", "MultiRecNetSize", "MultiRecOutput", "Norm", "Variant"]


@dataclass(frozen=True)
class MultiRecOutput:
    """``segmentation``: (batch, 1, rows, columns, slices), logits; None without sequences.

    ``recurrence``: (batch,), the logit of recurrence or metastasis within three years. ``log_risk``: (batch,), the log
    hazard ratio of disease-free survival, up to a constant. ``features``: (batch, reads), measured features as the
    network reads them; None where the size reads nothing.
    """

    segmentation: torch.Tensor | None
    recurrence: torch.Tensor
    log_risk: torch.Tensor
    features: torch.Tensor | None = None


class MultiRecNet(torch.nn.Module):
    """``image`` and ``clinical`` are its branches, either of which may be None, as the size says."""

    def __init__(self, size: MultiRecNetSize) -> None:
        super().__init__()
        self.size = size
        self.image = ImageBranch(size) if size.sequences else None
        self.clinical = Saint(size.clinical) if size.clinical is not None else None
        width = (size.widths[-1] if size.sequences else 0) + (0 if size.clinical is None else size.clinical.dim)
        self.dropout = torch.nn.Dropout(size.dropout)
        self.recurrence = torch.nn.Linear(width, 1)
        self.log_risk = torch.nn.Linear(width, 1, bias=False)
        reads = size.reads if size.sequences else 0
        self.reading = OwnMaskReading((size.fused, size.widths[-1]), reads) if reads else None
        self.recurrence_of_features = torch.nn.Linear(reads, 1, bias=False) if reads else None
        self.log_risk_of_features = torch.nn.Linear(reads, 1, bias=False) if reads else None

    def forward(
        self,
        images: torch.Tensor | None = None,
        present: torch.Tensor | None = None,
        values: torch.Tensor | None = None,
        missing: torch.Tensor | None = None,
    ) -> MultiRecOutput:
        """What a batch of patients gives.

        Parameters
        ----------
        images
            (batch, sequences, rows, columns, slices) in the size's order and shape, weighted images normalised, maps at
            a fixed physical scale. None for a size without sequences.
        present
            (batch, sequences), which of them there are; None where all are. Voxels of the others are never read.
        values
            (batch, columns), numbers scaled and words coded. None for a size without a clinical branch.
        missing
            (batch, columns), which values are not known; None where all are. What is stored there is never read.

        Raises
        ------
        ValueError
            Where an input is missing that the size has, given that it has not, or of another shape; where batches
            differ; where a patient has none of the sequences.
        """
        self._check(images, present, values, missing)
        classified, ranked = [], []
        seen = self.image(images, present) if self.image is not None else None
        if seen is not None:
            classified.append(seen.pooled)
            ranked.append(seen.pooled)
        if self.clinical is not None:
            tokens = self.clinical(values, missing)
            classified.append(tokens.cls)
            ranked.append(tokens.columns.mean(dim=1))
        recurrence = self.recurrence(self.dropout(torch.cat(classified, dim=1)))
        log_risk = self.log_risk(self.dropout(torch.cat(ranked, dim=1)))
        features = self._read(seen)
        if features is not None and self.recurrence_of_features is not None and self.log_risk_of_features is not None:
            recurrence = recurrence + self.recurrence_of_features(features)
            log_risk = log_risk + self.log_risk_of_features(features)
        return MultiRecOutput(None if seen is None else seen.segmentation, recurrence[:, 0], log_risk[:, 0], features)

    def _read(self, seen: ImageFeatures | None) -> torch.Tensor | None:
        if self.reading is None or seen is None:
            return None
        features: torch.Tensor = self.reading(seen.segmentation, (seen.fused, seen.deepest))
        return features

    def _check(
        self,
        images: torch.Tensor | None,
        present: torch.Tensor | None,
        values: torch.Tensor | None,
        missing: torch.Tensor | None,
    ) -> None:
        """That the inputs are those of the size; their shapes are the branches' matter."""
        _matches("images", images, present, self.image is not None)
        _matches("clinical values", values, missing, self.clinical is not None)
        if images is not None and values is not None and len(images) != len(values):
            raise ValueError(f"images of {len(images)} patients and clinical values of {len(values)}")


def _matches(what: str, given: torch.Tensor | None, mask: torch.Tensor | None, wanted: bool) -> None:
    if wanted and given is None:
        raise ValueError(f"this network reads {what}, and none were given")
    if not wanted and (given is not None or mask is not None):
        raise ValueError(f"this network reads no {what}, and some were given")
