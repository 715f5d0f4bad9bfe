"""Whether therapy or words say that a lone baseline is one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pair", sa.Column("evident", sa.Boolean(), nullable=False, server_default=sa.false()))
