"""A whole exam pair from DICOM files to model inputs, stage by stage: seconds and peak memory.

Run: python -m tests.benchmarks.preprocess; prints JSON last. One pair of the phantom per preset, from a site with five
b-values, with CE-T1 at both times; each preset in a process of its own, so that its peak memory is its own. ``total_s``
is what the node pays for a new pair (reading, maps, alignment, bias correction, the two exams laid on each other);
``inputs_from_cache_s`` what reading both exams' model inputs from the cache takes. On a GPU,
where there is one, the same again there.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from pipelines.bias.n4 import N4Settings, correct_bias
from pipelines.case import load_case
from pipelines.contract import CaseFiles, Exam, Role, TimePoint
from pipelines.diffusion.adc import fit_adc
from pipelines.diffusion.kurtosis import fit_kurtosis
from pipelines.exam import exam_files
from pipelines.inputs.cache import Cache
from pipelines.inputs.input_cache import Preparation, stored_inputs
from pipelines.inputs.model_inputs import DEFAULT, model_inputs
from pipelines.phantom.cohort import FULL, SMALL, write_patient
from pipelines.phantom.patient import draw_patient
from pipelines.registration.register import align_dwi, align_exams
from pipelines.volumes.volume import load_dwi, load_volume

SEED = 31
PRESETS = {"small": SMALL, "full": FULL}
LIMITS = {"small": (5.0, 3.0), "full": (30.0, 3.0)}
THREADS = 2
T = TypeVar("T")


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, stage: str, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        result = work()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
        return result


def patient_index() -> int:
    """The first patient of the seed with every sequence at both times, at the site with the most b-values."""
    return next(
        index
        for index in range(1000)
        if (patient := draw_patient(SEED, index)).site.name == "A" and not any(patient.missing)
    )


def stages(files: CaseFiles, device: torch.device) -> dict[str, float]:
    """Seconds of each stage of both exams."""
    clock = Clock()
    t2s = []
    for exam in files.exams:
        chosen = exam.chosen
        t2 = clock.run("read_t2", lambda chosen=chosen: load_volume(chosen[Role.T2_AXIAL]))
        ce_t1 = clock.run("read_ce_t1", lambda chosen=chosen: load_volume(chosen[Role.CE_T1]))
        dwi = clock.run("read_dwi", lambda chosen=chosen: load_dwi(chosen[Role.DWI]))
        clock.run("adc", lambda dwi=dwi: fit_adc(dwi, device))
        clock.run("kurtosis", lambda dwi=dwi: fit_kurtosis(dwi, device))
        clock.run("align_dwi", lambda t2=t2, dwi=dwi: align_dwi(t2, dwi, 1))
        volumes = [t2, ce_t1, dwi[min(dwi)]]
        clock.run("n4_three_series", lambda volumes=volumes: correct_bias(volumes, None, N4Settings(), device))
        bare = Exam(exam, t2, (), dwi, None, ce_t1, None, phase_axis=1)
        clock.run("model_inputs", lambda bare=bare: model_inputs(bare, DEFAULT, device))
        t2s.append(t2)
    clock.run("align_exams", lambda: align_exams(t2s[0], t2s[1]))
    return clock.seconds


def measure(preset: str) -> dict[str, Any]:
    """The figures of one preset; a child process measures, so that the phantom's own memory is no part of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        row = write_patient(folder, SEED, patient_index(), preset=PRESETS[preset])
        found = _child("measure", str(folder / row.baseline), str(folder / row.restaging), str(folder / "cache"))
    return found | {"b_values": row.b_values}


def measured(baseline: Path, restaging: Path, folder: Path) -> dict[str, Any]:
    """What a fresh process needs for the pair."""
    torch.set_num_threads(THREADS)
    clock = Clock()
    cache = Cache(folder)
    files = clock.run(
        "headers",
        lambda: CaseFiles(exam_files(baseline, TimePoint.BASELINE), exam_files(restaging, TimePoint.RESTAGING)),
    )
    case, _ = clock.run("load_case", lambda: load_case(files, None, preparation=Preparation(cache)))
    total = sum(clock.seconds.values())
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cached = Clock()
    found = cached.run("stored", lambda: [stored_inputs(exam, cache) for exam in files.exams])
    assert all(inputs is not None for inputs in found)
    shapes = {str(exam.files.time_point): [list(exam.t2.array.shape), len(exam.dwi)] for exam in case.exams}
    figures: dict[str, Any] = {
        "total_s": total,
        "headers_s": clock.seconds["headers"],
        "peak_gb": peak_gb,
        "inputs_from_cache_s": cached.seconds["stored"],
        "shapes": shapes,
        "cpu_stages_s": stages(files, torch.device("cpu")),
        "gpu_stages_s": None,
    }
    if torch.cuda.is_available():
        stages(files, torch.device("cuda"))  # the first run pays for starting the device
        figures["gpu_stages_s"] = stages(files, torch.device("cuda"))
    return figures


def _child(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.preprocess", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    return {key: _rounded(each) for key, each in value.items()} if isinstance(value, dict) else value


def main() -> None:
    match sys.argv[1:]:
        case ["measure", baseline, restaging, cache]:
            print(json.dumps(measured(Path(baseline), Path(restaging), Path(cache))))
        case _:
            figures: dict[str, Any] = {preset: measure(preset) for preset in PRESETS}
            for preset, (seconds, gigabytes) in LIMITS.items():
                figures[preset] |= {"limit_s": seconds, "limit_gb": gigabytes}
            print(json.dumps(_rounded(figures) | {"threads": THREADS}))


if __name__ == "__main__":
    main()
