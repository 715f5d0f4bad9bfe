"""`restage fsck`: is everything still there that this node has acknowledged or made?"""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from node.command import DEFAULT_CONFIG, ConfigOption, configured

# What loads SQLAlchemy is imported where it runs, as in node.__main__.

ATTENTION = 1
_REPAIR_HELP = "Index what has no row, set aside what is damaged, remove what nobody needs."


def fsck(
    config: ConfigOption = DEFAULT_CONFIG,
    repair: Annotated[bool, typer.Option("--repair", help=_REPAIR_HELP)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Plain data for programs.")] = False,
) -> None:
    """Hold every stored file against its row: missing, truncated, changed, unindexed, orphaned. Exit code 1 if any is.

    Safe while the node runs. What only the sender can bring back stays a fault until it has been sent again.
    """
    from node import fsck as check
    from node.app import opened
    from node.progress import bar

    read = configured(config)
    with opened(read) as (_, store):
        store.prepare_folders()
        with nullcontext(check.unheard) if as_json else bar("files") as advance:
            found = list(check.damages(store, advance))
        checked = (0, 0) if found else check.indexed(store)
        mended = [damage for damage in found if repair and check.repair(store, damage)]
    left = [damage for damage in found if damage not in mended]
    if as_json:
        typer.echo(json.dumps([damage.as_json() for damage in left], indent=1))
    else:
        for damage in found:
            typer.echo(f"{damage.fault:<10} {damage.path}: {'repaired' if damage in mended else damage.advice}")
        typer.echo(f"{len(found)} faults, {len(left)} left" if found else _nothing_wrong(read.node.data_dir, *checked))
    if left:
        raise typer.Exit(ATTENTION)


def _nothing_wrong(folder: Path, objects: int, results: int) -> str:
    if not objects and not results:
        return f"nothing has been stored in {folder} yet"
    return f"{folder}: every file is there, whole and indexed (objects: {objects}, results: {results})"
