"""ADC, D and K against what was planted and against scanners' own maps; one JSON object last.

Run: python -m tests.benchmarks.diffusion [--data FOLDER]; FOLDER is the real DICOM, ../shared/data if not given.

Planted: blocks of 11520 voxels of each tissue in muscle in air, S₀/σ 50 and 30, Rician noise; the median over the valid
voxels against the fit of the same images without noise. Noise: the worst tissue as it is, without noise floor, with the
second moment of the noise subtracted, and with no rise of the kurtosis model allowed for noise. Patients: the same in
the tumours of simulated patients. Real: our ADC against the scanner's, where both are valid and the highest b-value is
tissue.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from pipelines.contract import FloatArray, InputUnfit, MaskArray, Role, SeriesFiles, SeriesRole, Volume
from pipelines.diffusion.adc import fit_adc, scanner_adc
from pipelines.diffusion.kurtosis import RISE_ALLOWED, fit_kurtosis
from pipelines.diffusion.log_fit import Scheme, fit_log_signal
from pipelines.phantom.signal import kurtosis_decay
from pipelines.volumes.normalise import foreground
from pipelines.volumes.volume import load_dwi, load_volume
from tests.benchmarks.planted_patients import planted_tumours

TISSUES = {"baseline": (1.365, 0.89), "pcr": (2.45, 0.56), "not_pcr": (1.95, 0.68), "mucinous": (1.94, 0.66)}
MUSCLE = (1.45, 0.6)
B_SETS = ((0.0, 600.0, 1000.0, 1500.0, 2000.0), (0.0, 500.0, 1000.0), (0.0, 600.0, 1000.0))
SHAPE, BODY, SIDE = (30, 128, 128), slice(16, 112), 24
S0 = 1000.0
REAL = {
    "ProstateX-0000": ("prostatex_0000_0001/**/ProstateX-0000/**/6.*", "prostatex_0000_0001/**/ProstateX-0000/**/7.*"),
    "ProstateX-0001": ("prostatex_0000_0001/**/ProstateX-0001/**/7.*", "prostatex_0000_0001/**/ProstateX-0001/**/8.*"),
    "brain, XA30": ("siemens_prisma_xa30_enhanced/**/10_DWI*", "siemens_prisma_xa30_enhanced/**/11_DWI*"),
}
"""Folders of the DWI and of the scanner's ADC."""
REPEATS = 5
PATIENT_SEED, PATIENTS, CORE_VOXELS = 5050, 8, 20
Dwi = dict[float, Volume]


def blocks() -> dict[str, MaskArray]:
    """Twenty slices of 24 × 24 voxels of each tissue, apart from each other."""
    found = {}
    for name, (row, column) in zip(TISSUES, ((24, 24), (24, 72), (72, 24), (72, 72)), strict=True):
        mask = np.zeros(SHAPE, dtype=bool)
        mask[5:25, row : row + SIDE, column : column + SIDE] = True
        found[name] = mask
    return found


def clean(b_values: Sequence[float]) -> Dwi:
    signal = np.zeros(SHAPE)
    d, k = np.full(SHAPE, MUSCLE[0]), np.full(SHAPE, MUSCLE[1])
    for name, mask in blocks().items():
        d[mask], k[mask] = TISSUES[name]
    signal[:, BODY, BODY] = S0
    return {b: Volume((signal * kurtosis_decay(b, d, k)).astype(np.float32), np.eye(4)) for b in b_values}


def noisy(dwi: Mapping[float, Volume], sigma: float) -> Dwi:
    rng = np.random.default_rng(20264)

    def magnitude(signal: FloatArray) -> FloatArray:
        real, imaginary = rng.normal(0, sigma, (2, *SHAPE))
        return np.asarray(np.hypot(signal + real, imaginary), dtype=np.float32)

    return {b: volume.like(magnitude(volume.array)) for b, volume in dwi.items()}


def without_air(dwi: Mapping[float, Volume]) -> Dwi:
    """The body only, in which no noise floor is to be found."""
    return {b: Volume(np.ascontiguousarray(volume.array[:, BODY, BODY]), np.eye(4)) for b, volume in dwi.items()}


def second_moment(dwi: Mapping[float, Volume], sigma: float) -> Dwi:
    """S² − 2σ², the unbiased estimate of the squared signal, held above a tenth of σ²."""
    squares = {b: volume.array.astype(np.float64) ** 2 - 2 * sigma**2 for b, volume in dwi.items()}
    return {
        b: dwi[b].like(np.sqrt(np.maximum(square, 0.1 * sigma**2)).astype(np.float32)) for b, square in squares.items()
    }


def errors(dwi: Dwi, truth: Dwi, rise_allowed: float = RISE_ALLOWED) -> dict[str, dict[str, float]]:
    """Per tissue: error of the median of each quantity, and the share of voxels without a value, percent."""
    maps = _maps(dwi, truth, rise_allowed)
    cropped = truth[min(truth)].array.shape != SHAPE
    masks = {name: mask[:, BODY, BODY] if cropped else mask for name, mask in blocks().items()}
    figures: dict[str, dict[str, float]] = {}
    for tissue, mask in masks.items():
        figures[tissue] = {}
        for name, (values, valid, expected) in maps.items():
            median, reference = np.median(values[mask & valid]), np.median(expected[mask])
            figures[tissue][f"{name}_error_percent"] = round(100 * float(median / reference - 1), 2)
            figures[tissue][f"{name}_invalid_percent"] = round(100 * float(1 - valid[mask].mean()), 1)
    return figures


def _maps(
    dwi: Dwi, truth: Dwi, rise_allowed: float = RISE_ALLOWED
) -> dict[str, tuple[FloatArray, MaskArray, FloatArray]]:
    """By quantity: what was fitted, where it is valid, and what the images without noise give."""
    made, true = fit_adc(dwi), fit_adc(truth)
    maps = {"adc": (made.volume.array, made.valid, true.volume.array)}
    try:
        pairs = zip(fit_kurtosis(dwi, None, rise_allowed), fit_kurtosis(truth), strict=True)
        maps |= {str(one.kind): (one.volume.array, one.valid, other.volume.array) for one, other in pairs}
    except InputUnfit:
        pass  # this b-set allows no kurtosis
    return maps


def planted() -> dict[str, dict[str, dict[str, float]]]:
    figures = {}
    for b_values in B_SETS:
        truth = clean(b_values)
        for snr in (50, 30):
            name = f"b {'/'.join(f'{b:g}' for b in b_values)}, SNR {snr}"
            figures[name] = errors(noisy(truth, S0 / snr), truth)
    return figures


def patients() -> dict[str, dict[str, float]]:
    """Phantom patients at SNR 50: per site the median error over their tumours' medians, and the mean invalid share."""
    figures = {}
    for site in "AB":
        found: dict[str, list[tuple[float, float]]] = {}
        for tumour in planted_tumours(PATIENT_SEED, PATIENTS, site, 50.0):
            for name, (made, valid, true) in _maps(tumour.noisy, tumour.clean).items():
                usable = tumour.core & valid
                if usable.sum() >= CORE_VOXELS:
                    error = 100 * float(np.median(made[usable]) / np.median(true[tumour.core]) - 1)
                    found.setdefault(name, []).append((error, 100 * float(1 - valid[tumour.core].mean())))
        for name, rows in found.items():
            error, invalid = np.median([row[0] for row in rows]), np.mean([row[1] for row in rows])
            figures[f"site {site}, {name}"] = {
                "tumours": len(rows),
                "error_percent": round(float(error), 2),
                "largest_error_percent": round(max((abs(row[0]) for row in rows), default=0.0), 2),
                "invalid_percent": round(float(invalid), 1),
            }
    return figures


def noise_treatments() -> dict[str, object]:
    """The worst of the tissues at b 0 to 2000, for each treatment of the noise."""
    truth, figures = clean(B_SETS[0]), {}
    for snr in (50, 30):
        sigma = S0 / snr
        dwi = noisy(truth, sigma)
        inside, true_inside = without_air(dwi), without_air(truth)
        figures[f"SNR {snr}"] = {
            "as it is": worst(errors(dwi, truth)),
            "no rise allowed": worst(errors(dwi, truth, 0.0)),
            "no floor": worst(errors(inside, true_inside)),
            "second moment": worst(errors(second_moment(inside, sigma), true_inside)),
        }
    return dict(figures)


def worst(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    names = next(iter(figures.values()))
    return {name: max((found[name] for found in figures.values()), key=abs) for name in names}


def series(folder: Path, role: Role) -> SeriesFiles:
    paths = tuple(path for path in sorted(folder.iterdir()) if path.suffix == ".dcm")
    return SeriesFiles(SeriesRole("", "", folder.name, "MR", role, (), 1.0, "named here"), paths)


def real_pairs(data: Path) -> dict[str, tuple[Dwi, Volume]]:
    """The DWI and the scanner's ADC of each real study that has both."""
    found = {}
    for name, pattern in REAL.items():
        dwi, adc = (next(folder for folder in data.glob(one) if folder.is_dir()) for one in pattern)
        found[name] = (load_dwi(series(dwi, Role.DWI)), load_volume(series(adc, Role.ADC)))
    return found


def real(data: Path) -> dict[str, dict[str, float]]:
    """Median difference of our ADC from the scanner's, percent: as we fit it, and in other ways."""
    figures = {}
    for name, (dwi, stored) in real_pairs(data).items():
        own, theirs = fit_adc(dwi), scanner_adc(stored)
        highest = dwi[max(dwi)].array
        tissue = own.valid & theirs.valid & foreground(dwi[min(dwi)].array) & (highest > 0)
        figures[name] = {"ours": difference(own.volume.array, theirs.volume.array, tissue)}
        signals = [dwi[b].array for b in sorted(dwi)]
        for way, scheme in (("weighted, all b", Scheme(1)), ("unweighted, all b", Scheme(1, weighted=False))):
            adc = -fit_log_signal(signals, sorted(dwi), tissue, scheme).coefficients[0]
            figures[name][way] = difference(adc, theirs.volume.array, tissue)
        for counts in (40, 60):
            bright = tissue & (highest > counts)
            if bright.sum() > 100:
                figures[name][f"ours, over {counts} counts"] = difference(own.volume.array, theirs.volume.array, bright)
        shifted = {b: volume.like(volume.array + 1) for b, volume in dwi.items()}
        figures[name]["ours, one count more"] = difference(fit_adc(shifted).volume.array, theirs.volume.array, tissue)
        figures[name]["voxels"] = int(tissue.sum())
    return figures


def difference(ours: FloatArray, theirs: FloatArray, where: MaskArray) -> float:
    return round(100 * float(np.median(ours[where] / theirs[where] - 1)), 2)


def seconds() -> dict[str, float]:
    """The fastest of some runs on one thread, for 30 slices of 128 × 128 at five b-values."""
    dwi = noisy(clean(B_SETS[0]), S0 / 50)

    def fastest(fit: object) -> float:
        taken = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            fit(dwi)  # type: ignore[operator]  # one of our two fits
            taken.append(time.perf_counter() - started)
        return round(min(taken), 3)

    return {"adc_s": fastest(fit_adc), "kurtosis_s": fastest(fit_kurtosis)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    data = parser.parse_args().data
    torch.set_num_threads(1)
    simulated = planted()
    at_50 = {name.partition(",")[0]: found for name, found in simulated.items() if name.endswith("SNR 50")}
    five = next(iter(at_50.values()))
    compared = real(data) if data.is_dir() else {}
    figures = {
        "adc_error_percent": {name: column(found, "adc_error_percent") for name, found in at_50.items()},
        "d_error_percent": column(five, "d_error_percent"),
        "k_error_percent": column(five, "k_error_percent"),
        "invalid_percent": column(five, "k_invalid_percent"),
        "real_adc_difference_percent": column(compared, "ours") or None,
        "patients": patients(),
        "planted": simulated,
        "noise": noise_treatments(),
        "real": compared or None,
        **seconds(),
    }
    print(json.dumps(figures, ensure_ascii=False))


def column(figures: Mapping[str, Mapping[str, float]], name: str) -> dict[str, float]:
    return {row: found[name] for row, found in figures.items()}


if __name__ == "__main__":
    main()
