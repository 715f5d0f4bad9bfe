"""Renderings per destination, withdrawals as jobs, deliveries that a person released, owners of objects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JOB_INDEX = "job_by_state"


def upgrade() -> None:
    op.add_column("object", sa.Column("patient_id", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("object", sa.Column("issuer", sa.String(length=64), nullable=False, server_default=""))
    op.execute(
        "UPDATE object SET patient_id = (SELECT patient_id FROM study WHERE study.study_uid = object.study_uid), "
        "issuer = (SELECT issuer FROM study WHERE study.study_uid = object.study_uid)"
    )
    op.add_column("delivery", sa.Column("released", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("delivery", sa.Column("exposed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE delivery SET exposed = (attempts > 0)")
    with op.batch_alter_table("result") as table:
        table.alter_column("kind", type_=sa.String(length=32), existing_nullable=False)
        table.add_column(sa.Column("rendering", sa.Text(), nullable=False, server_default=""))
    naming = {"uq": "uq_%(table_name)s_%(column_0_N_name)s"}
    with op.batch_alter_table("job", naming_convention=naming) as table:
        table.add_column(sa.Column("task", sa.String(length=16), nullable=False, server_default="score"))
        table.drop_constraint("uq_job_pair_id_version", type_="unique")
        table.create_unique_constraint("job_once", ["pair_id", "version", "task"])
