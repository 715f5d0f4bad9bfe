"""Masks as another reader, or a segmenter, might have drawn them.

A model that learns in exact masks alone fails in others: after therapy two readers agree at a Dice coefficient of 0.36
to 0.75 only. So training sees each tumour through several masks. The border moves by a smooth random field, with the
same rule for every patient, so that it tells nothing of the outcome.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from pipelines.contract import MaskArray

AMPLITUDE_MM = 2.5
OFFSET_MM = 1.2
CORRELATION_MM = 6.0


def disturbed(mask: MaskArray, spacing: tuple[float, float, float], rng: Generator) -> MaskArray:
    """The mask with its border moved: ± 2.5 mm (SD) locally over about 6 mm, ± 1.2 mm as a whole.

    Thin tumours move less, by at most 0.4 of their largest inscribed radius, so that something is always left.
    """
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    field = ndimage.gaussian_filter(rng.standard_normal(mask.shape), [CORRELATION_MM / step for step in spacing])
    moved = AMPLITUDE_MM * field / field.std() + OFFSET_MM * rng.standard_normal()
    limit = 0.4 * float(inside.max())
    shifted = (inside - outside + np.clip(moved, -limit, None)) > 0
    labels, count = ndimage.label(shifted)
    sizes = ndimage.sum_labels(shifted, labels, np.arange(1, count + 1))
    return np.asarray(labels == 1 + int(np.argmax(sizes)))
