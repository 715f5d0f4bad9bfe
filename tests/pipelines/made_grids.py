"""Any orthonormal orientation, spacing and place, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tests.pipelines.made_series import Grid

angles = st.floats(-180, 180, allow_nan=False)
lengths = st.floats(0.3, 6.0)
places = st.floats(-300, 300)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """Any orthonormal orientation, spacing and origin."""
    turned = Rotation.from_euler("xyz", [draw(angles), draw(angles), draw(angles)], degrees=True).as_matrix()
    return Grid(
        spacing=(draw(lengths), draw(lengths), draw(lengths)),
        orientation=tuple(float(value) for value in (*turned[:, 0], *turned[:, 1])),
        origin=(draw(places), draw(places), draw(places)),
    )
