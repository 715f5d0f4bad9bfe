"""What every cut of an exam begins with, kept beside the model inputs: the mask, and what the quality gate left.

Loading an exam costs about a second even where its model inputs are cached: headers, pixels, the quality gate. All of
that is the same for every system, so its outcome is kept too: a mask of some hundred bytes, or the reason of a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.cohort.origin import Origin
from pipelines.contract import ExamFiles, MaskArray, ModelInputs
from pipelines.inputs.cache import Cache, Entry
from pipelines.inputs.input_cache import from_entry, inputs_key, to_entry


@dataclass(frozen=True)
class Look:
    """An exam's model inputs as the quality gate left them, the mask on its T2 grid, whose exam it is and of which day;
    ``bed``: the mask is a tumour bed."""

    inputs: ModelInputs
    mask: MaskArray
    origin: Origin
    bed: bool = False


def keep_look(cache: Cache, key: str, look: Look, files: ExamFiles) -> None:
    """Keep a look. Model inputs that the gate changed are kept in it; else the shared entry is named."""
    own = to_entry(look.inputs)
    shared = inputs_key(files)
    stored = cache.read(shared)
    same = stored is not None and stored.described == dict(own.described) and set(stored.arrays) == set(own.arrays)
    mask = {"mask": np.packbits(look.mask)}
    described = {"refusal": "", "bed": look.bed, "shape": list(look.mask.shape), "shared": shared if same else ""}
    described |= {"origin": look.origin.as_json()}
    cache.write(key, Entry(mask if same else {**own.arrays, **mask}, described | {"inputs": dict(own.described)}))


def keep_refusal(cache: Cache, key: str, reason: str) -> None:
    """Keep why an exam cannot be used."""
    cache.write(key, Entry({}, {"refusal": reason}))


def kept_look(cache: Cache, key: str) -> Look | str | None:
    """The look that was kept, the reason of a refusal, or None: nothing was kept, or what it names is gone."""
    entry = cache.read(key)
    if entry is None:
        return None
    said = entry.described
    if said["refusal"]:
        return str(said["refusal"])
    source = cache.read(said["shared"]) if said["shared"] else Entry(entry.arrays, said["inputs"])
    if source is None:
        return None
    shape = tuple(said["shape"])
    mask = np.unpackbits(entry.arrays["mask"], count=int(np.prod(shape))).reshape(shape).astype(bool)
    return Look(from_entry(source), mask, Origin.from_json(said["origin"]), bool(said["bed"]))
