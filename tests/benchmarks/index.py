"""What an object costs in an index that holds many: its look-up, its row, and `restage status` of them all.

Run: python -m tests.benchmarks.index [--objects 1000 100000 1000000]; prints JSON last. The rows are synthetic: exams
of 250 objects in ten series, two exams and one pair with a job and five deliveries a patient. ``look_up_us`` and
``keep_us``: median microseconds of the index's part of keeping one new object; ``touch_us``: of one that is here
already; ``status_s``: what `restage status --json` reads, median of five.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path

from sqlalchemy import insert

from node.database import Database
from node.object_index import File, index, standing
from node.records import ObjectFacts
from node.schema import (
    delivery_table,
    job_table,
    object_table,
    pair_table,
    result_table,
    series_table,
    study_table,
)
from node.status import read_status
from node.store import Store
from pipelines.contract import Patient

OF_AN_EXAM, SERIES = 250, 10
TRIES = 300
KINDS = ("report", "seg", "summary", "pdf", "maps")
MR = "1.2.840.10008.5.1.4.1.1.4"
Row = dict[str, object]


def study_uid(exam: int) -> str:
    return f"1.2.826.0.1.3680043.10.{exam}"


def objects(count: int) -> Iterator[Row]:
    for number in range(count):
        exam, place = divmod(number, OF_AN_EXAM)
        uid = f"{study_uid(exam)}.{place}"
        yield {
            "sop_uid": uid,
            "sop_class_uid": MR,
            "series_uid": f"{study_uid(exam)}.0.{place % SERIES}",
            "study_uid": study_uid(exam),
            "patient_id": f"P{exam // 2}",
            "issuer": "SITE",
            "modality": "MR",
            "manufacturer": "MAKER",
            "path": f"objects/00/{uid}.dcm",
            "digest": f"{number:064x}",
            "size": 524_288,
            "source": "SENDER",
            "received_at": float(number),
            "current": True,
        }


def exams(count: int) -> Iterator[Row]:
    for exam in range(count):
        yield {
            "study_uid": study_uid(exam),
            "patient_id": f"P{exam // 2}",
            "issuer": "SITE",
            "name": "A^B",
            "birth_date": "19500101",
            "sex": "F",
            "study_date": "20240101",
            "description": "MR rectum",
            "state": "PLANNED",
            "generation": 1,
            "first_received_at": float(exam),
            "last_received_at": float(exam),
        }


def series(count: int) -> Iterator[Row]:
    for exam in range(count):
        for one in range(SERIES):
            yield {
                "series_uid": f"{study_uid(exam)}.0.{one}",
                "study_uid": study_uid(exam),
                "role": "other",
                "modality": "MR",
                "description": "t2_tse_tra",
                "b_values": [],
                "confidence": 1.0,
                "code": "",
                "reason": "no orientation that is read",
                "images": OF_AN_EXAM // SERIES,
            }


def pairs(count: int) -> Iterator[Row]:
    for pair in range(1, count + 1):
        both = {"baseline": [study_uid(2 * pair - 2)], "restaging": [study_uid(2 * pair - 1)]}
        yield {"id": pair, "patient_id": f"P{pair - 1}", "issuer": "SITE", **both} | {
            "state": "READY",
            "reason": "",
            "version": 1,
            "updated_at": 0.0,
        }


def jobs(count: int) -> Iterator[Row]:
    for job in range(1, count + 1):
        yield {"id": job, "pair_id": job, "task": "score", "version": 1, "inputs_digest": "", "baseline": []} | {
            "restaging": [],
            "state": "DONE",
            "created_at": 0.0,
        }


def results(count: int) -> Iterator[Row]:
    for number in range(count * len(KINDS)):
        job, kind = divmod(number, len(KINDS))
        yield {"id": number + 1, "job_id": job + 1, "pair_id": job + 1, "version": 1, "kind": KINDS[kind]} | {
            "sop_uid": f"1.2.3.{number}",
            "sop_class_uid": MR,
            "series_uid": f"1.2.4.{number}",
            "study_uid": study_uid(2 * job + 1),
            "path": f"results/{number}.dcm",
            "digest": "",
        }


def deliveries(count: int) -> Iterator[Row]:
    for number in range(1, count * len(KINDS) + 1):
        yield {"result_id": number, "peer": "pacs", "state": "SENT", "updated_at": 0.0}


def fill(database: Database, count: int) -> None:
    """As many objects, and all that a node would have made of them."""
    studies = max(2, count // OF_AN_EXAM)
    tables = (
        (object_table, objects(count)),
        (study_table, exams(studies)),
        (series_table, series(studies)),
        (pair_table, pairs(studies // 2)),
        (job_table, jobs(studies // 2)),
        (result_table, results(studies // 2)),
        (delivery_table, deliveries(studies // 2)),
    )
    for table, rows in tables:
        while batch := list(islice(rows, 20_000)):
            with database.transaction(rebuildable=True) as connection:
                connection.execute(insert(table), batch)


def arrival(number: int) -> tuple[ObjectFacts, File]:
    patient = Patient("NEW", "SITE", "A^B", "19500101", "F")
    day = date(2024, 1, 1)
    facts = ObjectFacts(f"2.25.{number}", MR, "2.25.1", "2.25.0", patient, day, "MR rectum", "MR", "MAKER", "")
    return facts, File(f"objects/00/{number}.dcm", f"{number:064x}", 1, "SENDER", 0.0)


def median_us(step: Callable[[int], object], tries: int = TRIES) -> float:
    taken = []
    for number in range(tries):
        started = time.perf_counter()
        step(number)
        taken.append(time.perf_counter() - started)
    return round(statistics.median(taken) * 1e6, 1)


def measured(folder: Path, count: int) -> dict[str, float]:
    database = Database(f"sqlite:///{folder / 'restage.sqlite'}")
    database.migrate()
    fill(database, count)
    store = Store(folder, database)

    def look_up(number: int) -> None:
        with database.directly() as driver:
            standing(driver, f"{study_uid(number % max(1, count // OF_AN_EXAM))}.{number % OF_AN_EXAM}")

    def again(number: int) -> None:
        with database.transaction() as connection:
            index(connection, *arrival(number))

    figures = {
        "look_up_us": median_us(look_up),
        "keep_us": median_us(lambda number: store._arrivals.put(arrival(number))),
        "touch_us": median_us(again),
    }
    figures["status_s"] = round(median_us(lambda _: read_status(database), 5) / 1e6, 3)
    database.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, nargs="*", default=[1_000, 100_000, 1_000_000])
    told = parser.parse_args()
    found = {}
    for count in told.objects:
        with tempfile.TemporaryDirectory() as name:
            found[str(count)] = measured(Path(name), count)
        print(f"{count}: {found[str(count)]}", flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
