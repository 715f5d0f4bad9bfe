"""What a report says of where the networks looked: how far their maps can be believed, and one patient's maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from pipelines.contract import FloatArray
from pipelines.evaluation.report.content import Block, Picture, Section, Table, Words
from pipelines.evaluation.report.wording import number
from pipelines.evaluation.results import Results
from pipelines.evaluation.saliency import Example, Looked
from pipelines.phantom.report.style import GOOD, INK, figure, save

FILE = "saliency.png"
COLUMNS = ("image and tumour", "trained", "untrained")
MOST_ROWS = 6


def saliency_sections(results: Results, figures: Path) -> tuple[Section, ...]:
    """Nothing where no networks were checked."""
    found = results.explained.saliency
    if not found:
        return ()
    draw_saliency(found[:MOST_ROWS], figures / FILE)
    words = (
        "Grad-CAM shows which places raised what the networks of an image say, or lowered it in a patient to whom they "
        "give less than usual. A map is worth a look only if it hangs on what was learnt and on the image, so all "
        "weights were drawn anew (Adebayo et al. 2018), and maps were compared between patients. A map is no border of "
        "a tumour; nothing here changes a probability."
    )
    doubts: tuple[Block, ...] = tuple(Words(f"{one.name}: {'; '.join(one.doubts)}.") for one in found if one.doubts)
    plain = [one.name for one in found if not one.doubts]
    if plain:
        doubts = (*doubts, Words(f"Nothing was found against the maps of {', '.join(plain)}."))
    caption = (
        "One patient for each kind of network, of median share inside the tumour (outlined in blue): the image, the "
        "map, and that of the same networks with weights drawn anew. Each map is scaled to its own maximum."
    )
    return (Section("Where the networks looked", (Words(words), _table(found), *doubts, Picture(FILE, caption))),)


def _table(found: Sequence[Looked]) -> Table:
    rows = tuple(
        (
            one.name,
            str(one.patients),
            number(one.inside),
            number(one.area),
            number(one.inside_untrained),
            number(one.untrained),
            number(one.between),
            number(one.even),
        )
        for one in found
    )
    columns = (
        "networks of",
        "n",
        "in the tumour",
        "by area",
        "untrained",
        "ρ with untrained",
        "ρ between patients",
        "without places",
    )
    note = (
        "Means over patients drawn at random. In the tumour: the share of a map's sum; by area: what an even map would "
        "have there; untrained: what networks with random weights have there. ρ: Spearman's rank correlation over the "
        "places of a map, with untrained networks and with another patient's. Without places: maps that are the same "
        "everywhere."
    )
    return Table(columns, rows, note)


def draw_saliency(found: Sequence[Looked], path: Path) -> None:
    """For each kind of network: image with the tumour, map of the trained networks, map of untrained ones."""
    beside = 2 if len(found) > 2 else 1
    lines = -(-len(found) // beside)
    made = figure(4.2 * beside, 0.3 + 1.45 * lines)
    grid = made.subplots(lines, beside * len(COLUMNS), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for index, one in enumerate(found):
        line, block = divmod(index, beside)
        _draw_example(grid[line][block * len(COLUMNS) : (block + 1) * len(COLUMNS)], one, line == 0)
    save(made, path)


def _draw_example(places: Sequence[Axes], one: Looked, first: bool) -> None:
    example = one.example
    for column, (axes, words) in enumerate(zip(places, COLUMNS, strict=True)):
        axes.imshow(_grey(example.image), cmap="gray", vmin=0, vmax=1)
        if column:
            heat = (example.trained, example.untrained)[column - 1]
            axes.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=np.clip(1.6 * heat, 0.0, 0.9))
        _outline(axes, example)
        if first:
            axes.set_title(words, fontsize=8.5, color=INK)
    places[0].text(
        -0.06, 0.5, one.name, transform=places[0].transAxes, rotation=90, va="center", ha="right", fontsize=8.5
    )


def _outline(axes: Axes, example: Example) -> None:
    if example.tumour is not None and np.ptp(example.tumour) > 0:
        axes.contour(example.tumour, levels=[0.5 * float(example.tumour.max())], colors=[GOOD], linewidths=1.2)


def _grey(image: FloatArray) -> FloatArray:
    """0 to 1 between the 1st and the 99th percentile, darker than the map over it."""
    low, high = np.percentile(image, [1.0, 99.0])
    return np.asarray(0.75 * np.clip((image - low) / max(float(high - low), 1e-6), 0.0, 1.0), dtype=np.float32)
