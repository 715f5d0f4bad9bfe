"""Model inputs in the cache: one entry per exam, the same for every system, for training, evaluation and the node.

The key is a digest of the bytes of the chosen series' files and of every parameter of preprocessing: a changed image,
another chosen series or another rule is a new entry, and nothing stale is ever read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.contract import (
    Alignment,
    Code,
    Exam,
    ExamFiles,
    MapKind,
    ModelInputs,
    Role,
    ScalarMap,
    Statement,
    TimePoint,
    Volume,
)
from pipelines.inputs.cache import Cache, Entry, file_digest, key_of
from pipelines.inputs.model_inputs import DEFAULT, HALF, VERSION, Preprocessing, half_scale, model_inputs

SOURCES = (Role.T2_AXIAL, Role.DWI, Role.CE_T1)


def inputs_key(files: ExamFiles, settings: Preprocessing = DEFAULT) -> str:
    """The key of an exam's model inputs."""
    sources = [
        f"{role} {file_digest(path)}" for role in SOURCES if role in files.chosen for path in files.chosen[role].paths
    ]
    parameters = {"version": VERSION, "time point": str(files.time_point), "settings": asdict(settings)}
    return key_of(sources, parameters)


def stored_inputs(files: ExamFiles, cache: Cache, settings: Preprocessing = DEFAULT) -> ModelInputs | None:
    """The exam's model inputs where the cache has them; none of its images is decoded."""
    return _stored(cache, inputs_key(files, settings))


def _stored(cache: Cache, key: str) -> ModelInputs | None:
    entry = cache.read(key)
    if entry is None:
        return None
    try:
        return from_entry(entry)
    except (LookupError, TypeError, ValueError):  # an archive that is whole, and holds something else
        cache.drop(key)
        return None


@dataclass(frozen=True)
class Preparation:
    """How exams become model inputs: by which rules, where they are kept (None: nowhere), and where they are made."""

    cache: Cache | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    settings: Preprocessing = DEFAULT

    def inputs(self, exam: Exam) -> ModelInputs:
        """The exam's model inputs: from the cache, or made now and kept there.

        An exam of which a chosen series could not be loaded is not kept: the disk or memory may have failed only today.
        """
        if self.cache is None or not _whole(exam):
            return model_inputs(exam, self.settings, self.device)
        key = inputs_key(exam.files, self.settings)
        found = _stored(self.cache, key)
        if found is None:
            found = model_inputs(exam, self.settings, self.device)
            self.cache.write(key, to_entry(found))
        return found


PLAIN = Preparation()


def _whole(exam: Exam) -> bool:
    """Whether every chosen series that model inputs are made of was loaded."""
    chosen = exam.files.chosen
    return (Role.DWI not in chosen or bool(exam.dwi)) and (Role.CE_T1 not in chosen or exam.ce_t1 is not None)


def to_entry(inputs: ModelInputs) -> Entry:
    """Arrays in half precision with their scales, and the rest as JSON."""
    arrays: dict[str, NDArray[Any]] = {}
    volumes: dict[str, Volume] = {"t2": inputs.t2}
    volumes |= {} if inputs.ce_t1 is None else {"ce_t1": inputs.ce_t1}
    volumes |= {} if inputs.adc is None else {"adc": inputs.adc}
    volumes |= {f"b{b!r}": volume for b, volume in inputs.dwi.items()}
    for found in inputs.maps:
        volumes[str(found.kind)] = found.volume
        arrays[f"{found.kind}_valid"] = found.valid
    for name, volume in volumes.items():
        scale = half_scale(volume.array)
        arrays[name] = (volume.array / scale).astype(HALF)
        arrays[f"{name}_affine"] = volume.affine
        arrays[f"{name}_scale"] = np.array(scale)
    if inputs.alignment is not None:
        arrays["alignment"] = inputs.alignment.matrix
    return Entry(arrays, _described(inputs))


def from_entry(entry: Entry) -> ModelInputs:
    """The inverse of :func:`to_entry`, to the bit."""
    described, arrays = entry.described, entry.arrays
    frame = str(described["frame_of_reference"])

    def volume(name: str) -> Volume:
        array = arrays[name].astype(np.float32) * np.float32(arrays[f"{name}_scale"])
        return Volume(array, arrays[f"{name}_affine"], frame)

    maps = tuple(
        ScalarMap(MapKind(kind), volume(kind), arrays[f"{kind}_valid"], how) for kind, how in described["maps"].items()
    )
    aligned = described["alignment"]
    refusal = described["refusal"]
    return ModelInputs(
        time_point=TimePoint(described["time_point"]),
        t2=volume("t2"),
        ce_t1=volume("ce_t1") if "ce_t1" in arrays else None,
        dwi={b: volume(f"b{b!r}") for b in described["b_values"]},
        adc=volume("adc") if "adc" in arrays else None,
        maps=maps,
        alignment=None if aligned is None else Alignment(arrays["alignment"], **aligned),
        refusal=None if refusal is None else Statement(Code(refusal[0]), refusal[1], refusal[2]),
        parameters=tuple((name, value) for name, value in described["parameters"]),
    )


def _described(inputs: ModelInputs) -> Mapping[str, Any]:
    aligned = inputs.alignment
    return {
        "time_point": str(inputs.time_point),
        "frame_of_reference": inputs.t2.frame_of_reference_uid,
        "b_values": list(inputs.dwi),
        "maps": {str(found.kind): found.how for found in inputs.maps},
        "alignment": None
        if aligned is None
        else {"accepted": aligned.accepted, "displacement_mm": aligned.displacement_mm, "how": aligned.how},
        "refusal": None
        if inputs.refusal is None
        else [str(inputs.refusal.code), inputs.refusal.subject, inputs.refusal.reason],
        "parameters": [list(pair) for pair in inputs.parameters],
    }
