"""The commissioning doctor: is this node fit to serve, and can it reach its peers? Findings name the side at fault.

Nothing is changed: the test file in the data folder is removed again, and a database that is not there is not made.
"""

from __future__ import annotations

import errno
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text
from sqlalchemy import create_engine, func, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from node.check_peer import answers_as, check_peer
from node.check_tls import check_tls, shows_our_certificate
from node.config import Config
from node.finding import Finding, Level
from node.records import DeliveryState
from node.room import GIB, Room
from node.schema import delivery_table

LOW_DISK_GIB = 20.0  # an exam is about 0.1 GiB: a busy day may fill the disk
# The folders of models that every scoring run needs, beside one per system.
SEGMENTER = "segmenter"
MANIFEST = "manifest.json"
_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def check(config: Config) -> Iterator[Finding]:
    """Everything that must be right before `restage serve` works, this node first, then peer by peer."""
    yield from _check_ports(config)
    yield from check_tls(config.tls)
    yield from _check_data_dir(config.node.data_dir, config.node.keep_free_gib)
    yield from _check_database(config.database_url)
    yield from _check_waiting(config)
    yield from _check_bundles(config)
    yield from _check_roles(config)
    for peer in config.peers:
        yield from check_peer(config.node, peer)


def render(finding: Finding) -> Text:
    """One line for a terminal."""
    return Text.assemble((f"{finding.level:<5}", _COLOURS[finding.level]), f"{finding.subject}: {finding.message}")


def _check_ports(config: Config) -> Iterator[Finding]:
    node, tls = config.node, config.tls
    for key, port in (("[node] port", node.port), ("[tls] port", tls.port)):
        if port:
            yield from _check_port(config, port, key)
    if not node.port:
        for peer in config.peers:
            if peer.sends and not peer.tls:
                words = (
                    f"our side: the plain port is closed ([node] port = 0), and [[peer]] {peer.name} has no tls = true"
                )
                yield Finding(Level.WARN, "listener", f"{words}: it can call over TLS alone, and is not held to it")
    if _is_loopback(node.host) and any(not _is_loopback(peer.host) for peer in config.peers):
        words = 'our side: it listens to this machine alone, and peers are elsewhere; set [node] host = "0.0.0.0"'
        level = Level.FAIL if any(peer.sends for peer in config.peers) else Level.WARN
        yield Finding(level, _listener(config, node.port or tls.port), words)


def _listener(config: Config, port: int) -> str:
    with_tls = " with TLS" if port == config.tls.port else ""
    return f"listener {config.node.ae_title} on {config.node.host}:{port}{with_tls}"


def _check_port(config: Config, port: int, key: str) -> Iterator[Finding]:
    host, subject = config.node.host, _listener(config, port)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _is_running(config):
            yield Finding(Level.OK, subject, f"a node that answers as {config.node.ae_title} is running here")
        else:
            yield Finding(Level.FAIL, subject, _why_not_bound(host, key, error))
    else:
        yield Finding(Level.OK, subject, "the port is free")


def _is_running(config: Config) -> bool:
    """Whether it is this node that has its ports: it shows our certificate, or answers an echo."""
    node = config.node
    here = "127.0.0.1" if node.host in ("0.0.0.0", "") else "::1" if node.host == "::" else node.host
    if config.tls.port:
        return shows_our_certificate(config.tls, here)
    # A running node accepts its peers alone, so it is called under the title of one.
    title = next((peer.ae_title for peer in config.peers if not peer.tls), "")
    return bool(title) and answers_as(here, node.port, node.ae_title, title)


def _why_not_bound(host: str, key: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"our side: another program listens on that port; stop it, or set another {key}"
    if error.errno == errno.EACCES:
        return f"our side: ports below 1024 need administrator rights; set {key} = 11112, say, and tell the PACS"
    return f'our side: {host} is no address of this machine ({error.strerror}); "0.0.0.0" is every interface'


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _check_data_dir(folder: Path, keep_free_gib: float) -> Iterator[Finding]:
    subject = f"data folder {folder}"
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir():
        yield Finding(Level.FAIL, subject, f"our side: {there} is a file; set [node] data_dir to a folder")
        return
    try:
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(b"restage check")
    except OSError as error:
        words = f"our side: this user may not write in {there} ({error.strerror}); change its owner, or data_dir"
        yield Finding(Level.FAIL, subject, words)
        return
    yield Finding(Level.OK, subject, "writable" if there == folder else "not there yet, and can be made")
    if there == folder and (mode := folder.stat().st_mode & 0o077):
        words = f"our side: other users of this machine may look into it (mode {mode:o} beyond the owner's)"
        yield Finding(Level.WARN, subject, f"{words}; it holds patients' data: chmod 700 {folder}")
    free = Room(there, 0).free / GIB
    if free < max(LOW_DISK_GIB, keep_free_gib):
        level = Level.FAIL if free < keep_free_gib else Level.WARN
        words = f"our side: {free:.1f} GiB free; below {keep_free_gib:g} GiB ([node] keep_free_gib) senders are refused"
        yield Finding(level, subject, f"{words}: make room")
    else:
        yield Finding(Level.OK, subject, f"{free:.0f} GiB free")


def _check_database(url: str) -> Iterator[Finding]:
    subject = "database"
    file = make_url(url).database
    if file and not Path(file).exists():
        yield Finding(Level.OK, subject, f"{file} is not there yet; `restage serve` makes it")
        return
    engine = create_engine(url)
    try:
        tables = inspect(engine).get_table_names()
    except SQLAlchemyError as error:
        words = f"our side: {file} cannot be opened ({_first_line(error)}); set [node] database, or restore it"
        yield Finding(Level.FAIL, subject, words)
    else:
        yield Finding(Level.OK, subject, f"{file} opens, {len(tables)} tables")
    finally:
        engine.dispose()


def _check_waiting(config: Config) -> Iterator[Finding]:
    """Deliveries for a destination that the configuration does not name any more: nobody else would say so."""
    file = make_url(config.database_url).database
    if not file or not Path(file).exists():
        return
    table = delivery_table.c
    waiting = table.state.in_((DeliveryState.DUE, DeliveryState.CLAIMED, DeliveryState.HELD, DeliveryState.FAILED))
    query = select(table.peer, func.count()).where(waiting).group_by(table.peer).order_by(table.peer)
    engine = create_engine(config.database_url)
    try:
        with engine.connect() as connection:
            counts = [(row[0], row[1]) for row in connection.execute(query)]
    except SQLAlchemyError:
        return  # what is wrong with it has been said
    finally:
        engine.dispose()
    known = {peer.name for peer in config.peers_receiving}
    for name, count in counts:
        if name not in known:
            words = f"our side: {count} wait for {name!r}; no [[peer]] of that name has receives = true: name it again"
            yield Finding(Level.WARN, "deliveries", words)


def _first_line(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _check_bundles(config: Config) -> Iterator[Finding]:
    if not config.scoring.systems:
        yield Finding(Level.WARN, "models", "[scoring] systems is empty: only readers' masks are measured")
        return
    missing = _without_manifest(config.bundles_dir, [SEGMENTER, *config.scoring.systems])
    if missing:
        words = f"our side: no bundle of {' or '.join(missing)} in {config.bundles_dir}; `restage train` makes one"
        yield Finding(Level.FAIL, "models", words)
    else:
        yield Finding(Level.OK, "models", f"bundles of {', '.join(config.scoring.systems)} in {config.bundles_dir}")


def _without_manifest(folder: Path, names: Sequence[str]) -> list[str]:
    return [name for name in names if not (folder / name / MANIFEST).is_file()]


def _check_roles(config: Config) -> Iterator[Finding]:
    if not config.peers:
        words = "our side: config.toml has no [[peer]], so nobody may send and results go nowhere"
        yield Finding(Level.WARN, "peers", words)
        return
    if not any(peer.sends for peer in config.peers):
        yield Finding(Level.WARN, "peers", "our side: no [[peer]] has sends = true, so no exam can arrive")
    for peer in config.peers:
        if peer.storage_commitment and not any(one.receives for one in config.peers_titled(peer.ae_title)):
            words = f"our side: {peer.name} has storage_commitment = true, and nothing is sent to {peer.ae_title}"
            yield Finding(Level.WARN, "peers", words)
    if not config.peers_receiving:
        yield Finding(Level.WARN, "peers", "our side: no [[peer]] has receives = true, so results go nowhere")
