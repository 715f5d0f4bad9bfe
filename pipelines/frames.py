"""One record per image frame, the same for classic and Enhanced MR (PS3.3 A.4, A.36): geometry, b-value, image type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom import Dataset

from pipelines.attributes import item, number, numbers, text, value, words
from pipelines.b_values import b_value, directionality, gradient

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Frame:
    """What the headers say of one frame.

    ``file``: index of its dataset; ``number``: index inside that file. ``position`` (3) mm, ``orientation`` (6) row
    then column direction cosines, ``spacing`` (rows, columns) mm: LPS, PS3.3 C.7.6.2; None where absent.
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


def frames(headers: Sequence[Dataset]) -> tuple[Frame, ...]:
    """Every frame of the datasets, in their order."""
    return tuple(frame for file, dataset in enumerate(headers) for frame in _of_file(file, dataset))


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
        yield _frame(file, 0, dataset, (dataset, dataset, dataset, dataset), None)
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
        yield _frame(file, index, dataset, sources, group_item(groups, "MRDiffusionSequence"))


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
