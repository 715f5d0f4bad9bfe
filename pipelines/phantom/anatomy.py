"""The pelvis: what lies where around the rectum, drawn per patient and painted on any grid.

Pelvis frame (``grid.py``): origin at the tumour, x left, y posterior, z superior, mm. The rectum, the mesorectum and
the levator funnel follow the rectal axis, which leans by ``tilt``; everything else stands upright.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pipelines.contract import FloatArray
from pipelines.phantom.grid import axial_axes
from pipelines.phantom.layers import Canvas, coverage

SIDES = (-1.0, 1.0)


@dataclass(frozen=True)
class Pelvis:
    """One patient's anatomy, the same at both exams. Lengths in mm, ``tilt`` in degrees.

    ``bladder_base``: z of the border between bladder and prostate or cervix. ``anal_w``: where the anal canal begins
    along the rectal axis. ``mesorectum``: its half width, half depth and how far back it lies. ``warp``: per axis, two
    waves (amplitude, 3 wave numbers, phase) of a smooth deformation. ``nodes``: (angle, share of the mesorectum's
    radius, w, radius); ``vessels``: (angle, share, turn per 12 mm, radius).
    """

    sex: str
    size: float
    tilt: float
    bend: tuple[float, float]
    bladder_base: float
    anal_w: float
    body: tuple[float, float]
    mesorectum: tuple[float, float, float]
    sacrum_y: float
    warp: np.ndarray
    nodes: tuple[tuple[float, float, float, float], ...]
    vessels: tuple[tuple[float, float, float, float], ...]

    def rectal(self, points: list[FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(w, v, u) of points: along the rectum, posterior and left of its centre line."""
        axes = axial_axes(self.tilt, 0.0).astype(np.float32)
        x, y, z = points
        w = axes[1, 0] * y + axes[2, 0] * z
        v = axes[1, 1] * y + axes[2, 1] * z
        return w, v + np.float32(self.bend[0]) * w * w, x - np.float32(self.bend[1]) * w * w

    def locate(self, w: np.ndarray, v: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Pelvis coordinates (n, 3) of points given in the rectal frame: the inverse of ``rectal``."""
        local = np.stack([w, v - self.bend[0] * w * w, u + self.bend[1] * w * w], axis=1)
        return np.asarray(local @ axial_axes(self.tilt, 0.0).T)

    def deform(self, points: list[FloatArray]) -> list[FloatArray]:
        """Smooth irregular displacement of up to about 3 mm, so that no organ is an ellipse."""
        x, y, z = points
        out = []
        for p, (a, kx, ky, kz, phase, *second) in zip(points, self.warp.astype(np.float32), strict=True):
            b, qx, qy, qz, shift = second
            out.append(p + a * np.sin(kx * x + ky * y + kz * z + phase) + b * np.sin(qx * x + qy * y + qz * z + shift))
        return out


def draw_pelvis(rng: Generator, sex: str) -> Pelvis:
    """Anatomy of one patient."""
    warp = np.zeros((3, 10))
    for axis in range(3):
        for start, amplitude, low, high in ((0, 2.4, 40, 80), (5, 1.0, 16, 28)):
            direction = rng.normal(size=3)
            wave = direction / np.linalg.norm(direction) * 2 * np.pi / rng.uniform(low, high)
            warp[axis, start : start + 5] = [amplitude * rng.uniform(0.6, 1.2), *wave, rng.uniform(0, 2 * np.pi)]
    nodes = [
        (rng.uniform(0, 2 * np.pi), rng.uniform(0.55, 0.85), rng.uniform(-32, 36), rng.uniform(1.8, 4.2))
        for _ in range(int(rng.integers(2, 7)))
    ]
    vessels = [
        (rng.uniform(-0.4, np.pi + 0.4), rng.uniform(0.5, 0.95), rng.normal(0, 0.10), rng.uniform(0.9, 1.7))
        for _ in range(8)
    ]
    return Pelvis(
        sex=sex,
        size=float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12)),
        tilt=float(rng.uniform(10, 30)),
        bend=(float(rng.uniform(0.0015, 0.004)), float(rng.normal(0, 0.0012))),
        bladder_base=float(rng.uniform(-22, 16)),
        anal_w=float(rng.uniform(-75, -38)),
        body=(float(rng.uniform(160, 190)), float(rng.uniform(100, 122))),
        mesorectum=(float(rng.uniform(35, 42)), float(rng.uniform(28, 34)), float(rng.uniform(2, 7))),
        sacrum_y=float(rng.uniform(42, 50)),
        warp=warp,
        nodes=tuple(nodes),
        vessels=tuple(vessels),
    )


def paint_body(canvas: Canvas, pelvis: Pelvis) -> None:
    """Air, skin, subcutaneous and pelvic fat, gluteal muscles, abdominal wall."""
    whole = canvas.grid.whole()
    x, y, z = canvas.warped(whole)
    a, b = (np.float32(r) for r in pelvis.body)
    yc = y + np.float32(18.0)
    k = np.sqrt((x / a) ** 2 + (yc / b) ** 2 + np.float32(1e-6))
    cleft = np.float32(16.0) * np.exp(-((x / np.float32(9.0)) ** 2)) * np.clip((yc - 60) / 30, 0, 1)
    depth = (1 - k) * b - cleft
    canvas.add(whole, coverage(-depth, canvas.edge), "muscle")
    canvas.add(whole, coverage(np.float32(2.0) - depth, canvas.edge), "fat")
    # Strands of connective tissue through the fat.
    strand = np.sin(
        x * np.float32(0.13) + yc * np.float32(0.07) + 2 * np.sin(yc * np.float32(0.09) - z * np.float32(0.06))
    )
    canvas.add(whole, np.clip((np.float32(0.06) - np.abs(strand)) * 8, 0, np.float32(0.30)), "fascia")
    front = np.abs(depth - np.float32(27.0)) - np.float32(5.5) * np.clip(np.abs(x) / 12, np.float32(0.2), 1)
    canvas.add(whole, coverage(np.maximum(front, yc + np.float32(62.0)), canvas.edge), "muscle")
    canvas.add(whole, coverage(depth, canvas.edge), "air")


def paint_buttocks(canvas: Canvas, pelvis: Pelvis) -> None:
    """Gluteus maximus on each side: a thick curved sheet from the sacrum and coccyx outwards, split by fat."""
    box = canvas.grid.box(np.array([0.0, 70.0, 0.0]), np.array([190.0, 75.0, 190.0]))
    x, y, z = canvas.warped(box)
    side = np.abs(x)
    middle = np.float32(pelvis.sacrum_y + 2) - (side - 10) * np.float32(0.28) - np.float32(0.0012) * side * side
    half = np.float32(19.0) * np.sqrt(np.clip((side - 9) / 34, 0, 1))
    sheet = np.abs(y - middle - half + 6) - half
    k = np.sqrt((x / np.float32(pelvis.body[0])) ** 2 + ((y + 18) / np.float32(pelvis.body[1])) ** 2 + np.float32(1e-6))
    sheet = np.maximum(sheet, np.float32(11.0) - (1 - k) * np.float32(pelvis.body[1]))
    alpha = coverage(np.maximum(sheet, np.float32(1.0) - half), canvas.edge)
    streak = np.sin(x * np.float32(0.19) * np.sign(x) + y * np.float32(0.36) + z * np.float32(0.05))
    canvas.add(box, alpha, "muscle")
    canvas.add(box, alpha * np.clip((streak - np.float32(0.94)) * 9, 0, np.float32(0.55)), "fat")


def paint_bones_and_muscles(canvas: Canvas, pelvis: Pelvis) -> None:
    """Sacrum and coccyx, piriformis, obturator internus, acetabulum, femoral head, ischium, pubis."""
    s, hip = pelvis.size, pelvis.bladder_base + 6.0
    for side in SIDES:
        canvas.ellipsoid((side * 56 * s, 36, 26), (36, 9, 20), "muscle", turn=side * 28)
        canvas.ellipsoid((side * 67 * s, -22, hip), (6, 34, 40), "marrow", turn=-side * 6, shell=("cortical bone", 1.4))
        canvas.ellipsoid(
            (side * 76 * s, 10, hip - 2), (15, 17, 34), "marrow", turn=-side * 24, shell=("cortical bone", 1.6)
        )
        canvas.ellipsoid(
            (side * 74 * s, -54, hip), (13, 15, 30), "marrow", turn=side * 30, shell=("cortical bone", 1.6)
        )
        canvas.ellipsoid((side * 98 * s, -23, hip - 2), (27, 27, 28), "cortical bone")
        canvas.ellipsoid((side * 98 * s, -23, hip - 2), (25.6, 25.6, 26.6), "muscle")
        canvas.ellipsoid((side * 98 * s, -23, hip - 2), (24.4, 24.4, 25), "marrow", shell=("cortical bone", 1.1))
        canvas.ellipsoid(
            (side * 66 * s, 22, hip - 40), (13, 17, 30), "marrow", turn=-side * 20, shell=("cortical bone", 1.8)
        )
        canvas.ellipsoid((side * 57 * s, -10, hip - 10), (8.5, 37, 46), "muscle", turn=-side * 7)
        canvas.ellipsoid(
            (side * 34 * s, -82, hip - 28), (32, 11, 14), "marrow", turn=side * 18, shell=("cortical bone", 1.6)
        )
        canvas.ellipsoid((side * 62 * s, -78, hip - 10), (24, 13, 40), "muscle", turn=-side * 22)
        canvas.ellipsoid((side * 52 * s, -58, hip + 10), (5, 6, 60), "vessel", turn=side * 20)
        canvas.ellipsoid((side * 63 * s, -56, hip + 10), (4.5, 5, 60), "vessel")
    canvas.ellipsoid((0, -84, hip - 26), (3.5, 11, 14), "fascia")
    _paint_sacrum(canvas, pelvis)


def _paint_sacrum(canvas: Canvas, pelvis: Pelvis) -> None:
    box = canvas.grid.box(np.array([0.0, pelvis.sacrum_y - 10, 20.0]), np.array([75.0, 60.0, 140.0]))
    x, y, z = canvas.warped(box)
    up = np.clip((z + np.float32(42.0)) / 100, 0, 1.6)
    middle = np.float32(pelvis.sacrum_y) - np.float32(0.0052) * (z - np.float32(8.0)) ** 2 + 6 * up
    half, width = 4 + 11 * up, 8 + 48 * up
    curve = np.float32(0.006) * x * x
    k = np.sqrt((x / width) ** 2 + ((y - middle + curve) / half) ** 2 + np.float32(1e-6))
    distance = np.maximum((k - 1) * half, np.float32(-46.0) - z)
    canvas.add(box, coverage(distance, canvas.edge), "cortical bone")
    canvas.add(box, coverage(distance + np.float32(1.8), canvas.edge), "marrow")
    disc = np.abs((z + np.float32(200.0)) % np.float32(27.0) - np.float32(13.5)) - np.float32(1.4)
    canvas.add(box, coverage(np.maximum(distance + np.float32(1.8), disc), canvas.edge), "cortical bone")
    for side in SIDES:
        holes = np.sqrt((x - np.float32(side) * (10 + 9 * up)) ** 2 + (y - middle + 3) ** 2) - (1.0 + 2.4 * up)
        foramen = np.asarray(holes, dtype=np.float32)
        canvas.add(box, coverage(foramen, canvas.edge), "fat")
        canvas.add(box, coverage(foramen + np.float32(1.6), canvas.edge), "nerve")


def paint_organs(canvas: Canvas, pelvis: Pelvis, filling: float) -> None:
    """Bladder (``filling`` 0–1), prostate and seminal vesicles or uterus and vagina, iliac vessels, bowel."""
    base = pelvis.bladder_base
    wide, high = 30 + 16 * filling, 18 + 22 * filling
    canvas.ellipsoid((0, -58, base + high), (wide, 19 + 9 * filling, high), "urine", shell=("bladder wall", 3.2))
    if pelvis.sex == "M":
        canvas.ellipsoid((0, -44, base - 17), (25, 18, 19), "peripheral zone", shell=("fascia", 1.0))
        canvas.ellipsoid((0, -49, base - 13), (19, 12.5, 14), "transition zone", shell=("fascia", 0.8))
        for side in SIDES:
            canvas.ellipsoid(
                (side * 15, -35, base + 5), (15, 5.0, 7), "seminal vesicle", turn=-side * 14, shell=("fascia", 0.8)
            )
    else:
        canvas.ellipsoid((3, -46, base + 26), (25, 17, 30), "myometrium")
        canvas.ellipsoid((3, -46, base + 28), (9, 3.5, 19), "endometrium", shell=("fascia", 2.0))
        canvas.ellipsoid((0, -37, base - 8), (14, 9, 13), "myometrium")
        canvas.ellipsoid((0, -36, base - 32), (17, 5.0, 20), "mucosa", shell=("muscularis", 2.4))
    for side in SIDES:
        canvas.ellipsoid((side * 47, -30, base + 40), (4.5, 5.5, 70), "vessel", turn=side * 20)
        canvas.ellipsoid((side * 52, -18, base + 40), (4.0, 3.5, 60), "vessel")
        canvas.ellipsoid((side * 44, 12, 25), (3.0, 4.5, 50), "nerve", turn=side * 30)
    canvas.ellipsoid((34, -34, base + 66), (24, 20, 22), "bowel", shell=("muscularis", 1.5))
    canvas.ellipsoid((-36, -38, base + 70), (26, 22, 24), "bowel", shell=("muscularis", 1.5))


def paint_mesorectum(canvas: Canvas, pelvis: Pelvis) -> None:
    """Mesorectal fat inside its thin dark fascia, lymph nodes, vessels, and the levator funnel below."""
    box = canvas.grid.box(np.array([0.0, 6.0, 0.0]), np.array([60.0, 75.0, 110.0]))
    w, v, u = pelvis.rectal(canvas.warped(box))
    wide, deep, back = (np.float32(value) for value in pelvis.mesorectum)
    funnel = np.clip((w - np.float32(pelvis.anal_w)) / 42, 0, 1) ** np.float32(0.7)
    rx, ry = 15 + (wide - 15) * funnel, 15 + (deep - 15) * funnel
    angle_u, angle_v = u / rx, (v - back * funnel) / ry
    k = np.sqrt(angle_u**2 + angle_v**2 + np.float32(0.06) * angle_u**2 * angle_v + np.float32(1e-6))
    distance = (k - 1) * np.minimum(rx, ry)
    low = np.float32(pelvis.anal_w + 30) - w
    levator = np.maximum(np.abs(distance - np.float32(4.5)) - np.float32(2.4), -low)
    canvas.add(box, coverage(levator, canvas.edge), "muscle")
    canvas.add(box, coverage(np.maximum(distance, w - 85), canvas.edge), "mesorectal fat")
    canvas.add(box, coverage(np.abs(distance) - np.float32(0.55), canvas.edge) * np.float32(0.65), "fascia")
    _paint_inside_mesorectum(canvas, pelvis)


def _paint_inside_mesorectum(canvas: Canvas, pelvis: Pelvis) -> None:
    """Lymph nodes (balls) and vessels (winding tubes) at fixed shares of the mesorectum's radii."""
    wide, deep, back = pelvis.mesorectum
    for angle, share, height, radius in pelvis.nodes:
        u, v = share * np.cos(angle) * wide, back + share * np.sin(angle) * deep
        ((x, y, z),) = pelvis.locate(np.array([height]), np.array([v]), np.array([u]))
        canvas.ellipsoid((float(x), float(y), float(z)), (radius, radius, radius * 1.2), "lymph node")
    course = np.linspace(-45, 95, 15)
    for angle, share, turn, radius in pelvis.vessels:
        at = angle + turn * course / 12
        path = pelvis.locate(course, back + share * np.sin(at) * deep, share * np.cos(at) * wide)
        centre, half = (path.max(axis=0) + path.min(axis=0)) / 2, np.ptp(path, axis=0) / 2 + 4
        box = canvas.grid.box(centre - np.array(canvas.shift), half)
        if 0 in (s.stop - s.start for s in box):
            continue
        w, v_at, u_at = pelvis.rectal(canvas.points(box))
        at_w = np.float32(angle) + np.float32(turn / 12) * w
        du = u_at - np.float32(share * wide) * np.cos(at_w)
        dv = v_at - np.float32(back) - np.float32(share * deep) * np.sin(at_w)
        distance = np.maximum(np.sqrt(du * du + dv * dv) - np.float32(radius), np.abs(w - 25) - 70)
        canvas.add(box, coverage(distance, canvas.edge), "vessel")
