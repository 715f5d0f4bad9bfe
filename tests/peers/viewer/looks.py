"""An image on the screen of a viewer, and which pixel of the image each pixel of the screen shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.colors import rgb_to_hsv
from matplotlib.image import imread
from numpy.typing import NDArray

Plane = NDArray[np.float64]
Mask = NDArray[np.bool_]

HUE_TOLERANCE = 12 / 360
LEAST_SATURATION = 0.25  # the images are grey
LEAST_VALUE = 0.15


@dataclass(frozen=True)
class Look:
    """One image as it is drawn, and where in the drawing the viewer says that its pixels are.

    ``drawing`` is the viewport's canvas, without the viewer's own signs over it; ``window`` the whole window, in which
    the canvas lies at (``left``, ``top``). ``origin`` is the place (x, y) of the centre of the image's first pixel, in
    pixels from the canvas's top left corner; ``right`` and ``below`` are those of the next pixel in its row and column.
    """

    drawing: Path
    window: Path
    left: float
    top: float
    origin: tuple[float, float]
    right: tuple[float, float]
    below: tuple[float, float]

    @property
    def rgb(self) -> Plane:
        """(height, width, 3) of the drawing, 0 to 1."""
        return _rgb(self.drawing)

    @property
    def visible(self) -> float:
        """The share of the drawing's pixels that the window shows as they are."""
        x, y = int(self.left), int(self.top)
        height, width = self.rgb.shape[:2]
        shown = _rgb(self.window)[y : y + height, x : x + width]
        return float((np.abs(shown - self.rgb[: shown.shape[0], : shown.shape[1]]) < 2 / 255).all(axis=2).mean())

    @property
    def grey(self) -> Plane:
        """(height, width) of the drawing, 0 to 1."""
        return self.rgb.mean(axis=2)

    def coloured(self, rgb: tuple[int, int, int]) -> Mask:
        """Where the drawing has this hue (height, width); ``rgb`` 0 to 255. An overlay mixes with what it covers."""
        wanted = rgb_to_hsv(np.array(rgb) / 255)[0]
        hue, saturation, value = np.moveaxis(rgb_to_hsv(self.rgb), -1, 0)
        away = np.abs((hue - wanted + 0.5) % 1 - 0.5)
        return (away < HUE_TOLERANCE) & (saturation > LEAST_SATURATION) & (value > LEAST_VALUE)

    def places(self) -> tuple[Plane, Plane]:
        """Row and column in the image, as fractions, that the centre of each pixel of the drawing shows."""
        height, width = self.grey.shape
        y, x = np.mgrid[:height, :width] + 0.5
        origin = np.array(self.origin)
        to_window = np.column_stack([np.array(self.right) - origin, np.array(self.below) - origin])
        columns, rows = np.tensordot(np.linalg.inv(to_window), np.stack([x - origin[0], y - origin[1]]), 1)
        return rows, columns

    def projected(self, image: Plane, outside: float) -> Plane:
        """The image as it should be drawn (height, width), by nearest neighbour; ``outside`` beside it."""
        rows, columns = (np.rint(place).astype(int) for place in self.places())
        inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
        return np.where(inside, image[rows.clip(0, image.shape[0] - 1), columns.clip(0, image.shape[1] - 1)], outside)


def correlation(one: Plane, other: Plane) -> float:
    """Pearson's, over all pixels."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def centroid(mask: Mask) -> NDArray[np.float64]:
    """(y, x) of the mean of the pixels that are set."""
    return np.argwhere(mask).mean(axis=0)


def _rgb(picture: Path) -> Plane:
    return np.asarray(imread(picture), float)[..., :3]
