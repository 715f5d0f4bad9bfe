"""The tumour segmenter: a small anisotropic U-Net on axial T2, high-b DWI and ADC.

The network is MONAI's DynUNet (nnU-Net's architecture, Isensee et al. 2021) at a fixed in-plane spacing, with the
slices as acquired, applied by sliding window. Quantities that carry the answer keep their physical scale: ADC enters
as ADC / 3.5 (10⁻³ mm²/s); T2 and DWI, which have no unit, relative to the exam's own tissue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference
from monai.networks.nets.dynunet import DynUNet
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.bundle import Bundle, BundleError
from pipelines.contract import (
    Code,
    Envelope,
    Exam,
    FloatArray,
    InputUnfit,
    Mask,
    MaskArray,
    MaskOrigin,
    ModelIdentity,
    ModelInputs,
    Volume,
)
from pipelines.envelope import check_case, check_exam, exam_facts
from pipelines.inputs.model_inputs import inputs_of
from pipelines.volumes.normalise import ADC_SCALE, physical, relative
from pipelines.volumes.resample import map_onto, onto, spaced

CHANNELS = ("t2", "dwi", "adc")
REPEATED = "skip_layers."
OVERLAP = 0.25  # of neighbouring windows
WINDOWS_AT_ONCE = 4


@dataclass(frozen=True)
class SegmenterSize:
    """In-plane spacing (mm), sliding window (slices, rows, columns) and channels per level of the network."""

    spacing: float = 1.5
    window: tuple[int, int, int] = (16, 64, 64)
    filters: tuple[int, ...] = (16, 32, 48, 64)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SegmenterSize:
        a, b, c = values["window"]
        return cls(float(values["spacing"]), (int(a), int(b), int(c)), tuple(values["filters"]))


def segmenter_network(size: SegmenterSize) -> torch.nn.Module:
    """A network from (batch, 3, slices, rows, columns) to one logit per voxel; slices and plane halve with depth."""
    levels = len(size.filters)
    kernels = [(1, 3, 3), *[(3, 3, 3)] * (levels - 1)]
    strides = [(1, 1, 1), *[(1, 2, 2)] * min(2, levels - 1), *[(2, 2, 2)] * max(0, levels - 3)]
    network: torch.nn.Module = DynUNet(
        spatial_dims=3,
        in_channels=len(CHANNELS),
        out_channels=1,
        kernel_size=kernels,
        strides=strides,
        upsample_kernel_size=strides[1:],
        filters=size.filters,
    )
    return network


def stored_weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The network's tensors in half precision, each once: DynUNet lists the same layers again under skip_layers."""
    return {
        key: value.half() if value.is_floating_point() else value
        for key, value in network.state_dict().items()
        if not key.startswith(REPEATED)
    }


def load_weights(network: torch.nn.Module, bundle: Bundle) -> None:
    """Put a bundle's weights into the network; BundleError where they are not this network's."""
    found = network.load_state_dict(bundle.weights("network"), strict=False)
    wrong = [*found.unexpected_keys, *(key for key in found.missing_keys if not key.startswith(REPEATED))]
    if wrong:
        problem = f"does not fit the network of its manifest ({wrong[0]})"
        raise BundleError(bundle.folder / "network.safetensors", problem, "train the bundle again with this version")


def network_grid(t2: Volume, spacing: float) -> Volume:
    """The T2's own slices with square pixels of ``spacing`` mm over the same field of view; array all zero."""
    return spaced(t2, (t2.spacing[0], spacing, spacing))


def network_input(inputs: ModelInputs, grid: Volume) -> FloatArray:
    """Channels (T2, highest b ≤ 1100 s/mm², ADC) on ``grid``: float32 (3, slices, rows, columns).

    Raises InputUnfit where the exam has no diffusion.
    """
    channels = (
        relative(onto(_smoothed(inputs.t2, grid), grid).array),
        relative(onto(_smoothed(inputs.high_b, grid), grid).array),
        physical(map_onto(inputs.fitted_adc, grid).array, ADC_SCALE),
    )
    return np.stack(channels).astype(np.float32)


class TumourSegmenter:
    """Finds the tumour on the axial T2 of an exam with a trained bundle."""

    def __init__(self, bundle: Bundle, device: torch.device) -> None:
        self._identity = bundle.identity
        self._size = SegmenterSize.from_json(bundle.manifest.network)
        self._threshold = float(bundle.manifest.thresholds["probability"])
        self._min_cm3 = float(bundle.manifest.thresholds["min_volume_cm3"])
        self._envelope = bundle.manifest.envelope
        self._device = device
        self._network = segmenter_network(self._size)
        load_weights(self._network, bundle)
        self._network.to(device).eval()

    @property
    def model(self) -> ModelIdentity:
        return self._identity

    def segment(self, exam: Exam) -> Mask:
        """The tumour as one connected region on the T2 grid.

        Raises
        ------
        InputUnfit
            ``NO_DIFFUSION`` without DWI at two b-values, ``NO_TUMOUR_FOUND`` where no region is large enough.
        """
        inputs = inputs_of(exam)
        grid = network_grid(exam.t2, self._size.spacing)
        mask = outline(self.probability(network_input(inputs, grid)), grid, exam.t2, self._threshold)
        if not self.is_tumour(mask, exam.t2):
            volume = float(mask.sum()) * exam.t2.voxel_mm3 / 1000.0
            reason = (
                f"the segmenter found no tumour of at least {self._min_cm3:g} cm³ on the {exam.files.time_point} exam "
                f"(largest region {volume:.2f} cm³); outline it by hand (SEG or RTSTRUCT) if there is one"
            )
            raise InputUnfit(Code.NO_TUMOUR_FOUND, reason)
        return Mask(
            array=mask,
            origin=MaskOrigin.MODEL,
            how=self._how(inputs),
            algorithm=self._identity.name,
            version=self._identity.version,
            model=self._identity,
        )

    def envelope(self, exam: Exam) -> Envelope:
        """Whether the images look like the segmenter's training cohort; raises InputUnfit without diffusion."""
        facts = exam_facts(inputs_of(exam))
        return check_case(self._envelope, {exam.files.time_point: facts})

    def _how(self, inputs: ModelInputs) -> str:
        how = (
            f"segmented automatically by {self._identity.name} {self._identity.version} from axial T2, "
            f"DWI b {max(inputs.dwi):g} s/mm² and ADC; not checked by a reader"
        )
        departures = check_exam(self._envelope, exam_facts(inputs), "")
        return f"{how}; unlike the segmenter's training cohort: {'; '.join(departures)}" if departures else how

    def probability(self, channels: FloatArray) -> FloatArray:
        """Tumour probability per voxel (slices, rows, columns) of one exam's channels (3, slices, rows, columns)."""
        return tumour_probability(self._network, self._size, channels, self._device)

    def is_tumour(self, mask: MaskArray, t2: Volume) -> bool:
        """Whether a region on the grid of ``t2`` is large enough to be reported as a tumour."""
        return float(mask.sum()) * t2.voxel_mm3 / 1000.0 >= self._min_cm3

    def found(self, channels: FloatArray, grid: Volume, t2: Volume) -> MaskArray:
        """What ``segment`` would outline, from channels on ``grid``; empty where it would refuse."""
        mask = outline(self.probability(channels), grid, t2, self._threshold)
        return mask if self.is_tumour(mask, t2) else np.zeros_like(mask)


def tumour_probability(
    network: torch.nn.Module, size: SegmenterSize, channels: FloatArray, device: torch.device
) -> FloatArray:
    """Tumour probability per voxel (slices, rows, columns) of channels (3, slices, rows, columns), window by window."""
    batch = torch.from_numpy(channels)[None].to(device)
    with torch.inference_mode():
        logits = sliding_window_inference(
            batch, size.window, WINDOWS_AT_ONCE, partial(_never_alone, network), overlap=OVERLAP, mode="gaussian"
        )
    return np.asarray(torch.sigmoid(torch.as_tensor(logits))[0, 0].cpu().numpy())


def _never_alone(network: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
    """The network's logits of some windows. On a CPU torch computes small convolutions of a single example with a plain
    kernel instead of oneDNN's (``use_mkldnn`` in aten/src/ATen/native/Convolution.cpp): two cost less than one."""
    if len(windows) > 1 or windows.is_cuda:
        return torch.as_tensor(network(windows))
    return torch.as_tensor(network(windows.repeat(2, 1, 1, 1, 1))[:1])


def outline(probability: FloatArray, grid: Volume, t2: Volume, threshold: float) -> MaskArray:
    """The most probable connected region on the grid of ``t2``, from a probability on ``grid``."""
    return largest_region(onto(grid.like(probability), t2).array, threshold)


def largest_region(probability: FloatArray, threshold: float) -> MaskArray:
    """The connected region above ``threshold`` with the largest sum of probability; empty where there is none."""
    labels, count = ndimage.label(probability >= threshold)
    if count == 0:
        return np.zeros(probability.shape, dtype=bool)
    weight: NDArray[np.float64] = np.asarray(ndimage.sum_labels(probability, labels, np.arange(1, count + 1)))
    return np.asarray(labels == 1 + int(weight.argmax()))


def _smoothed(volume: Volume, grid: Volume) -> Volume:
    """Low-pass before coarser sampling in plane: σ of half a target pixel, in source pixels, where it is coarser."""
    ratio = grid.spacing[1] / volume.spacing[1]
    if ratio <= 1.25:
        return volume
    return volume.like(ndimage.gaussian_filter(volume.array, (0.0, 0.5 * ratio, 0.5 * ratio)).astype(np.float32))
