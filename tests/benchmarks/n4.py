"""N4 against SimpleITK's, in one run: speed, likeness, and how well each finds a planted field.

Run: python -m tests.benchmarks.n4 [--quick]; prints JSON last. SimpleITK has two threads, ours the better of one and
two, both a convergence threshold of 0, so that neither stops early. The smaller of the sizes' speed-ups counts, and the
worst of the other figures. SimpleITK needs several minutes; --quick takes a small image and few iterations, which shows
that the program runs and nothing of the speed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pipelines.bias.n4 import BiasField, N4Settings, correct_bias, first_sample
from pipelines.contract import FloatArray
from tests.pipelines.biased_images import BiasedImage, biased_image, reference_field

SIZES = ((28, 320, 320), (30, 512, 512))
QUICK_SIZES = ((8, 128, 128),)
REPETITIONS = 5
SERIES = 6  # in a batch on a GPU
SETTINGS = N4Settings(convergence_threshold=0)


def seconds(work: Callable[[], object], repetitions: int) -> float:
    """The least of several, after one that is not counted: on a busy machine the others measure its other work."""
    work()
    taken = []
    for _ in range(repetitions):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def own_seconds(image: BiasedImage, settings: N4Settings) -> dict[int, float]:
    """By number of threads."""
    taken, before = {}, torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        taken[threads] = seconds(lambda: correct_bias([image.volume], [image.mask], settings), REPETITIONS)
    torch.set_num_threads(before)
    return taken


def gpu_milliseconds(image: BiasedImage, settings: N4Settings) -> float | None:
    """Per series of a batch, from arrays in memory to arrays in memory; None without a GPU."""
    if not torch.cuda.is_available():
        return None
    volumes, masks = [image.volume] * SERIES, [image.mask] * SERIES
    device = torch.device("cuda")
    return 1000 / SERIES * seconds(lambda: correct_bias(volumes, masks, settings, device), REPETITIONS)


def variation_in_tissue(image: BiasedImage, array: FloatArray) -> float:
    """Mean over the tissues of the coefficient of variation inside each."""
    tissues = [array[image.tissues == number] for number in np.unique(image.tissues) if number]
    return float(np.mean([inside.std() / inside.mean() for inside in tissues]))


def correlation(image: BiasedImage, log_field: FloatArray) -> float:
    """Of the log field with the planted one, inside the mask."""
    return float(np.corrcoef(log_field[image.mask], image.log_field[image.mask])[0, 1])


def parity(image: BiasedImage, settings: N4Settings) -> float:
    """Largest difference of the log fields inside the mask where they are estimated, after 3 iterations a level."""
    settings = replace(settings, iterations=(3, 3, 3, 3))
    ours = correct_bias([image.volume], [image.mask], settings)[0]
    kept = kept_voxels(ours)
    difference = np.log(ours.field[kept]) + ours.log_mean - reference_field(image, settings).shrunk
    return float(np.abs(difference[image.mask[kept]]).max())


def kept_voxels(ours: BiasField) -> tuple[slice, ...]:
    """Those that the field was estimated from."""
    sizes = zip(ours.field.shape, ours.shrink, strict=True)
    return tuple(slice(first := first_sample(size, f), first + (size // f - 1) * f + 1, f) for size, f in sizes)


def compared(shape: tuple[int, int, int], settings: N4Settings) -> dict[str, Any]:
    image = biased_image(shape)
    taken = own_seconds(image, settings)
    ours = correct_bias([image.volume], [image.mask], settings)[0]
    assert ours.shrink == settings.shrink
    started, started_cpu = time.perf_counter(), time.process_time()
    reference = reference_field(image, settings, threads=2)
    corrected = image.volume.array / np.exp(reference.log_field)
    reference_seconds, reference_cpu = time.perf_counter() - started, time.process_time() - started_cpu
    return {
        "shape": shape,
        "iterations": ours.iterations,
        "seconds_1_thread": taken[1],
        "seconds_2_threads": taken[2],
        "reference_seconds": reference_seconds,
        "reference_cpu_seconds": reference_cpu,  # of both threads: half of it is the least it takes on a free machine
        "cpu_speedup": reference_seconds / min(taken.values()),
        "gpu_ms_per_series": gpu_milliseconds(image, replace(settings, convergence_threshold=0.001)),
        "gpu_ms_per_series_threshold_0": gpu_milliseconds(image, settings),
        "field_correlation": correlation(image, np.log(ours.field)),
        "reference_field_correlation": correlation(image, reference.log_field),
        "cv_ratio": variation_in_tissue(image, ours.corrected.array) / variation_in_tissue(image, corrected),
        "parity_max_difference": parity(image, settings),
    }


def figures(sizes: Sequence[tuple[int, int, int]], settings: N4Settings) -> dict[str, Any]:
    each = []
    for shape in sizes:
        each.append(compared(shape, settings))
        print(json.dumps(rounded(each[-1])), flush=True)
    # The size where ours falls furthest behind the reference.
    worst = min(each, key=lambda size: size["field_correlation"] - size["reference_field_correlation"])
    gpu = [size["gpu_ms_per_series"] for size in each if size["gpu_ms_per_series"] is not None]
    summary = {
        "cpu_speedup": min(size["cpu_speedup"] for size in each),
        "gpu_ms_per_series": max(gpu, default=None),
        "field_correlation": worst["field_correlation"],
        "reference_field_correlation": worst["reference_field_correlation"],
        "cv_ratio": max(size["cv_ratio"] for size in each),
        "parity_max_difference": max(size["parity_max_difference"] for size in each),
    }
    return {**rounded(summary), "sizes": [rounded(size) for size in each]}


def rounded(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers to five significant digits."""
    return {
        key: float(f"{value:.5g}") if isinstance(value, float) and math.isfinite(value) else value
        for key, value in values.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small image, few iterations")
    quick = parser.parse_args(arguments).quick
    settings = replace(SETTINGS, iterations=(2, 2, 2, 2)) if quick else SETTINGS
    print(json.dumps(figures(QUICK_SIZES if quick else SIZES, settings)))


if __name__ == "__main__":
    main()
