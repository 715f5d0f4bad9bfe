"""Whether therapy or words say that a lone baseline is one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Whether those that wait are evident is known when they are planned, which they are because this says so.
    op.add_column("pair", sa.Column("evident", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE pair SET evident = (state = 'AWAITING_RESTAGING')")
