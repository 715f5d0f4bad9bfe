"""One record per image frame, the same for classic and Enhanced MR (PS3.3 A.4, A.36): geometry, b-value, image type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydicom import Dataset

from pipelines.contract import InputUnfit
from pipelines.headers.attributes import item, number, numbers, text, value, words
from pipelines.headers.b_values import b_value, directionality, gradient
from pipelines.headers.dimensions import dimensions
from pipelines.headers.mosaic import is_mosaic, mosaic

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Frame:
    """What the headers say of one frame.

    ``file``: index of its dataset; ``number``: index inside that file. ``position`` (3) mm, ``orientation`` (6) row
    then column direction cosines, ``spacing`` (rows, columns) mm: LPS, PS3.3 C.7.6.2; None where absent.
    ``dimensions``: (name, value) of what frames at one place may differ in beside the b-value (PS3.3 C.7.6.17).
    A tile of a mosaic is a frame; ``unfit`` says why a mosaic could not be told into its slices.
    ``b_assumed``: the header states no b-value, and 0 is what its vendor means by that.
    """

    file: int
    number: int
    shape: tuple[int, int]
    position: Numbers | None
    orientation: Numbers | None
    spacing: Numbers | None
    frame_of_reference_uid: str
    image_type: tuple[str, ...]
    b_value: float | None
    isotropic: bool
    gradient: Numbers | None
    dimensions: tuple[tuple[str, str], ...] = ()
    unfit: str = ""
    b_assumed: bool = False


# These state the b-value of their weighted images alone (GE in the standard attribute, where its own was removed).
SILENT_AT_ZERO = ("CANON", "TOSHIBA", "GE MEDICAL")


def frames(headers: Sequence[Dataset]) -> tuple[Frame, ...]:
    """Every frame of the datasets, in their order."""
    found = tuple(frame for file, dataset in enumerate(headers) for frame in _of_file(file, dataset))
    silent = bool(headers) and text(headers[0], "Manufacturer").upper().startswith(SILENT_AT_ZERO)
    return _unweighted(found) if silent else found


def _unweighted(found: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Frames without b-value and direction beside weighted ones of the same Image Type are b 0, and marked so."""
    kinds = {frame.image_type for frame in found if frame.b_value}
    unstated = [frame for frame in found if frame.b_value is None]
    alike = all(frame.image_type in kinds and frame.gradient is None for frame in unstated)
    if not unstated or not alike or any(frame.b_value == 0 for frame in found):
        return found
    return tuple(replace(one, b_value=0.0, b_assumed=True) if one.b_value is None else one for one in found)


def functional_groups(dataset: Dataset) -> Iterator[tuple[Dataset | None, Dataset]]:
    """(shared item, per-frame item) of each frame of a multi-frame dataset (PS3.3 C.7.6.16)."""
    shared = item(dataset, "SharedFunctionalGroupsSequence")
    for per_frame in value(dataset, "PerFrameFunctionalGroupsSequence") or ():
        yield shared, per_frame


def group_item(groups: tuple[Dataset | None, Dataset], keyword: str) -> Dataset | None:
    """A functional group of one frame: its own, else the shared one."""
    shared, per_frame = groups
    own = item(per_frame, keyword)
    return own if own is not None else item(shared, keyword)


def _of_file(file: int, dataset: Dataset) -> Iterator[Frame]:
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        whole = _frame(file, 0, dataset, (dataset, dataset, dataset, dataset), None)
        whole = replace(whole, dimensions=dimensions(dataset))
        yield from _tiles(whole, dataset) if is_mosaic(dataset) else (whole,)
        return
    empty = Dataset()
    for index, groups in enumerate(functional_groups(dataset)):
        sources = tuple(
            group_item(groups, keyword) or empty
            for keyword in (
                "PlanePositionSequence",
                "PlaneOrientationSequence",
                "PixelMeasuresSequence",
                "MRImageFrameTypeSequence",
            )
        )
        frame = _frame(file, index, dataset, sources, group_item(groups, "MRDiffusionSequence"))
        yield replace(frame, dimensions=dimensions(dataset, groups))


def _tiles(whole: Frame, dataset: Dataset) -> Iterator[Frame]:
    """The slices of a mosaic, each at its own place."""
    try:
        found = mosaic(dataset)
    except InputUnfit as unfit:
        yield replace(whole, unfit=unfit.reason)
        return
    for index, position in enumerate(found.positions):
        yield replace(whole, number=index, shape=found.shape, position=position)


def _frame(file: int, index: int, dataset: Dataset, sources: tuple[Dataset, ...], diffusion: Dataset | None) -> Frame:
    position, orientation, measures, frame_type = sources
    return Frame(
        file=file,
        number=index,
        shape=(int(number(dataset, "Rows") or 0), int(number(dataset, "Columns") or 0)),
        position=numbers(position, "ImagePositionPatient", 3),
        orientation=numbers(orientation, "ImageOrientationPatient", 6),
        spacing=numbers(measures, "PixelSpacing", 2),
        frame_of_reference_uid=text(dataset, "FrameOfReferenceUID"),
        image_type=words(frame_type, "FrameType") or words(dataset, "ImageType"),
        b_value=b_value(dataset, diffusion),
        isotropic=directionality(dataset, diffusion) == "ISOTROPIC",
        gradient=gradient(dataset, diffusion),
    )
