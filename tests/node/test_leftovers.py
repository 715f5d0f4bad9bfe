"""Which folders of results count, and which a dead worker left behind."""

from __future__ import annotations

from pathlib import Path

from node import jobs
from node.keep import Keeper
from node.leftovers import drop_leftovers, leftovers
from tests.node.conftest import Bench, result


def attempt(bench: Bench, *, put: bool = True) -> tuple[Keeper, Path]:
    """A claimed job with a folder of its own, as a worker makes it."""
    if put:
        bench.put_job(bench.make_pair())
    keeper = Keeper(bench.store, bench.claim(lease_seconds=-1))
    keeper.folder.mkdir()
    return keeper, keeper.folder


def test_a_running_job_keeps_its_folder(bench: Bench) -> None:
    attempt(bench)
    assert leftovers(bench.store) == []


def test_of_two_attempts_the_dead_workers_folder_goes_and_the_results_stay(bench: Bench) -> None:
    _, dead = attempt(bench)
    jobs.give_back_expired(bench.database)
    keeper, folder = attempt(bench, put=False)
    bench.finish(keeper.ticket, [result(path=Path("results") / folder.name / "report.dcm")])
    assert leftovers(bench.store) == [dead]
    drop_leftovers(bench.store)
    assert list(bench.store.results.iterdir()) == [folder]


def test_what_a_job_found_stays_where_it_ended_without_objects(bench: Bench) -> None:
    keeper, _ = attempt(bench)
    bench.finish(keeper.ticket, [])
    assert leftovers(bench.store) == []
