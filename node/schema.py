"""The tables. Times are seconds since the epoch (UTC); lists of UIDs are JSON arrays, the leading study first."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData()

# One row per content that ever arrived under a SOP Instance UID; `current` marks the one that counts.
object_table = Table(
    "object",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sop_uid", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("patient_id", String(64), nullable=False, default=""),
    Column("issuer", String(64), nullable=False, default=""),
    Column("modality", String(16), nullable=False),
    Column("manufacturer", String(64), nullable=False),
    Column("path", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("source", String(16), nullable=False),
    Column("received_at", Float, nullable=False),
    Column("current", Boolean, nullable=False),
    UniqueConstraint("sop_uid", "digest"),
    Index("object_by_study", "study_uid", "series_uid"),
)

study_table = Table(
    "study",
    metadata,
    Column("study_uid", String(64), primary_key=True),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("birth_date", String(8), nullable=False),
    Column("sex", String(16), nullable=False),
    Column("study_date", String(8), nullable=False),
    Column("description", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("code", String(64), nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("conflict", Text, nullable=False, default=""),
    Column("first_received_at", Float, nullable=False),
    Column("last_received_at", Float, nullable=False),
    Index("study_by_patient", "patient_id", "issuer"),
    Index("study_by_state", "state"),
)

# Whether a study is complete, by one kind of evidence, as its objects were at `received_at` (its `last_received_at`
# then). `verdict`: a node.evidence.Verdict; `reason`: what is missing, in words.
evidence_table = Table(
    "evidence",
    metadata,
    Column("study_uid", ForeignKey("study.study_uid"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("received_at", Float, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Float, nullable=False),
)

# What the headers of a settled study's series say: replaced as a whole when the study settles again.
series_table = Table(
    "series",
    metadata,
    Column("series_uid", String(64), primary_key=True),
    Column("study_uid", ForeignKey("study.study_uid"), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("modality", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("b_values", JSON, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("code", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("images", Integer, nullable=False),
)

pair_table = Table(
    "pair",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("baseline", JSON, nullable=False),
    Column("restaging", JSON, nullable=False),
    Column("state", String(24), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evident", Boolean, nullable=False, server_default=false()),
    Column("inputs_digest", String(64), nullable=False, default=""),
    Column("version", Integer, nullable=False, default=0),
    Column("updated_at", Float, nullable=False),
    Index("pair_by_patient", "patient_id", "issuer"),
)

decision_table = Table(
    "decision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("verb", String(8), nullable=False),
    Column("baseline_uid", String(64), nullable=False),
    Column("restaging_uid", String(64), nullable=False),
    Column("decided_at", Float, nullable=False),
    Column("applied", Boolean, nullable=False),
)

# A search for the baseline of a waiting exam at one peer. `again`: it is made again by itself; `since`: from when on
# that is counted. `fetched`: studies that came whole; `partly`: those that did not, with how often a part of them came.
search_table = Table(
    "search",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pair_id", ForeignKey("pair.id"), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("state", String(24), nullable=False),
    Column("token", String(36), nullable=False, default=""),
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("again", Boolean, nullable=False),
    Column("since", Float, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("instances", Integer, nullable=False, default=0),
    Column("fetched", JSON, nullable=False),
    Column("partly", JSON, nullable=False),
    Column("updated_at", Float, nullable=False),
    UniqueConstraint("pair_id", "peer", name="search_once"),
    Index("search_by_peer", "peer", "state"),
)

job_table = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pair_id", ForeignKey("pair.id"), nullable=False),
    Column("task", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("inputs_digest", String(64), nullable=False),
    Column("baseline", JSON, nullable=False),
    Column("restaging", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("token", String(36), nullable=False, default=""),
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("reason", Text, nullable=False, default=""),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    UniqueConstraint("pair_id", "version", "task", name="job_once"),
    Index("job_by_state", "state"),
)

result_table = Table(
    "result",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("job.id"), nullable=False),
    Column("pair_id", ForeignKey("pair.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("rendering", Text, nullable=False, default=""),
    Column("sop_uid", String(64), nullable=False, unique=True),
    Column("sop_class_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("path", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("result_by_pair", "pair_id", "version"),
)

# Values of cohort.csv's items as persons imported them, and every one that a newer one replaced. `item` is an Item or a
# Stem of pipelines.clinical, `value` its canonical text; `issuer` is empty where the table named none. `planned`: the
# patient has been planned with it, or is not held.
clinical_value_table = Table(
    "clinical_value",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("patient_id", String(64), nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("item", String(32), nullable=False),
    Column("value", Text, nullable=False),
    Column("date", String(10), nullable=False),
    Column("source", Text, nullable=False),
    Column("imported_at", Float, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("planned", Boolean, nullable=False),
    Index("clinical_value_by_patient", "patient_id", "issuer"),
    Index("clinical_value_by_planned", "planned"),
)

delivery_table = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("result_id", ForeignKey("result.id"), nullable=False),
    Column("peer", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("token", String(36), nullable=False, default=""),
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("status", Integer),
    Column("reason", Text, nullable=False, default=""),
    Column("released", Boolean, nullable=False, default=False),
    Column("exposed", Boolean, nullable=False, default=False),
    Column("updated_at", Float, nullable=False),
    UniqueConstraint("result_id", "peer"),
    Index("delivery_by_peer", "peer", "state"),
    Index("delivery_by_time", "peer", "state", "updated_at"),
)

# One question to a peer whether it keeps objects safe, under one Transaction UID (PS3.4 J.3.2). `until` is when its
# report is overdue; `ae_title` is who was asked.
commitment_table = Table(
    "commitment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("transaction_uid", String(64), nullable=False, unique=True),
    Column("peer", String(64), nullable=False),
    Column("ae_title", String(16), nullable=False),
    Column("sop_uids", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("until", Float, nullable=False),
    Index("commitment_by_peer", "peer", "state"),
)

# What was asked of a delivery that is not committed: the newest question, how many there were since it was sent, and
# how often it was sent again as the peer had no such object.
commitment_item_table = Table(
    "commitment_item",
    metadata,
    Column("delivery_id", ForeignKey("delivery.id"), primary_key=True),
    Column("commitment_id", ForeignKey("commitment.id")),
    Column("questions", Integer, nullable=False, default=0),
    Column("sent_again", Integer, nullable=False, default=0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("reason", Text, nullable=False, default=""),
    Index("commitment_item_by_commitment", "commitment_id"),
)
