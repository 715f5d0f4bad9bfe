"""What is left when a node has been through something: what it says of itself, what it holds, what arrived of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from sqlalchemy import func, select

from node.app import opened
from node.config import load_config
from node.fsck import damages
from node.schema import object_table, result_table

OF_A_PAIR = {"seg_baseline", "seg_restaging", "report", "summary"}
_ARRIVED = {"SENT", "VERIFIED", "COMMITTED"}


def pairs(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [pair for patient in status["patients"] for pair in patient["pairs"]]


def jobs(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [job for pair in pairs(status) for job in pair["jobs"]]


def deliveries(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for pair in pairs(status) for one in pair["deliveries"]]


def all_delivered(status: Mapping[str, Any]) -> bool:
    return (
        bool(deliveries(status))
        and all(one["state"] in _ARRIVED | {"WITHDRAWN"} for one in deliveries(status))
        and all(job["state"] not in ("READY", "CLAIMED") for job in jobs(status))
    )


def in_full(paths: Iterable[Path]) -> Mapping[str, Dataset]:
    return {str(one.SOPInstanceUID): one for one in map(dcmread, paths)}


def assert_nothing_is_lost(folder: Path, acknowledged: Collection[Path]) -> None:
    """Everything that was answered with Success is there as it was sent, once, and nothing else is."""
    with opened(load_config(folder / "config.toml")) as (database, store):
        assert list(damages(store)) == []
        with database.reading() as connection:
            current = connection.execute(select(object_table).where(object_table.c.current)).all()
            assert connection.execute(select(func.count()).select_from(object_table)).scalar_one() == len(current)
    kept = in_full({folder / "data" / row.path for row in current})
    assert kept == in_full(acknowledged)


def assert_one_current_result(folder: Path, arrived: Collection[str], pair_count: int) -> None:
    """Of each pair the newest version arrived, every object once, and nothing that no version explains.

    ``arrived``: SOP Instance UIDs of what a destination holds.
    """
    with opened(load_config(folder / "config.toml")) as (database, _), database.reading() as connection:
        made = connection.execute(select(result_table)).all()
    newest = {pair: max(row.version for row in made if row.pair_id == pair) for pair in {row.pair_id for row in made}}
    assert len(newest) == pair_count
    assert len(arrived) == len(set(arrived))
    assert set(arrived) <= {row.sop_uid for row in made}
    for pair, version in newest.items():
        current = {row.kind: row.sop_uid for row in made if (row.pair_id, row.version) == (pair, version)}
        assert set(current) == OF_A_PAIR
        assert set(current.values()) <= set(arrived)
